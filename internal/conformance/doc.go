// Package conformance tests a cluster with the programs that it claims to serve. These are
// Microsoft's own Go suites for keys and secrets, unedited and in live mode; our own calls with the
// same clients where those suites have none; other people's clients in JavaScript, Python and Go,
// SOPS and auto-unsealing among them; and a program that works on one node while the others are
// killed. It has no code of its own.
//
// make conformance builds everything and then goes into a network that has only its own loopback,
// because an Azure SDK that is told too little asks Microsoft's hosts. There it runs three nodes of
// the real program, and the suites through each of them. The node answers all names that the suites
// know: vault, login, attestation. docs/compatibility.md is the result.
//
// Every suite prints what Go's test binaries print, so that one parser is enough. A guest is a
// client that needs something which a machine may lack. Then it is left out, and the output and the
// page say why. make test checks of the guests what needs no registry: that they parse, compile,
// are pinned, and that their runners tell what failed.
package conformance
