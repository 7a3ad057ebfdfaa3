package fsm

// An ID names a transaction: 16 random bytes chosen by the proposer. The first outcome of an ID is its outcome for ever.
type ID [16]byte

// NewID draws a random ID.
func NewID() ID { panic("not built yet") }

// A ConditionKind says what a Condition asks of the state.
type ConditionKind uint8

const (
	// Unchanged holds when the record at Path exists and its mod index is Index.
	Unchanged ConditionKind = 1
	// Absent holds when there is no record at Path.
	Absent ConditionKind = 2
	// DirUnchanged holds when nothing below the directory Path (which ends in '/') was created or deleted after Index.
	DirUnchanged ConditionKind = 3
)

// A Condition is something that must still be true when the transaction is applied.
type Condition struct {
	Kind  ConditionKind
	Path  string
	Index uint64 // mod index (Unchanged) or view index (DirUnchanged); 0 for Absent
}

// A Write puts Value at Path with the logical version it was sealed for, or deletes Path.
// A put needs a condition on its own path: Logical is that condition's Index, or the transaction's Base for an Absent one.
type Write struct {
	Path    string
	Delete  bool
	Logical uint64
	Value   []byte
}

// A Txn is the only command of the state machine: it applies wholly, if every condition holds, or not at all.
type Txn struct {
	ID         ID
	Base       uint64 // index of the view it was decided on
	Generation uint64 // restore generation of that view
	Conditions []Condition
	Writes     []Write
}

// Limits of one transaction (encoded bytes, conditions, writes) and of the id window (log indexes).
const (
	MaxTxnBytes   = 1 << 20
	MaxConditions = 64
	MaxWrites     = 64
	IDWindow      = 65536
)

// An OutcomeKind says what became of a transaction.
type OutcomeKind uint8

const (
	Applied         OutcomeKind = 1
	Conflict        OutcomeKind = 2 // a condition failed: Path, At
	TooOld          OutcomeKind = 3 // its base is beyond the id window
	WrongGeneration OutcomeKind = 4 // the state was restored since its view
)

// An Outcome is what the state machine did with a transaction, the same on every node.
type Outcome struct {
	Kind  OutcomeKind
	Index uint64 // log index at which it was decided first
	Path  string // the path of the first condition that failed, with Conflict
	At    uint64 // the index to wait for before deciding again, with Conflict
}
