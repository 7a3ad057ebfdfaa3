// Package archtest holds the import rule, in its tests: who may import whom is the security
// argument of this program. It has no code of its own.
package archtest
