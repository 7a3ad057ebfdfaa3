package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"keyquorum/internal/overlay"
	"keyquorum/internal/powercut"
	"keyquorum/storage"
)

// A traceNote stands in the trace between the writes and syncs of raft.db.
type traceNote struct {
	Began, Ended int       // number of an operation, from 1
	Passed       int       // steps of the operation under way that are acknowledged
	Files        *fileStep // of the file layer
	Seen         *contents // by the next process, which goes on to store an entry
}

// record is what a child does: the workload, with a note in the trace before and after each
// operation. After is what was acknowledged.
func record(dir string) {
	s, err := openNoting(dir)
	for i, o := range workload {
		if err == nil {
			err = noteIn(dir, traceNote{Began: i + 1})
		}
		switch {
		case err != nil:
		case o.do != nil:
			err = o.do(s)
		default:
			s.Close()
			s, err = openNoting(dir)
		}
		if err == nil {
			err = noteIn(dir, traceNote{Ended: i + 1})
		}
		if err != nil {
			fmt.Println(o.what+":", err)
			os.Exit(1)
		}
	}
}

func openNoting(dir string) (*storage.Store, error) {
	return storage.OpenStepwise(dir, watchSteps(dir, func(step fileStep) error {
		if meanwhile != nil {
			if err := meanwhile(step, dir); err != nil {
				return err
			}
		}
		return noteIn(dir, traceNote{Files: &step})
	}))
}

// goOn is what another child does: it opens the folder, notes what it sees, and stores an entry.
func goOn(dir string) {
	s, err := openNoting(dir)
	if err == nil {
		var c contents
		c, err = show(s)
		err = errors.Join(err, noteIn(dir, traceNote{Seen: &c}), s.Logs().StoreLog(c.next()))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func noteIn(dir string, n traceNote) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return powercut.Note(filepath.Join(dir, "raft.db"), string(text))
}

// recorder is this test binary with hooks in bolt, and with syncs that can be forgotten (see
// forgettable).
var recorder = sync.OnceValues(func() (program string, err error) {
	if recorderFolder, err = os.MkdirTemp("", "storage-recorder-"); err != nil {
		return "", err
	}
	path, err := overlay.Write(recorderFolder, append(powercut.Hooks(), forgettable...))
	if err != nil {
		return "", err
	}
	program = filepath.Join(recorderFolder, "storage.test")
	build := exec.Command("go", "test", "-c", "-trimpath", "-vet=off", "-overlay", path, "-o", program,
		".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

var recorderFolder string

// traced runs the recorder in a role on a folder. It returns raft.db as it was before, and the
// trace.
func traced(t *testing.T, role, dir string, env ...string) (image []byte, trace []powercut.Step) {
	t.Helper()
	program, err := recorder()
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "raft.db")
	if image, err = os.ReadFile(db); err != nil {
		t.Fatal(err)
	}
	if err := powercut.Keep(db); err != nil {
		t.Fatal(err)
	}
	cmd := child(program, role, dir)
	cmd.Env = append(append(cmd.Env, powercut.Faults+"="+t.TempDir()), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if trace, err = powercut.Journal(db); err != nil {
		t.Fatal(err)
	}
	return image, trace
}

// A crashed folder knows what may be on disk after each step of a trace, and what of it is legal.
type crashed struct {
	bolt  *powercut.Disk // what is in db
	db    *inode         // the one that bolt writes to
	files fileDisk
	legal []contents
	ended int // operations that were acknowledged

	narrowed int // how often less became legal than was before
	judged   int // states
}

func newCrashed(image []byte) *crashed {
	empty := contents{Log: map[uint64]string{}, Stable: map[string]string{}}
	c := &crashed{bolt: powercut.NewDisk(image), db: &inode{synced: true}, legal: []contents{empty}}
	c.files.root = newFolder()
	for name, i := range map[string]*inode{
		"manifest.json": {content: manifestFile(), synced: true},
		"raft.db":       c.db,
		"snapshots":     newFolder(),
	} {
		c.files.root.names[name], c.files.root.onDisk[name] = i, i
	}
	return c
}

func (c *crashed) apply(t *testing.T, s powercut.Step) {
	t.Helper()
	c.bolt.Apply(s)
	var n traceNote
	if s.Kind == powercut.Noted {
		if err := json.Unmarshal([]byte(s.Text), &n); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case n.Files != nil:
		c.files.step(*n.Files)
		c.takeNewBolt()
		return
	case n.Began > 0:
		c.legal = workload[n.Began-1].legal(c.legal[0])
	case n.Passed > 0:
		c.narrow(c.legal[n.Passed:])
	case n.Seen != nil:
		c.narrow(storing(n.Seen.next()).legal(*n.Seen))
	case n.Ended > 0:
		c.narrow(c.legal[len(c.legal)-1:])
		c.ended = n.Ended
	}
	c.files.settle()
}

// takeNewBolt goes on with the file that has the name, when it is another one by now.
func (c *crashed) takeNewBolt() {
	if named := c.files.root.names["raft.db"]; named != c.db {
		c.db.content = c.bolt.State(pick(newest).counting())
		c.bolt, c.db = powercut.NewDisk(bytes.Clone(named.content)), named
	}
}

func (c *crashed) narrow(legal []contents) {
	c.legal = legal
	c.narrowed++
}

// state is a member's folder after a power cut now. See powercut.Disk for pick.
func (c *crashed) state(pick func(options int) int) map[string][]byte {
	c.db.content = c.bolt.State(pick)
	return c.files.state(pick)
}

// manifestFile is the one that create writes.
var manifestFile = sync.OnceValue(func() []byte {
	b, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		panic(err)
	}
	return b
})
