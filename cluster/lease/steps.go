package lease

import "time"

// Steps are all that can happen to a Node. A Node is one; package trace has another that keeps what
// it was told, and hands it on.
type Steps interface {
	Ask(r Reading, serves bool, trip time.Duration) CheckIn
	Take(asked, r Reading, serves bool, c CheckIn, a Answer) (leased bool)
	GiveBack()
	NoteCompared()
	NoteDiffers()
	Settled(index uint64, changed bool)

	Elected(r Reading, members []Server)
	Opened(r Reading)
	Hear(r Reading, from string, c CheckIn) bool
	Grant(r Reading, from string, c CheckIn, servers []Server, member bool) (Answer, Verdict)
	MoveE(r Reading)
	MayChange(r Reading, kind Change, node string) bool
	VotersChange(r Reading)
}

var _ Steps = (*Node)(nil)
