package main

import "keyquorum/internal/statespace"

// Rules are the rules of the protocol. Each can be taken out, to see what it is for.
type Rules struct {
	// Reading.
	LookBeforeView  bool `says:"a read looks at its lease before it takes its view"`
	ClockNotTimer   bool `says:"the look compares clocks; no timer clears a flag"`
	LastLook        bool `says:"an answer leaves within one lease of the look"`
	LeaseReadsWait  bool `says:"a read under a lease waits until E has reached the last change of what it shows"`
	FencedReadsWait bool `says:"so does a fenced read: a fence carries E"`
	MissesWait      bool `says:"so does a miss or a refusal, for the deletion that it comes from"`
	MapBeforeView   bool `says:"a change is in the map of recent changes before it can be seen"`
	Floor           bool `says:"after a restart everything counts as changed at the state's index"`
	OneView         bool `says:"a listing takes everything from one view"`

	// Fences and majorities.
	NoLateJoin  bool `says:"a reader joins no fence that was sent before it came"`
	OpenedFence bool `says:"a leader answers a fence when its FSM has passed the opening of its term"`
	VotersOnly  bool `says:"only voters make a majority"`

	// The leader's own lease.
	OpenedLease  bool `says:"the leader's lease counts when its FSM has passed the opening of its term"`
	FromQuestion bool `says:"the leader's lease runs from before its question, not from the answers"`

	// Grants.
	UnderOwnLease  bool `says:"a leader grants only while it has its own lease"`
	WithinOwnLease bool `says:"and nothing that outlives it"`
	AtE            bool `says:"a lease goes to a node that has got to E"`
	AtOpening      bool `says:"and to what the leader had when its term was opened"`
	OneLock        bool `says:"granting and moving E exclude each other"`
	Committed      bool `says:"a lease goes to a member of a committed configuration"`
	FromAsking     bool `says:"the node counts from before it asked, not from the answer"`
	TermAtGrant    bool `says:"terms are compared when a lease is asked for"`
	TermAtReceipt  bool `says:"terms are compared when it arrives"`
	TermAtLook     bool `says:"terms are compared when it is used"`

	// Moving E.
	HoldersCount bool `says:"E waits for everybody whose lease is not over"`
	Margin       bool `says:"the leader counts a lease a margin longer than its holder"`
	Frozen       bool `says:"a deposed leader moves E no further than it had applied in its term"`
	OfThisLife   bool `says:"a report counts for the lease under which it was made, not for one after a restart"`

	// The new leader.
	NewLeaderWaits   bool `says:"a new leader moves no E before older leases are over"`
	OldLeaderToo     bool `says:"if it asks everybody instead of waiting, it asks the leaders before it too"`
	MajorityAnswered bool `says:"it waits for the latest answer within a majority, not for its own alone"`
	RestartAnswers   bool `says:"a voter that restarted reports its start as an answer"`

	// Changes of the configuration.
	WaitBeforeChange bool `says:"a new leader changes no configuration before its wait is over"`
	OverBeforeLeave  bool `says:"a node's lease is over before its removal is proposed"`
	NoneOnceLeaving  bool `says:"and it gets none afterwards"`
	NotItself        bool `says:"a leader does not remove itself; it hands its office over first"`

	// When holders report what they have stored.
	StoredInTerm    bool `says:"what is stored counts when its last entry is of the leader's term"`
	StoredPathsWait bool `says:"a read waits for stored entries that change what it shows"`
	MarksBeforeView bool `says:"it looks for them before it takes its view"`
	MarksFromLog    bool `says:"after a restart they are found in the log again"`
}

// all is the protocol.
func all() Rules { return statespace.AllBut[Rules]() }

// allBut is the protocol without a rule, or all of it without a name.
func allBut(name string) Rules {
	if name == "" {
		return all()
	}
	return statespace.AllBut[Rules](name)
}

// says is what a rule says.
func says(name string) string { return statespace.Says[Rules](name) }
