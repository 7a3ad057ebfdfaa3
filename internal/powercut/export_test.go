package powercut

// JournalOf is where the journal of a file lies.
var JournalOf = journalOf
