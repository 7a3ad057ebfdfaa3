package testcluster_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// Somebody has the folder of a sealed member, and no share. He may withhold, delay and disturb. He
// changes nothing of what the cluster holds, nobody gets a right by him, and the others say his
// name.

// robbed is the node whose folder is taken.
const robbed = 2

// A scene is a cluster of three with something to steal.
type scene struct {
	c      *testcluster.Cluster
	app    testcluster.App
	nodes  []client // without retries
	thief  *testcluster.Thief
	right  testcluster.Record    // of the application, as the thief found it at first
	key    []testcluster.Record  // likewise, head and version; one transaction made them
	before map[string]fsm.Record // what the cluster held when the thief last looked
	said   int                   // what had been said of him by then
	term   uint64                // the newest by then
	voters string                // and other members by then

	old, newer testcluster.Snapshot // of before and after a revocation, where a test has them
}

// heist runs a test in which a thief has the folder of a sealed member of n. With
// KEYQUORUM_THIEF=processes the members are processes of the program, where nothing is configured.
func heist(
	t *testing.T, n int, test func(t *testing.T, s *scene), configure ...func(int, *node.Config),
) {
	t.Helper()
	switch {
	case os.Getenv("KEYQUORUM_THIEF") != "processes":
		synctest.Test(t, func(t *testing.T) {
			test(t, newScene(t, testcluster.New(t, n, configure...)))
		})
	case configure != nil:
		t.Skip("the program takes no such configuration")
	default:
		test(t, newScene(t, testcluster.Processes(t, n)))
	}
}

// newScene makes a vault in which an application may do everything and has a secret and a key. It
// seals the node that is robbed.
func newScene(t *testing.T, c *testcluster.Cluster) *scene {
	t.Helper()
	s := &scene{c: c}
	c.NewVault("demo")
	s.app = c.NewApp("billing")
	c.Grant(0, "demo", "billing", []string{"all"}, []string{"all"})
	for i := range c.Size() {
		s.nodes = append(s.nodes, s.at(t, i))
	}
	ctx := t.Context()
	value := azsecrets.SetSecretParameters{Value: to.Ptr("v")}
	_, err := s.nodes[0].secrets.SetSecret(ctx, "s", value, nil)
	must(t, err)
	kind := azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}
	_, err = s.nodes[0].keys.CreateKey(ctx, "k", kind, nil)
	must(t, err)
	for i := range s.nodes { // who may do it can do it everywhere, and has its tokens
		must(t, s.read(t, i))
		must(t, s.sign(t, i))
	}
	c.Seal(robbed)
	s.thief = c.Steal(robbed)
	s.right = s.found(t, "/access/", 1)[0]
	s.key = s.found(t, "/key/", 2)
	return s
}

// found are the first versions of n records of a kind in the thief's copy.
func (s *scene) found(t *testing.T, kind string, n int) (records []testcluster.Record) {
	t.Helper()
	for _, path := range s.thief.Loot.Paths("vault/") {
		if strings.Contains(path, kind) {
			first, _ := s.thief.Loot.First(path)
			records = append(records, first)
		}
	}
	if len(records) != n {
		t.Fatalf("the thief finds %d records %s, want %d", len(records), kind, n)
	}
	return records
}

// at makes the application's clients at node i.
func (s *scene) at(t *testing.T, i int) client {
	t.Helper()
	options := azcore.ClientOptions{
		Transport: s.c.Client(i), Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: s.c.LoginURL()},
	}
	credential, err := azidentity.NewClientSecretCredential("adfs", s.app.ClientID, s.app.Secret,
		&azidentity.ClientSecretCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: true,
		})
	must(t, err)
	vault := s.c.VaultURL("demo")
	secrets, err := azsecrets.NewClient(vault, credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	keys, err := azkeys.NewClient(vault, credential, &azkeys.ClientOptions{ClientOptions: options})
	must(t, err)
	return client{secrets, keys}
}

func (s *scene) read(t *testing.T, i int) error {
	_, err := s.nodes[i].secrets.GetSecret(t.Context(), "s", "", nil)
	return err
}

func (s *scene) sign(t *testing.T, i int) error {
	digest := sha256.Sum256([]byte("message"))
	_, err := s.nodes[i].keys.Sign(t.Context(), "k", "", azkeys.SignParameters{
		Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: digest[:],
	}, nil)
	return err
}

// revoke takes the application's right to read away.
func (s *scene) revoke(t *testing.T) {
	t.Helper()
	s.c.Grant(0, "demo", "billing", nil, []string{"list"})
	s.denied(t, s.read, s.thief.Others()...)
	s.look(t)
}

// purge takes the key away for ever.
func (s *scene) purge(t *testing.T) {
	t.Helper()
	_, err := s.nodes[0].keys.DeleteKey(t.Context(), "k", nil)
	must(t, err)
	_, err = s.nodes[0].keys.PurgeDeletedKey(t.Context(), "k", nil)
	must(t, err)
	s.denied(t, s.sign, s.thief.Others()...)
	s.look(t)
}

// look has the thief look into the folder when the sealed member has followed, and notes what the
// cluster holds.
func (s *scene) look(t *testing.T) {
	t.Helper()
	reached := s.c.Digests().Index
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if s.thief.Look(); s.thief.Loot.Last().Index >= reached {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the folder of the sealed node does not get to index %d", reached)
		}
	}
	s.said = len(s.c.Accusations(s.thief.ID))
	s.note(t)
}

// note keeps what the cluster holds.
func (s *scene) note(t *testing.T) {
	t.Helper()
	s.before, s.voters, s.term = s.c.Records(0), s.members(0), s.newestTerm(t)
}

// members are the newest configuration in node i's folder.
func (s *scene) members(i int) string {
	all := s.c.Configurations(i)
	return fmt.Sprint(all[len(all)-1])
}

// newestTerm is the newest that the other members have.
func (s *scene) newestTerm(t *testing.T) uint64 {
	t.Helper()
	now, err := s.thief.Current()
	must(t, err)
	return now.Term
}

// mostTerms is how many elections there may be in a test.
const mostTerms = 100

// denied checks that nodes refuse the application something, and not for want of a leader.
func (s *scene) denied(t *testing.T, use func(*testing.T, int) error, nodes ...int) {
	t.Helper()
	for _, i := range nodes {
		if status := s.answer(t, use, i); status != 403 && status != 404 {
			t.Errorf("node %d answers with %d what was taken away from the application", i, status)
		}
	}
}

// answer is the status of a node's answer, when it answers.
func (s *scene) answer(t *testing.T, use func(*testing.T, int) error, i int) (status int) {
	t.Helper()
	for range 100 {
		err := use(t, i)
		if err == nil {
			return 200
		}
		if refusal := new(azcore.ResponseError); errors.As(err, &refusal) {
			status = refusal.StatusCode
		}
		if status == 403 || status == 404 {
			return status
		}
		time.Sleep(100 * time.Millisecond)
	}
	return status
}

// withstood checks after an attack that the records are what they were, and that the application is
// denied what it was denied; then the thief leaves, and the cluster serves, and again when all
// nodes were started anew.
func (s *scene) withstood(t *testing.T, use func(*testing.T, int) error) {
	t.Helper()
	s.c.Digests()
	s.unharmed(t, use, s.thief.Others()...)
	if term := s.newestTerm(t); term < s.term || term > s.term+mostTerms {
		t.Errorf("term %d follows term %d", term, s.term)
	}
	s.thief.Leave()
	s.c.Settled()
	members := append(s.thief.Others(), robbed)
	s.unharmed(t, use, members...)
	for _, i := range members {
		s.c.Kill(i)
	}
	s.c.Settled()
	s.unharmed(t, use, members...)
	for _, i := range members {
		if status := create(s.c, i, fmt.Sprint("after-it-", i)); status != 200 {
			t.Errorf("afterwards node %d answers a write with %d", i, status)
		}
	}
}

// unharmed checks nodes that are unsealed.
func (s *scene) unharmed(t *testing.T, use func(*testing.T, int) error, nodes ...int) {
	t.Helper()
	for _, i := range nodes {
		for _, difference := range differences(s.before, s.c.Records(i)) {
			t.Errorf("node %d: %s", i, difference)
		}
		if now := s.members(i); now != s.voters {
			t.Errorf("node %d: members were %s, and are %s", i, s.voters, now)
		}
	}
	if use != nil {
		s.denied(t, use, nodes...)
	}
}

func differences(before, after map[string]fsm.Record) (list []string) {
	for path, r := range after {
		switch old, ok := before[path]; {
		case !ok:
			list = append(list, path+" stands, which did not stand")
		case !bytes.Equal(old.Value, r.Value) || old.Logical != r.Logical || old.Mod != r.Mod:
			list = append(list, path+" is another")
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			list = append(list, path+" is gone")
		}
	}
	return list
}

// named checks that one of the others names a thief in a line of its log, who has not been named
// before he looked.
func (s *scene) named(t *testing.T, thief *testcluster.Thief) {
	t.Helper()
	for range 500 {
		lines := s.c.Accusations(thief.ID)
		if thief == s.thief {
			lines = lines[s.said:]
		}
		if len(lines) > 0 {
			t.Log(lines[0])
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("no node says in its log that node %s is at work", thief.ID)
}

// namedToPeople checks that status and metrics name a thief too.
func (s *scene) namedToPeople(t *testing.T, thief *testcluster.Thief) {
	t.Helper()
	var status struct {
		Data struct {
			Accusations []struct {
				Node string `json:"node_id"`
				Deed string `json:"deed"`
			} `json:"accusations"`
		} `json:"data"`
	}
	s.c.Call(0, "GET", "/v1/sys/ha-status", nil, &status)
	if all := status.Data.Accusations; len(all) == 0 || all[0].Node != thief.ID {
		t.Errorf("status accuses %+v, and not node %s", all, thief.ID)
	}
	counted := 0.0
	for _, i := range thief.Others() {
		for _, m := range metricsOf(t, s.c, i)["keyquorum_accusations_total"].GetMetric() {
			counted += m.GetCounter().GetValue()
		}
	}
	if counted == 0 {
		t.Error("no metric counts an accusation")
	}
}

// propose has the thief bring a transaction to the leader.
func (s *scene) propose(t *testing.T, thief *testcluster.Thief, txn testcluster.Txn) {
	t.Helper()
	s.proposeData(t, thief, s.thief.Loot.Dated(txn).Encode())
}

func (s *scene) proposeData(t *testing.T, thief *testcluster.Thief, data []byte) {
	t.Helper()
	outcome, err := thief.Propose(data)
	t.Logf("proposed: %+v, %v", outcome, err)
	if err == nil && outcome.Applied() {
		t.Errorf("what the thief proposed was applied at index %d", outcome.Index)
	}
}

// A1(a). The thief takes away the record that says that the application has no right, and puts back
// the old one.
func TestThiefBringsNoRightBack(t *testing.T) {
	heavy.Test(t)
	for name, revoke := range map[string]func(*scene, *testing.T){
		"cut": (*scene).revoke,
		"deleted": func(s *scene, t *testing.T) {
			s.c.Call(0, "DELETE", "/v1/keyquorum/vaults/demo/grants/billing", nil, nil)
			s.denied(t, s.read, 0, 1)
			s.look(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			heist(t, 3, func(t *testing.T, s *scene) {
				revoke(s, t)
				if _, stands := s.thief.Loot.Now(s.right.Path); stands {
					s.propose(t, s.thief, s.thief.Loot.Delete(s.right.Path))
				}
				s.propose(t, s.thief, testcluster.PutBack(s.right))
				s.named(t, s.thief)
				s.withstood(t, s.read)
			})
		})
	}
}

// A1(b). The thief puts the records of a purged key back.
func TestThiefBringsNoPurgedKeyBack(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.purge(t)
		s.propose(t, s.thief, testcluster.PutBack(s.key...))
		s.named(t, s.thief)
		s.withstood(t, s.sign)
	})
}

// A1(c). A node was removed. With the key of another one the thief takes the mark away; then he
// speaks with the key of the removed node.
func TestThiefBringsNoNodeBack(t *testing.T) {
	heavy.Test(t)
	heist(t, 4, func(t *testing.T, s *scene) {
		s.c.Remove(1)
		removed := s.c.Steal(1)
		s.mustBeRefused(t, removed)
		s.revoke(t)
		mark := testcluster.DirRemoved + removed.ID
		if _, stands := s.thief.Loot.Now(mark); !stands {
			t.Fatal("the thief finds no mark: the test shows nothing")
		}
		s.propose(t, s.thief, s.thief.Loot.Delete(mark))
		s.named(t, s.thief)
		s.mustBeRefused(t, removed)
		s.propose(t, removed, s.thief.Loot.Create("vault/of-the-removed", []byte{1}))
		s.withstood(t, s.read)
		s.mustBeRefused(t, removed)
	})
}

// mustBeRefused checks that nobody hears what somebody asks, by either protocol.
func (s *scene) mustBeRefused(t *testing.T, who *testcluster.Thief) {
	t.Helper()
	s.mustNotBeServed(t, who)
	for _, i := range who.Others() {
		if _, err := who.AskPreVote(i, raft.RequestPreVoteRequest{Term: 1}); err == nil {
			t.Errorf("node %d answers node %s, which is no member, as a peer of Raft", i, who.ID)
		}
	}
}

// mustNotBeServed checks that nobody answers somebody's calls.
func (s *scene) mustNotBeServed(t *testing.T, who *testcluster.Thief) {
	t.Helper()
	for _, i := range who.Others() {
		if err := who.Call(i, "/v1/status", nil); err == nil {
			t.Errorf("node %d answers a call of node %s, which is no member", i, who.ID)
		}
	}
}

// A1(d). One transaction marks all nodes as removed.
func TestThiefRemovesNobody(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		var ids []string
		for _, i := range []int{0, 1, robbed} {
			ids = append(ids, s.c.Steal(i).ID)
		}
		s.propose(t, s.thief, s.thief.Loot.MarkRemoved(ids...))
		s.named(t, s.thief)
		s.withstood(t, s.read)
	})
}

// The thief changes what the shares open, and the members.
func TestThiefLocksNobodyOut(t *testing.T) {
	heavy.Test(t)
	for name, txn := range map[string]func(testcluster.Loot) testcluster.Txn{
		"another seal": func(l testcluster.Loot) testcluster.Txn {
			r, _ := l.Now(testcluster.PathSeal)
			other := bytes.Clone(r.Value)
			other[len(other)-1] ^= 1
			return l.Replace(testcluster.PathSeal, other)
		},
		"no seal":      without(testcluster.PathSeal),
		"no keyring":   without(testcluster.PathKeyring),
		"no authority": without(testcluster.PathCA),
		"the same keyring again": func(l testcluster.Loot) testcluster.Txn {
			r, _ := l.Now(testcluster.PathKeyring)
			return l.Replace(testcluster.PathKeyring, r.Value)
		},
		"the mark of a node that never was": func(l testcluster.Loot) testcluster.Txn {
			return l.MarkRemoved(strings.Repeat("ab", 16))
		},
	} {
		t.Run(name, func(t *testing.T) {
			heist(t, 3, func(t *testing.T, s *scene) {
				s.revoke(t)
				s.propose(t, s.thief, txn(s.thief.Loot))
				s.named(t, s.thief)
				s.withstood(t, s.read)
			})
		})
	}
}

func without(path string) func(testcluster.Loot) testcluster.Txn {
	return func(l testcluster.Loot) testcluster.Txn { return l.Delete(path) }
}

// What he signs himself nobody signed, whatever it is; nor is what he sends under a signature that
// was made for something else.
func TestThiefSignsNothing(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		for name, data := range s.made(t) {
			t.Log(name)
			s.proposeData(t, s.thief, data)
		}
		s.named(t, s.thief)
		s.namedToPeople(t, s.thief)
		s.withstood(t, s.read)
	})
}

// made are the entries that he can make: each transaction with each signature.
func (s *scene) made(t *testing.T) map[string][]byte {
	t.Helper()
	l := s.thief.Loot
	term, signed, gone := s.keyTerm(t), s.lastSigned(t), s.c.Steal(1).ID
	own, next := testcluster.NewImpostorKey(term), testcluster.NewImpostorKey(term+1)
	all := map[string][]byte{}
	for name, txn := range map[string]testcluster.Txn{
		"a deletion":       l.Delete(s.right.Path),
		"an old record":    testcluster.PutBack(s.right),
		"another cluster":  l.FoundAgain(own),
		"his key":          l.Rotate(next),
		"a member less":    l.ChangeMembers(except(gone), gone),
		"a checkpoint":     l.Checkpoint(),
		"a mark":           l.MarkRemoved(gone),
		"a seal of his":    l.Replace(testcluster.PathSeal, []byte{1}),
		"a keyring of his": l.Replace(testcluster.PathKeyring, []byte{1}),
	} {
		txn = l.Dated(txn)
		all[name+" with no signature"] = txn.Encode()
		all[name+" with another's signature"] = txn.Borrow(signed)
		all[name+" with his signature"] = s.signed(t, txn, own)
		all[name+" with that of the next term"] = s.signed(t, txn, next)
	}
	return all
}

func except(id string) func(fsm.Members) fsm.Members {
	return func(m fsm.Members) fsm.Members { return m.Without(id) }
}

// keyTerm is the newest term of the transaction keys.
func (s *scene) keyTerm(t *testing.T) uint32 {
	t.Helper()
	line, err := fsm.DecodeLine(s.before[testcluster.PathKeys].Value)
	must(t, err)
	return line.Newest().Term
}

// lastSigned is the newest entry that an unsealed member signed.
func (s *scene) lastSigned(t *testing.T) []byte {
	t.Helper()
	all := s.thief.Loot.Signed()
	if len(all) == 0 {
		t.Fatal("the thief finds nothing that is signed: the test shows nothing")
	}
	return all[len(all)-1]
}

func (s *scene) signed(t *testing.T, txn testcluster.Txn, by fsm.Signer) []byte {
	t.Helper()
	data, err := txn.SignedBy(by)
	must(t, err)
	return data
}

// What an unsealed member signed he can bring again. It was applied then, and is not now.
func TestThiefRepeatsNothing(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		for _, data := range s.thief.Loot.Signed() {
			_, _ = s.thief.Propose(data)
		}
		claim := s.claim(t)
		var again []raft.Log
		for _, data := range s.thief.Loot.Signed() {
			again = append(again, raft.Log{Type: raft.LogCommand, Data: data})
		}
		s.order(t, claim, again...)
		s.withstood(t, s.read)
	})
}

// A transaction was signed, and the thief, who was to order it, kept it. He brings it when others
// were decided after it.
func TestThiefBringsNothingTooLate(t *testing.T) {
	heavy.Test(t)
	for name, late := range map[string]func(*scene) testcluster.Txn{
		"where something stood meanwhile": func(s *scene) testcluster.Txn {
			return testcluster.PutBack(s.right)
		},
		"in the place of what was deleted": func(s *scene) testcluster.Txn {
			return s.thief.Loot.Replace(s.right.Path, s.right.Value)
		},
	} {
		t.Run(name, func(t *testing.T) {
			heist(t, 3, func(t *testing.T, s *scene) {
				keyring := s.c.Keyring(0)
				if _, stands := s.thief.Loot.Now(s.right.Path); !stands {
					t.Fatal("the thief finds no right: the test shows nothing")
				}
				data := s.signed(t, s.thief.Loot.Dated(late(s)), keyring)
				s.c.Call(0, "DELETE", "/v1/keyquorum/vaults/demo/grants/billing", nil, nil)
				s.denied(t, s.read, 0, 1)
				s.look(t)
				s.proposeData(t, s.thief, data)
				s.order(t, s.claim(t), raft.Log{Type: raft.LogCommand, Data: data})
				s.withstood(t, s.read)
			})
		})
	}
}

// Nor does he bring what was signed under a transaction key that has a successor by now.
func TestThiefBringsNothingOfAnOldKey(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		old := s.c.Keyring(0)
		s.revoke(t)
		s.c.Call(0, "PUT", "/v1/sys/rotate", nil, nil)
		s.look(t)
		now, _ := s.thief.Loot.Now(s.right.Path)
		for name, txn := range map[string]testcluster.Txn{
			"a record":   s.thief.Loot.Replace(s.right.Path, s.right.Value),
			"a deletion": s.thief.Loot.Delete(now.Path),
			"members":    s.thief.Loot.ChangeMembers(except(s.thief.ID), s.thief.ID),
			"a keyring":  s.thief.Loot.Rotate(testcluster.NewImpostorKey(s.keyTerm(t) + 1)),
		} {
			t.Log(name)
			s.proposeData(t, s.thief, s.signed(t, s.thief.Loot.Dated(txn), old))
		}
		s.withstood(t, s.read)
	})
}

// Members are changed by who is unsealed. The thief says who is one, gives orders to the leader,
// and says where he is.
func TestThiefChangesNoMember(t *testing.T) {
	heavy.Test(t)
	nobody := fsm.Member{ID: strings.Repeat("ab", 16), Address: "thief:8201"}
	for name, change := range map[string]func(l testcluster.Loot, other string) testcluster.Txn{
		"adds a node": func(l testcluster.Loot, _ string) testcluster.Txn {
			return l.ChangeMembers(func(m fsm.Members) fsm.Members { return m.With(nobody) })
		},
		"removes a node": func(l testcluster.Loot, other string) testcluster.Txn {
			return l.ChangeMembers(except(other), other)
		},
		"moves a node": func(l testcluster.Loot, other string) testcluster.Txn {
			return l.ChangeMembers(func(m fsm.Members) fsm.Members {
				moved, _ := m.Find(other)
				moved.Address = nobody.Address
				return m.With(moved)
			})
		},
		"has another key for a node": func(l testcluster.Loot, other string) testcluster.Txn {
			return l.ChangeMembers(func(m fsm.Members) fsm.Members {
				robbed, _ := m.Find(other)
				robbed.Keys = [][]byte{make([]byte, sha256.Size)}
				return m.With(robbed)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			heist(t, 3, func(t *testing.T, s *scene) {
				s.revoke(t)
				before := s.c.Configurations(0)
				s.propose(t, s.thief, change(s.thief.Loot, s.c.Steal((s.c.Leader()+1)%2).ID))
				s.named(t, s.thief)
				if after := s.c.Configurations(0); len(after) != len(before) {
					t.Errorf("there are %d configurations more: %v", len(after)-len(before), after)
				}
				s.withstood(t, s.read)
			})
		})
	}
}

// Orders to the leader are signed too.
func TestThiefOrdersNothing(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		leader := s.c.Leader()
		foreign := s.lastSigned(t)[4:testcluster.VersionAt]
		for _, err := range s.thief.ObeyMe(s.c.Steal(1-leader).ID, foreign) {
			if err == nil {
				t.Error("the leader obeyed")
			}
		}
		if now := s.c.Leader(); now != leader {
			t.Errorf("node %d leads, and node %d did", now, leader)
		}
		s.named(t, s.thief)
		s.withstood(t, s.read)
	})
}

// He says that he is elsewhere, and where others are. He is where he was, and they too.
func TestThiefMovesNobody(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		for _, address := range []string{"thief:8201", s.address(t, 1), "", "nowhere"} {
			s.call("/v1/address", [][]any{{address}})
		}
		if status := create(s.c, 0, "while-he-is-elsewhere"); status != 200 {
			t.Errorf("a write is answered with %d", status)
		}
		s.c.Digests() // that of the sealed node too
		s.look(t)
		s.withstood(t, s.read)
	})
}

// address is that of node i's cluster port.
func (s *scene) address(t *testing.T, i int) string {
	t.Helper()
	m, ok := s.thief.Loot.Members().Find(s.c.Steal(i).ID)
	if !ok {
		t.Fatalf("node %d is no member", i)
	}
	return m.Address
}

// Nothing comes of what he says of himself and of others, but that he is not trusted.
func TestThiefTellsLies(t *testing.T) {
	heavy.Test(t)
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		before := s.c.Configurations(0)
		s.thief.TellLies(s.c.Steal(1).ID)
		if after := s.c.Configurations(0); len(after) != len(before) {
			t.Errorf("there are %d configurations more", len(after)-len(before))
		}
		s.withstood(t, s.read)
	})
}

// call makes calls at all others, one after the other.
func (s *scene) call(path string, all [][]any) {
	for _, members := range all {
		for _, i := range s.thief.Others() {
			_ = s.thief.Call(i, path, nil, members...)
		}
	}
}

// Who has a certificate of the cluster and is no member of it, such as one that was admitted and
// never came, makes no calls and gets no votes. As a peer of Raft he is heard: who was away for
// long does not know everybody. He achieves no more than a thief.
func TestStrangersAreNotHeard(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		stranger := s.c.Stranger()
		s.mustNotBeServed(t, stranger)
		s.propose(t, stranger, testcluster.PutBack(s.key...))
		s.propose(t, stranger, s.thief.Loot.Create("vault/of-a-stranger", []byte{1}))
		now := s.current(t)
		for _, i := range s.thief.Others() {
			granted, err := stranger.AskVote(i, raft.RequestVoteRequest{
				Term: now.Term + 1, Candidate: []byte(stranger.ID), LeadershipTransfer: true,
				LastLogIndex: now.Last + 1000, LastLogTerm: now.Term,
			})
			t.Logf("node %d: %v, %v", i, granted, err)
			if granted {
				t.Errorf("node %d gives its vote to who is no member", i)
			}
		}
		now.Term += 2
		s.order(t, now.Of(stranger), s.forged()...)
		s.named(t, stranger)
		s.withstood(t, s.read)
	})
}

// A certificate for a member's id with another key than the one that was signed for is worth
// nothing.
func TestKeysArePinned(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		double := s.c.Double(1)
		if _, err := double.Current(); err == nil {
			t.Error("somebody answers who has a member's name and not its key")
		}
		s.mustBeRefused(t, double)
		s.named(t, double)
		s.withstood(t, s.read)
	})
}

// A thief at work as a fault leaves a cluster that comes together again.
func TestThiefIsAFault(t *testing.T) {
	heavy.Test(t)
	for name, removed := range map[string]bool{"of a sealed node": false, "of a removed node": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
				create(c, 0, "before")
				if removed {
					c.Remove(c.AddVoter())
				}
				held := c.Settled()
				for dices := range uint64(4) {
					c.Burgle(int(dices)%3, rand.New(rand.NewPCG(dices, 0)))
					time.Sleep(10 * time.Second)
					c.Whole()
				}
				if now := c.Settled(); now.NodeID == "" || now.Index < held.Index {
					t.Errorf("it held %+v, and holds %+v", held, now)
				}
				if status := create(c, 1, "after"); status != 200 {
					t.Errorf("afterwards it answers a write with %d", status)
				}
			})
		})
	}
}
