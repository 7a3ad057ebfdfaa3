package cluster

import (
	"fmt"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/storage"
)

// Found writes what a new cluster's log begins with into an empty store: the founding transaction,
// signed, and the configuration that the members in it ask for; both of term 1 (decision 16). Raft
// must not have been started on it.
func Found(store *storage.Store, founding []byte) error {
	txn, err := fsm.DecodeTxn(founding)
	if err != nil {
		return err
	}
	var configuration raft.Configuration
	for _, w := range txn.Writes {
		if w.Path != fsm.PathMembers {
			continue
		}
		members, err := fsm.DecodeMembers(w.Value)
		if err != nil {
			return err
		}
		configuration = members.Configuration()
	}
	if len(configuration.Servers) == 0 {
		return fmt.Errorf("cluster: nobody is a member")
	}
	if err := store.Stable().SetUint64([]byte("CurrentTerm"), 1); err != nil {
		return err
	}
	return store.Logs().StoreLogs([]*raft.Log{
		{Index: 1, Term: 1, Type: raft.LogCommand, Data: founding},
		{Index: 2, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(configuration)},
	})
}
