package main

// Rules are the rules that hold a thief off. Each can be taken out, to see what it is for.
type Rules struct {
	// Entries, as every state machine takes them.
	Signed       bool `says:"what no key of the line signed changes nothing"`
	NewestKey    bool `says:"of the line only the newest key signs"`
	Reserved     bool `says:"a reserved record is written by its verb and by no other"`
	Tombstones   bool `says:"nobody puts a record where one was deleted after his base"`
	TooOld       bool `says:"a base from before the window is not heard, nor one from the future"`
	FirstOutcome bool `says:"the first outcome of an id stays its outcome"`
	SamePast     bool `says:"a transaction counts where its base, with its digest, is in the past"`

	// Members.
	Configuration bool `says:"a configuration of Raft is taken if it is what the members say"`
	OneChange     bool `says:"members change when Raft has followed the last change"`
	Marks         bool `says:"a mark that was seen once holds, whatever the state says later"`
	Pinned        bool `says:"a member is heard under the keys that were signed for"`
	MembersCall   bool `says:"calls are served to members only"`
	SenderNamed   bool `says:"who sends is who the certificate names"`
	Authors       bool `says:"only what nobody else can have made is held against a sender"`

	// What is committed stays.
	AppliedStays bool `says:"nothing takes the place of an entry that was applied"`
	Floor        bool `says:"how far a member has applied is on its disk before it shows that"`
	UpToFloor    bool `says:"after a restart nothing is shown or signed below that"`
	PortWaits    bool `says:"nor is anybody heard"`

	// Snapshots.
	Vouched      bool `says:"the state in a snapshot has a digest that somebody signed"`
	NotOlder     bool `says:"a snapshot reaches as far as the member that takes it"`
	Continues    bool `says:"and the member's own state is in its past"`
	PastInState  bool `says:"a state holds the digests of its past, as far back as the window"`
	Endorsed     bool `says:"its line of keys goes on from the member's, each endorsed by the last"`
	NewestVouch  bool `says:"it is vouched for under the newest key that the member knows"`
	RequestAgree bool `says:"the configuration in the request is the one in the state"`

	// A member that begins with nothing.
	Anchor      bool `says:"a cluster is founded by the key at which the member's anchor begins"`
	KnownKeys   bool `says:"a member that knows of a newer key than its state has shows nothing"`
	AnchorState bool `says:"nor one whose past lacks the state that its sponsor had"`

	// What is found out, and what is said.
	BaseDigest bool `says:"a base that is not in the past, with its digest, is suspect"`
	NewerKey   bool `says:"so is a transaction under a key that the line does not have yet"`
	OwnAnswer  bool `says:"what became of a transaction is read from the own state"`
}
