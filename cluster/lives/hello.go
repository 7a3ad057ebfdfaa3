package lives

// A Said is what a member said of itself in one hello.
type Said struct {
	_                    struct{} `cbor:",toarray"`
	Life                 ID
	Beat                 uint64   // counts the hellos of a life
	Term                 uint64   // Raft's
	Applied, AppliedTerm uint64   // the newest entry that the state has, and its term
	Rival                [16]byte // a later life that wants to begin meanwhile; zero for none
	Out                  Word     // the deed for which it takes no part any more; "" while it does
	Tag                  [32]byte // Diary.tag of the rest
}

// A Hello is what a member sends.
type Hello struct {
	_       struct{} `cbor:",toarray"`
	Said    Said
	Lives   Lives
	Address string // of the asker's cluster port: who is asked must be able to say hello as well
}

// An Answer is what it gets.
type Answer struct {
	_     struct{} `cbor:",toarray"`
	Word  Word     // "" is yes; Wait, or the deed that the asker is refused for
	Heard Said     // the newest that was heard of the asker's node
	Rival Said     // of a later life that wants to begin while the asker's goes on; zero for none
}

// A Word is what a hello is refused with. Those but Wait are deeds of a disk.
type Word string

// The words of hellos.
const (
	Wait       Word = "wait"          // the life before is heard of yet; it may have ended just now
	PutBack    Word = "disk-put-back" // the folder is from an earlier moment
	Copied     Word = "copied-folder" // another process runs on the folder that this one copies
	RolledBack Word = "rolled-back"   // the machine was set back in the middle of a life
)

// WellFormed: its life is the newest of its lives, and the one that the connection shows, if that
// shows one.
func (h Hello) WellFormed(shown ID) bool {
	return h.Lives.wellFormed() && h.Lives.Now() == h.Said.Life &&
		(shown == ID{} || shown == h.Said.Life) && (h.Said.Out == "" || h.Said.Out.isDeed())
}

func (w Word) isDeed() bool { return w == PutBack || w == Copied || w == RolledBack }
