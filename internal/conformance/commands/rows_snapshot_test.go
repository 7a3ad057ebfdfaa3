package commands_test

import (
	"bytes"
	"fmt"
	"net/http"
)

// snapshotRows save a file and go back to it.
func snapshotRows() []command {
	return []command{
		{name: "operator raft snapshot save FILE", note: "what the node that is asked holds",
			steps: []step{
				{asks: "GET storage/raft/snapshot", call: save, answers: prints{"": judge(some)},
					keep: func(s *scene, answer any) { s.snapshot = answer.([]byte) }},
			}},
		restoreRow(""),
		{name: "operator raft snapshot restore FILE (half of one)", steps: []step{
			{asks: "POST storage/raft/snapshot", call: restore(false, (*scene).half),
				answers: refusal{400, "Nothing was restored"}},
		}},
		{name: "operator raft snapshot restore -force FILE", steps: []step{
			{asks: "POST storage/raft/snapshot-force", call: restore(true, (*scene).saved),
				answers: refusal{501, "keyquorum operator recover makes a new cluster of the file"}},
		}},
	}
}

// ofBefore is the file that is restored when the shares have changed since.
const ofBefore = " (of before a rekey)"

// restoreRow goes back to the file that was saved, from a state with a vault that the file has not.
func restoreRow(when string) command {
	return command{name: "operator raft snapshot restore FILE" + when,
		note: "members, shares and operators' tokens stay those of now",
		steps: []step{{asks: "POST storage/raft/snapshot",
			call: func(s *scene, at session) (any, error) {
				s.newVault()
				return restore(false, (*scene).saved)(s, at)
			},
			then: (*scene).newVaultGone}}}
}

func restore(force bool, file func(*scene) []byte) call {
	return func(s *scene, at session) (any, error) {
		if at.bao != nil {
			return nil, at.bao.Sys().RaftSnapshotRestore(bytes.NewReader(file(s)), force)
		}
		return nil, at.vault.Sys().RaftSnapshotRestore(bytes.NewReader(file(s)), force)
	}
}

func (s *scene) saved() []byte { return s.snapshot }

func (s *scene) half() []byte { return s.snapshot[:len(s.snapshot)/2] }

// newVault makes a vault that is in no file.
func (s *scene) newVault() {
	s.made++
	name := fmt.Sprintf("made%d", s.made)
	s.vault = "/v1/keyquorum/vaults/" + name
	s.c.Call(s.other, "POST", "/v1/keyquorum/vaults", map[string]string{"name": name}, nil)
}

// newVaultGone: a restore is in force on every node when it is answered.
func (s *scene) newVaultGone() error {
	for i := range spares {
		if status := s.c.Status(i, "GET", s.vault, nil); status != http.StatusNotFound {
			return fmt.Errorf("node %d answers %d for a vault that came after the snapshot", i, status)
		}
	}
	return nil
}

// save is whole or an error: both clients look for the last member of the file.
func save(_ *scene, at session) (any, error) {
	var file bytes.Buffer
	var err error
	if at.bao != nil {
		err = at.bao.Sys().RaftSnapshot(&file)
	} else {
		err = at.vault.Sys().RaftSnapshot(&file)
	}
	return file.Bytes(), err
}
