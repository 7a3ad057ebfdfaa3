// Command leasemodel checks the protocol of read leases: it goes through every state that a small world can get into and
// looks at every answer. With all rules in force no answer may be wrong. With one rule taken out there must be a wrong
// one, and the shortest way to it is printed: that is what the rule is for. docs/lease-model.md has the results.
//
// # What the world is
//
// Two to four nodes, some of which vote; terms, elections, entries; one lease of the leader's own and one for each other
// node; E, the index up to which everybody who may answer has applied; reads under a lease or behind a fence. Time is counted
// in ticks. A step (type Step) happens whole, and between any two steps anything else may happen, so each step can come
// arbitrarily late: that is what pauses, slow networks and late goroutines do. A node may crash and come back with its
// state at an older index; a leader may be deposed without hearing of it; one clock may be slow, as far as the margin allows.
//
// # What is wrong
//
// From the moment in which a write is acknowledged, or an answer shows something, no read that begins may miss it, and
// what a read shows must be one state of the log. Where the setup is timely, an answer must also not miss what was
// acknowledged more than a lease ago, even if the read began before that.
//
// # What is left out, and why that hides nothing
//
// Where several orders are possible, the model keeps the adverse one.
//
//   - A majority answers in one step. Terms only grow, so voters that were in a term one after the other were not in a
//     higher one when the question was sent. Each of the smallest majorities is tried.
//   - A node asks for a lease and is granted it in one step. A node that asked earlier would report less and count longer.
//     Where the setup says AtOnce the grant has arrived, too: on its way it could only lose time, or be dropped.
//   - Reports and E arrive at once. Late, they say less than the truth, so that E moves later and answers wait longer. Only a
//     report from before a restart says more: that is the rule OfThisLife.
//   - E's mover acknowledges at once: nobody who waits for it can do so earlier.
//   - Without logs an entry is committed when it is proposed. Any node may apply it at any time later, so slow replication
//     is among the schedules.
//   - The voters' silence and the new leader's wait are counted in true time. Slow clocks would only make it wait longer.
//   - A read that has got all that it must not miss is not followed (forget.go). E has reached what it shows, so its answer
//     changes nothing.
package main
