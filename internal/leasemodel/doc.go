// Package leasemodel checks read leases: it goes through every state that a small group can get
// into and looks at every answer. The group's nodes are those that ship: each holds a lease.Node
// (cluster/lease), reads are lease.Read, fences lease.Fence, and a step feeds them with what
// package cluster would. The model has of its own what is not the protocol: Raft's terms, votes and
// logs, the state machine's index, messages on their way, true time, and what was acknowledged or
// shown.
//
// With all rules in force nothing may be wrong (run). With one rule edited out of the core there
// must be something wrong, and the shortest way to it is printed (rules): that is what the rule is
// for. docs/lease-model.md has the results.
//
// # What the world is
//
// Two to four nodes, some of which vote; terms, elections, entries; one read on each node, under a
// lease or behind a fence. Time is counted in ticks. A step (type Step) happens whole, and between
// any two steps anything else may happen, so each step can come arbitrarily late: that is what
// pauses, slow networks and late goroutines do. A node may crash and come back with its state at an
// older index; a leader may be deposed without hearing of it; one clock may be slow, as far as the
// margin allows. No two clocks show the same.
//
// # What is wrong
//
// From the moment in which a write is acknowledged, or an answer shows something, no read that
// begins may miss it, and what a read shows must be one state of the log. Where the setup is
// timely, an answer must also not miss what was acknowledged more than a lease ago, even if the
// read began before that. And from each state that is tried (lively.go) the group must be able to
// go on, with everybody or with one node away: E gets to the end of the log, who serves gets a
// lease, the leader may change the configuration.
//
// # What is left out, and why that hides nothing
//
// Where several orders are possible, the model keeps the adverse one.
//
//   - A majority of the voters checks in twice in one step (confirm), so that its tokens come back.
//     Terms only grow, so voters that were in a term one after the other were not in a higher one
//     when the question was sent; and who checks in earlier promises less for the same support.
//     Each of the smallest majorities is tried. Other tokens that a node is given are not echoed,
//     and what it promises for them is not noted.
//   - A question for a lease is heard when it is made. A node that asked earlier would report less
//     and count longer. Where the setup says AtOnce the answer has arrived, too: on its way it
//     could only lose time, or be dropped.
//   - Reports, that a node has entered a term or applied an entry, arrive at once, and so does E.
//     Late, they say less than the truth, so that E moves later and answers wait longer. A leader
//     hears of E from nobody. Only a report from before a restart says more: it is in the books.
//   - E is moved by a report, or later, by itself. Whoever moves it acknowledges at once: nobody
//     who waits for it can do so earlier.
//   - A term is opened, and quiet is noted, as soon as may be: neither keeps anything from
//     happening. Its leader then checks in with itself.
//   - A step uses one reading of the node at that moment. Of older readings one matters: a leader
//     that was deposed moves E by what it had applied just before (frozen), for as long as it
//     likes.
//   - Without logs an entry is committed when it is proposed. Any node may apply it at any time
//     later, so slow replication is among the schedules.
//   - In worlds that are not timely an answer leaves as if its look were fresh, however late it is.
//   - Clocks are not compared (Limits.MaxDrift), nobody is kept from a lease for being late (L12):
//     a lease that is refused is one that is not asked for.
//   - What nothing depends on any more is forgotten (forget.go), and two nodes that nothing tells
//     apart but what has happened are twins (key.go): of two states that differ in who of them is
//     who, one is followed. The tests compare searches with and without both.
package leasemodel
