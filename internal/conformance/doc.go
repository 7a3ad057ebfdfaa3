// Package conformance holds a cluster against the programs that it claims to serve, in its tests:
// Microsoft's own Go suites for keys and secrets, unedited and in live mode, our own calls with the
// same clients where those suites ask for nothing, the clients of others in JavaScript, Python and
// Go, SOPS and auto-unsealing among them, and a program that lives on one node while the others are
// killed. It has no code of its own.
//
// make conformance builds everything and then goes into a network that has nothing but its own
// loopback, because an Azure SDK that is told too little goes looking for Microsoft's hosts. There
// it runs three nodes of the real program, and the suites through each of them, which answers all
// names that the suites know: vault, login, attestation. What came of it is docs/compatibility.md.
//
// Every suite prints what Go's test binaries print, so that one reader does. A guest, which is a
// client that takes what a machine may lack, is left out where it does, and the output and the page
// say why. make test checks of the guests what asks no registry: that they parse, compile, are
// pinned, and that their runners tell what failed.
package conformance
