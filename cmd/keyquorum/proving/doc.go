// Package proving is the command prove: it finds the nodes of a running cluster, lets package prove
// work on them, and reports the result.
package proving
