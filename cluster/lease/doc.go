// Package lease is the protocol by which every node answers reads from its own copy, and still no
// read misses what was acknowledged before it began, on any node.
//
// It uses no clock, lock, goroutine or I/O. A Node is plain data, and each method is one step from
// an event to what the node now holds, grants, waits for and shows. Package cluster gives it
// readings of the clock and of Raft, carries its messages, and decides nothing. internal/leasemodel
// visits every state that small clusters of these nodes can reach.
//
// # The rules
//
// DESIGN.md says what breaks without each, and testdata has a script that plays it. The table says
// where each rule is in the code:
//
//	L1   a lease runs from before the question         Node.Ask, Node.Take
//	L2   a lease ends by the clock and with its term   Lease.covers, Node.Take
//	L3   look, then view; leave within a life          Read.Looked, Fresh
//	L4   none beyond the leader's own                  Table.support, Node.Grant
//	L5   only to who has E and the opening             Node.Grant
//	L6   E waits for every lease in the books          Node.MoveE, Table.enter
//	L7   a new leader waits for older leases           Table.quiet, Promise.older
//	L8   changes of the configuration                  Node.MayChange, Node.Grant, Node.VotersChange
//	L9   what was read is waited for                   Read.Viewed, Read.Shown
//	L10  fenced or not                                 Read.Viewed
//	L11  states are compared before the first lease    Tenure.MayRead, Node.NoteDiffers
//	L12  who delays writes waits                       Node.MoveE, Node.Grant, Table.awaited, crowded
//	L13  how long a lease lasts                        Table.life, Node.Hear
//	L14  clocks that run at nearly the same rate       Clocks.differ, Node.Take
//	O    a term is opened before anybody is served     Opening.Done
//	F1   the leader notes its index first              BeginFence
//	F2   a majority of its voters is in its term       Fence.Hear, Fence.Proves
//	F3   the asker gets there too                      Read.Fenced, Read.Applied
//	F5   nobody joins a round that has begun           Rounds.Join
//
// # Words
//
//	E           the index up to which every node that may serve reads has applied
//	lease       leave to answer from the own copy, in one term, until a moment of the own clock
//	check-in    the one message between member and leader, and its answer
//	token       until when a leader may build on a voter, once the voter has echoed it
//	promise     until when leaders may live on tokens that a voter has echoed
//	support     the leader's own lease: what a majority of its voters has echoed
//	quiet       no lease of an older term can live any more
//	fence       proof by a majority that the leader led after a question came
package lease
