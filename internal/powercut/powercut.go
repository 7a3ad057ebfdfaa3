// Package powercut makes the disk under raft.db fail, and lose what was not synced, as a power cut
// does.
//
// Bolt can't be given a file layer, so a test build gets hooks where bolt writes and syncs (Hooks,
// for package overlay). In the process of such a build, when KEYQUORUM_FAULTS names a folder, each
// write is put into a journal beside the file, with the bytes that it replaces, before it is done;
// a sync that succeeded empties the journal. Killing the process loses neither, for both are in the
// page cache; Rollback then makes of the file what the disk might have held:
//
//	edits, err := powercut.Hooks()
//	path, err := overlay.Write(dir, edits)
//	exec.Command("go", "build", "-trimpath", "-overlay", path, "-o", program, "./cmd/keyquorum")
//	...
//	node.Env = append(os.Environ(), powercut.Faults+"="+faults) // a folder of the node's own, that exists
//	...
//	powercut.SyncFails.Give(faults) // or DiskFull, ...: from now on
//	...
//	for each node { node.Process.Kill(); node.Wait() } // all before the first is rolled back
//	for each node { lost, err := powercut.Rollback(filepath.Join(data, "cluster", "raft.db"), rng) }
//
// A journal that is kept (Keep) is a trace: Journal reads it, and a Disk has every legal state
// after each of its steps.
//
// Assumed is what docs/formats-storage.md assumes: sectors of 512 bytes are written whole, in any
// order, and what a successful fdatasync covered stays. What a failed one covered may be on disk or
// not, for ever: no later sync decides it, only a later write. The file's length is taken to be
// durable, because bolt syncs each growing before it goes on.
package powercut

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"keyquorum/internal/overlay"
)

// Faults is the environment variable that names the folder for orders. Without it the hooks do
// nothing.
const Faults = "KEYQUORUM_FAULTS"

// An Order is a file in that folder. It is looked for at each write and sync.
type Order string

const (
	SyncFails     Order = "sync-fails"      // every sync fails with EIO
	SyncFailsOnce Order = "sync-fails-once" // the next one does, and takes the order away
	SyncHangs     Order = "sync-hangs"      // a sync that begins waits until the order is withdrawn, and then does its work
	WriteFails    Order = "write-fails"     // every write fails with EIO, before anything is written
	DiskFull      Order = "disk-full"       // every write fails with ENOSPC
)

// Give makes the order stand in folder.
func (o Order) Give(folder string) error {
	return os.WriteFile(filepath.Join(folder, string(o)), nil, 0o600)
}

// Withdraw takes it back. One that does not stand is no error.
func (o Order) Withdraw(folder string) error {
	if err := os.Remove(filepath.Join(folder, string(o))); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

//go:embed bbolt_hooks.go.txt
var hooks string

// Hooks puts our hooks into bolt. They fit Linux.
func Hooks() []overlay.Edit {
	return []overlay.Edit{
		{File: "go.etcd.io/bbolt/powercut_linux.go", New: hooks},
		{
			File: "go.etcd.io/bbolt/db.go",
			Old:  "db.ops.writeAt = db.file.WriteAt",
			New:  "if db.ops.writeAt, err = db.powercutWriter(); err != nil {\n\t\t_ = db.close()\n\t\treturn nil, err\n\t}",
		},
		{
			File: "go.etcd.io/bbolt/bolt_linux.go",
			Old:  "return syscall.Fdatasync(int(db.file.Fd()))",
			New:  "return db.powercutSync(func() error { return syscall.Fdatasync(int(db.file.Fd())) })",
		},
	}
}

// Rollback cuts the power of a machine whose process has been killed: it makes of the bolt file db
// one of the states that the disk may hold, chosen by rng, and forgets the journal. lost is the
// number of sectors that hold something older than the process saw; where nothing was in doubt it
// is 0, and the power cut has proved nothing.
func Rollback(db string, rng *rand.Rand) (lost int, err error) {
	image, err := os.ReadFile(db)
	if err != nil {
		return 0, fmt.Errorf("powercut: %w", err)
	}
	steps, err := Journal(db)
	if err != nil {
		return 0, err
	}
	d := NewDisk(undo(image, steps))
	for _, s := range steps {
		d.Apply(s)
	}
	state := d.State(likely(rng, &lost))
	if err := os.WriteFile(db, state, 0o600); err != nil {
		return 0, fmt.Errorf("powercut: %w", err)
	}
	return lost, forget(db)
}

// undo gives back what the file was before the first write of a journal.
func undo(image []byte, steps []Step) []byte {
	for i := len(steps) - 1; i >= 0; i-- {
		copy(image[min(steps[i].Offset, int64(len(image))):], steps[i].Old)
	}
	return image
}

// likely picks nothing new, all that is new, or each sector with a chance that is the same for the
// whole state.
func likely(rng *rand.Rand, lost *int) func(options int) int {
	chance := []float64{0, 1, 0.5, 0.5, rng.Float64(), rng.Float64()}[rng.IntN(6)]
	return func(options int) int {
		if rng.Float64() < chance {
			return options - 1
		}
		*lost++
		return rng.IntN(options - 1)
	}
}
