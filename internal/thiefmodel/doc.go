// Command thiefmodel checks the protocol of signed transactions against a thief: it goes through
// every world that a few members and he can get into. With all rules in force nothing may be
// wrong. With one rule taken out something must be, and the shortest way to it is printed: that is
// what the rule is for. docs/thief-model.md has the results, and what is modelled.
//
// # What the world is
//
// Two or three honest members, who sign once they are unsealed, and the thief, who has the key and
// the disk of one more, a sealed one. A member is its state, how far it has applied by its own
// disk, and what it must not forget. A state is the history that leads to it, entry by entry
// (history.go), so a digest is a history. An entry is a transaction, decided on a history, or a
// configuration, or junk (entries.go). An event happens whole, and any other may come in between,
// so each comes arbitrarily late.
//
// # What is left out, and why that hides nothing
//
//   - Terms and elections. A follower believes whoever claims a higher term and a commit index,
//     so the thief leads whenever he likes, for one member at a time, with any log. What an
//     honest leader sends is among what he may send; where he is not heard any more, honest
//     leaders lead. Entries in a log that are not committed are left out with them: he can
//     replace those as he likes.
//   - His disk. He has every transaction that was ever signed, at once, and every state that
//     anybody vouched for, which is more than any copy of a disk holds.
//   - The network. He learns everything, and nobody learns anything before he lets it through.
//   - Indexes that no state machine is sent (entries that begin a term) are gaps, and he may
//     leave any.
//   - Reads, leases and fences. He grants whatever a lying leader grants, so a member shows its
//     state at any moment, unless it has a reason of its own not to.
//   - Seals. A member that may sign may do so at any moment, and what a sealed one would show
//     counts, for it may be unsealed.
//   - A member's own snapshots. It restarts in the first state after the founding, as if it had
//     taken none, and replays its log.
//   - The tail of a snapshot has at most one entry before the one that vouches. What may follow
//     is given by other events.
//   - Signatures, digests and certificates are what they should be: nobody forges one.
package main
