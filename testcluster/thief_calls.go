package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"keyquorum/fsm"
	"keyquorum/internal/release"
)

// thiefWait bounds whatever the thief asks.
const thiefWait = 10 * time.Second

// A dialler opens connections with nodes by their number.
type dialler func(ctx context.Context, node int, protocol string) (net.Conn, error)

// A caller makes calls at cluster ports.
type caller struct{ client *http.Client }

func newCaller(dial dialler) *caller {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &caller{&http.Client{Timeout: thiefWait, Transport: &http.Transport{
		Protocols: protocols, ForceAttemptHTTP2: true, DisableCompression: true,
		DialTLSContext: func(ctx context.Context, _, target string) (net.Conn, error) {
			node, err := nodeOf(target)
			if err != nil {
				return nil, err
			}
			return dial(ctx, node, protocolCalls)
		},
	}}}
}

// nodeOf is the number in the name of a node, with or without a port.
func nodeOf(name string) (int, error) {
	host, _, _ := strings.Cut(name, ":")
	return strconv.Atoi(strings.TrimPrefix(host, nodeName(0)[:4]))
}

func (c *caller) close() { c.client.CloseIdleConnections() }

// A RefusedError is a refusal: its word, and its status.
type RefusedError struct {
	Status int
	Word   string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("refused: %d %s", e.Status, e.Word) }

// Call makes a call at a node; members are those of its array. answer may be nil. A refusal is a
// RefusedError.
func (t *Thief) Call(node int, path string, answer any, members ...any) error {
	body, err := encodeCall(members...)
	if err != nil {
		return err
	}
	content, err := t.caller.post("https://"+nodeName(node)+path, body)
	if err != nil || answer == nil {
		return err
	}
	return cbor.Unmarshal(content, answer)
}

func (c *caller) post(url string, body []byte) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Keyquorum-Release", release.Own("").Encode()) // else nobody would hear the rest
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = &RefusedError{answer.StatusCode, string(bytes.TrimSpace(content))}
	}
	return content, err
}

// Propose brings the data of a log entry to whoever takes it, the leader.
func (t *Thief) Propose(data []byte) (o Outcome, err error) {
	err = errors.New("testcluster: there is nobody to ask")
	for _, node := range t.Others() {
		if err = t.Call(node, "/v1/commit", &o, data); err == nil {
			return o, nil
		}
	}
	return o, err
}

// PutBack lets old versions of records stand again, in one transaction. All of them must have been
// sealed for the same logical version, and nothing may stand at their paths.
func PutBack(old ...Record) Txn {
	t := Txn{ID: newID()}
	for _, r := range old {
		t.Base = r.Logical
		t.Conditions = append(t.Conditions, Condition{Kind: absent, Path: r.Path})
		t.Writes = append(t.Writes, Write{Path: r.Path, Logical: r.Logical, Value: r.Value})
	}
	return t
}

// Create puts something that he made at a path where nothing stands.
func (l Loot) Create(path string, value []byte) Txn {
	base := l.now.Index()
	return Txn{
		ID: newID(), Base: base,
		Conditions: []Condition{{Kind: absent, Path: path}},
		Writes:     []Write{{Path: path, Logical: base, Value: value}},
	}
}

// Replace puts something that he made in the place of what stands at a path.
func (l Loot) Replace(path string, value []byte) Txn {
	now, _ := l.Now(path)
	return Txn{
		ID: newID(), Base: l.now.Index(),
		Conditions: []Condition{{Kind: unchanged, Path: path, Index: now.Mod}},
		Writes:     []Write{{Path: path, Logical: now.Mod, Value: value}},
	}
}

// Delete takes away what stands at paths.
func (l Loot) Delete(paths ...string) Txn {
	t := Txn{ID: newID(), Base: l.now.Index()}
	for _, path := range paths {
		now, _ := l.Now(path)
		t.Conditions = append(t.Conditions, Condition{Kind: unchanged, Path: path, Index: now.Mod})
		t.Writes = append(t.Writes, Write{Path: path, Delete: true})
	}
	return t
}

// MarkRemoved marks nodes as removed for ever, in one transaction.
func (l Loot) MarkRemoved(ids ...string) Txn {
	t := Txn{ID: newID(), Base: l.now.Index()}
	for _, id := range ids {
		path := DirRemoved + id
		t.Conditions = append(t.Conditions, Condition{Kind: absent, Path: path})
		t.Writes = append(t.Writes, Write{Path: path, Logical: t.Base, Value: removedMark})
	}
	return t
}

// FoundAgain founds the cluster once more, with the thief's key and nobody but him.
func (l Loot) FoundAgain(key ImpostorKey) Txn {
	t := Txn{ID: newID(), Verb: verbFound}
	alone := fsm.Members{{ID: l.id, Address: "thief:8201", Voter: true}}
	for path, value := range map[string][]byte{
		PathKeys: encoded(key.Line()), PathMembers: encoded(alone), PathSeal: {1}, PathKeyring: {1},
	} {
		t.Conditions = append(t.Conditions, Condition{Kind: absent, Path: path})
		t.Writes = append(t.Writes, Write{Path: path, Value: value})
	}
	return t
}

// Rotate puts the thief's key behind the cluster's. Its endorsement he makes up.
func (l Loot) Rotate(key ImpostorKey) Txn {
	line, next := l.line(), key.Line().Newest()
	endorsement, err := keyEndorsed(key, next)
	if err != nil {
		panic(err) // an impostor's key does not fail
	}
	t := l.Replace(PathKeys, encoded(line.Extend(next.Term, next.Public, endorsement)))
	t.Verb = verbRotate
	keyring, _ := l.Now(PathKeyring)
	return t.And(l.Replace(PathKeyring, keyring.Value))
}

// ChangeMembers has the list of members be another one, and marks nodes as removed.
func (l Loot) ChangeMembers(change func(fsm.Members) fsm.Members, marks ...string) Txn {
	t := l.Replace(PathMembers, encoded(change(l.Members())))
	t.Verb = verbChange
	return t.And(l.MarkRemoved(marks...))
}

// Checkpoint asks nodes to keep a state.
func (l Loot) Checkpoint() Txn {
	return Txn{ID: newID(), Base: l.now.Index(),
		Verb: verbCheckpoint}
}

// And is one transaction with the conditions and writes of two.
func (t Txn) And(other Txn) Txn {
	t.Conditions = append(t.Conditions, other.Conditions...)
	t.Writes = append(t.Writes, other.Writes...)
	return t
}

// Members are who belongs to the cluster, as the state says.
func (l Loot) Members() fsm.Members { return l.now.Members() }

// TellLies makes every call at every other member, with what is not so.
func (t *Thief) TellLies(other string) {
	now, err := t.Current()
	if err != nil {
		now = &Claim{}
	}
	for n := range uint64(4) {
		var all []lie
		for _, leader := range t.Loot.members() {
			some := func(below int) uint64 { return n * 13 % uint64(below) }
			all = append(all, lies(leader, other, now.Term, some)...)
		}
		all = append(all, brokenWords(now.Term)...)
		for _, l := range all {
			for _, node := range t.Others() {
				_ = t.Call(node, l.path, nil, l.members...)
			}
		}
	}
}

// SayHello says hello to all others in the name of the node whose key he has, as a later life of
// its. It returns the word of each.
func (t *Thief) SayHello() (words []string) {
	for _, node := range t.Others() {
		var answer []any
		if err := t.Call(node, "/v1/hello", &answer, helloOf(1000)...); err != nil {
			words = append(words, err.Error())
			continue
		}
		words = append(words, answer[0].(string))
	}
	return words
}

// ObeyMe gives orders to whoever leads: in the name of nobody, of himself and, where he has one,
// with the signature of another message. It returns what the leader said to each.
func (t *Thief) ObeyMe(other string, foreign []byte) (answers []error) {
	now, err := t.Current()
	if err != nil {
		return []error{err}
	}
	for _, leader := range t.Loot.members() {
		for verb := uint8(orderTransfer); verb <= orderLeave; verb++ {
			borrowed := Order(verb, leader, now.Term, other, nil)
			borrowed[len(borrowed)-1] = foreign
			for _, order := range [][]any{
				Order(verb, leader, now.Term, other, nil),
				Order(verb, leader, now.Term, other, NewImpostorKey(firstKeyringTerm)),
				borrowed,
			} {
				for _, node := range t.Others() {
					answers = append(answers, t.Call(node, "/v1/order", nil, order...))
				}
			}
		}
	}
	return answers
}
