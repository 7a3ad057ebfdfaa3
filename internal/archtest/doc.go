// Package archtest has tests of the import rule, and of what the pages say about the code. Who may
// import whom is the security argument of this program. It has no code of its own.
package archtest
