// Package seal holds unseal shares, the root key and the keyring; it seals and opens records.
// Nothing else in this program touches key material at rest, and nothing below vault and node can
// import it.
//
// Keys form one chain, each opening the next:
//
//	shares (any t of n) → scalar → key-encryption key → root key → keyring (term → data key) → records
//	                                                                       (term → signing key)
//
// The types follow the states of a node. Without a [Record] it is uninitialised; with one it is
// sealed and can hold a [Ceremony]; a Ceremony that was given enough shares yields a [Root], and a
// Root unwraps the [Keyring]: unsealed. Closing Root and Keyring seals it again. A node that joins
// begins with a [Lock], and its Ceremony yields an [Opener]: with that it proves that it was given
// shares, and opens the record that it gets in return.
//
// Every byte this package writes is drawn in docs/formats-seal.md; the decisions behind it are in
// DESIGN.md.
package seal
