package fsm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// TestScripts runs testdata/scripts: a command and its lines, "----", everything that can be
// observed.
//
//	apply       a batch: each line "INDEX ID [base=N] [gen=N] CONDITION… WRITE…" or "INDEX config NAME=SUFFRAGE@ADDRESS…"
//	            with absent=PATH, unchanged=PATH@MOD, dir=PATH/@INDEX, put=PATH:VALUE, delete=PATH
//	state       the whole view
//	digest N…   the digests after entries
//	restart     goes on with what a snapshot of the state restores
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, fsm: newFSM(t)}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
		if strings.HasPrefix(block, "#") {
			out.WriteString(block + "\n\n")
			continue
		}
		input, want, _ := strings.Cut(block, "\n----")
		got := s.run(strings.Split(input, "\n"))
		if want = strings.TrimSpace(want); got != want && !*update {
			t.Errorf("block %d:\n%s\n---- got\n%s\n---- want\n%s", i, input, got, want)
		}
		out.WriteString(input + "\n----\n" + got + "\n\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimSpace(out.String())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type script struct {
	t   *testing.T
	fsm *fsm.FSM
	ids []string // in order of appearance
}

func (s *script) run(lines []string) string {
	verb, arguments, _ := strings.Cut(lines[0], " ")
	switch verb {
	case "apply":
		return s.apply(lines[1:])
	case "state":
		return s.state()
	case "digest":
		return s.digests(strings.Fields(arguments))
	case "restart":
		before := s.fsm
		s.fsm = restored(s.t, snapshotOf(s.t, before))
		requireSame(s.t, before, s.fsm)
		return digestLine(s.fsm.View())
	}
	s.t.Fatalf("unknown command %q", lines[0])
	return ""
}

func (s *script) apply(lines []string) string {
	var logs []*raft.Log
	for _, line := range lines {
		logs = append(logs, s.entry(strings.Fields(line)))
	}
	var out []string
	for i, result := range s.fsm.ApplyBatch(logs) {
		text := fmt.Sprint(result)
		if o, ok := result.(fsm.Outcome); ok {
			text = outcomeText(o)
		}
		out = append(out, fmt.Sprintf("%d: %s", logs[i].Index, text))
	}
	return strings.Join(append(out, digestLine(s.fsm.View())), "\n")
}

func digestLine(v fsm.View) string {
	d := v.Digest()
	return fmt.Sprintf("index %d digest %x", v.Index(), d[:8])
}

func outcomeText(o fsm.Outcome) string {
	kind := map[fsm.OutcomeKind]string{0: "forgotten", fsm.Applied: "applied",
		fsm.Conflict: "conflict", fsm.TooOld: "too old", fsm.WrongGeneration: "wrong generation"}[o.Kind]
	if o.Kind == fsm.Conflict {
		kind += fmt.Sprintf(" on %s, wait for %d,", o.Path, o.At)
	}
	return fmt.Sprintf("%s at %d", kind, o.Index)
}

func (s *script) digests(indexes []string) string {
	var out []string
	for _, n := range indexes {
		d, ok := s.fsm.DigestAt(s.number(n))
		text := "none"
		if ok {
			text = fmt.Sprintf("%x", d[:8])
		}
		out = append(out, n+": "+text)
	}
	return strings.Join(out, "\n")
}

func (s *script) state() string {
	v := s.fsm.View()
	bytes, records := v.Size()
	out := []string{digestLine(v),
		fmt.Sprintf("generation %d, %d records, about %d bytes", v.Generation(), records, bytes)}
	c, index := v.Configuration()
	out = append(out, fmt.Sprintf("configuration at %d: %v", index, c.Servers))
	for path, r := range v.Scan("", "") {
		out = append(out, fmt.Sprintf("%s = %q mod %d logical %d", path, r.Value, r.Mod, r.Logical))
	}
	for _, name := range s.ids {
		if o, ok := v.Outcome(nameID(name)); ok {
			out = append(out, name+": "+outcomeText(o))
		} else {
			out = append(out, name+": no outcome")
		}
	}
	return strings.Join(out, "\n")
}

func nameID(name string) (id fsm.ID) {
	copy(id[:], name)
	return id
}

func (s *script) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) entry(words []string) *raft.Log {
	index := s.number(words[0])
	if words[1] == "config" {
		var servers []raft.Server
		for _, w := range words[2:] {
			name, rest, _ := strings.Cut(w, "=")
			suffrage, address, _ := strings.Cut(rest, "@")
			server := raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(address)}
			if suffrage == "nonvoter" {
				server.Suffrage = raft.Nonvoter
			}
			servers = append(servers, server)
		}
		return configuration(index, servers...)
	}
	if !strings.Contains(" "+strings.Join(s.ids, " ")+" ", " "+words[1]+" ") {
		s.ids = append(s.ids, words[1])
	}
	return command(s.t, index, s.txn(words[1:]))
}

func (s *script) txn(words []string) fsm.Txn {
	x := fsm.Txn{ID: nameID(words[0])}
	logical := make(map[string]uint64)
	for _, w := range words[1:] {
		verb, argument, _ := strings.Cut(w, "=")
		path, index, _ := strings.Cut(argument, "@")
		switch verb {
		case "base":
			x.Base = s.number(argument)
		case "gen":
			x.Generation = s.number(argument)
		case "absent":
			x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.Absent, Path: path})
			logical[path] = x.Base
		case "unchanged":
			logical[path] = s.number(index)
			x.Conditions = append(x.Conditions,
				fsm.Condition{Kind: fsm.Unchanged, Path: path, Index: logical[path]})
		case "dir":
			x.Conditions = append(x.Conditions,
				fsm.Condition{Kind: fsm.DirUnchanged, Path: path, Index: s.number(index)})
		case "put":
			path, value, _ := strings.Cut(argument, ":")
			x.Writes = append(x.Writes, fsm.Write{Path: path, Logical: logical[path], Value: []byte(value)})
		case "delete":
			x.Writes = append(x.Writes, fsm.Write{Path: path, Delete: true})
		default:
			s.t.Fatalf("unknown word %q", w)
		}
	}
	return x
}
