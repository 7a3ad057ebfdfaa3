// Package conformance holds a cluster against the programs that it claims to serve, in its tests: Microsoft's own Go suites for keys
// and secrets, unedited and in live mode, our own calls with the same clients where those suites ask for nothing, and a program that
// lives on one node while the others are killed. It has no code of its own.
//
// make conformance builds everything and then goes into a network that has nothing but its own loopback, because an Azure SDK that is
// told too little goes looking for Microsoft's hosts. There it runs three nodes of the real program, and the suites through each of
// them, which answers all names that the suites know: vault, login, attestation. What came of it is docs/compatibility.md.
package conformance
