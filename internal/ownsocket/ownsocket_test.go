package ownsocket_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"keyquorum/internal/ownsocket"
	"keyquorum/internal/ownsocket/ownfolder"
)

func ignored(ownsocket.Peer, error) {}

func listen(t *testing.T, path string) *ownsocket.Listener {
	t.Helper()
	l, err := ownsocket.Listen(path, ignored)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// leave makes the socket of a process that has ended.
func leave(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestListenTakesThePlaceOfTheDead(t *testing.T) {
	path := filepath.Join(ownfolder.New(t), "s")
	leave(t, path)
	if err := ownsocket.Check(path); err != nil {
		t.Errorf("the check of a place with a stale socket: %v", err)
	}
	l := listen(t, path)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket has mode %v (%v)", info.Mode(), err)
	}
	if _, err := ownsocket.Listen(path, ignored); !errors.Is(err, ownsocket.ErrInUse) {
		t.Errorf("a second listener: %v", err)
	}
	if err := ownsocket.Check(path); !errors.Is(err, ownsocket.ErrInUse) {
		t.Errorf("the check of a place with a listener: %v", err)
	}
	go func() {
		if c, err := ownsocket.Dial(t.Context(), path); err == nil {
			defer c.Close()
			_, _ = c.Write([]byte("x"))
		}
	}()
	for { // the listeners that were refused have left connections that end at once
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := c.Read(make([]byte, 1))
		at := c.RemoteAddr()
		c.Close()
		if n == 0 {
			continue
		}
		if at.(ownsocket.Peer).UID != uint32(os.Getuid()) || !strings.HasPrefix(at.String(), "uid ") {
			t.Errorf("the peer is %v", at)
		}
		break
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close the socket is there (%v)", err)
	}
	if _, err := ownsocket.Dial(t.Context(), path); err == nil ||
		!strings.Contains(err.Error(), "no node listens there") {
		t.Errorf("a call to nobody: %v", err)
	}
}

// Of many who find the same stale socket at the same time, one listens.
func TestOneOfManyListens(t *testing.T) {
	path := filepath.Join(ownfolder.New(t), "s")
	for range 20 {
		leave(t, path)
		var all sync.WaitGroup
		var won atomic.Pointer[ownsocket.Listener]
		var winners atomic.Int32
		for range 8 {
			all.Go(func() {
				l, err := ownsocket.Listen(path, ignored)
				if err == nil {
					winners.Add(1)
					won.Store(l)
				} else if !errors.Is(err, ownsocket.ErrInUse) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := winners.Load(); n != 1 {
			t.Fatalf("%d listen", n)
		}
		if c, err := net.Dial("unix", path); err != nil {
			t.Errorf("the one that listens can't be reached: %v", err)
		} else {
			c.Close()
		}
		won.Load().Close()
	}
}

func TestCloseLeavesWhatOthersMade(t *testing.T) {
	path := filepath.Join(ownfolder.New(t), "s")
	l := listen(t, path)
	if !l.Stands() {
		t.Error("the socket that was just made is gone")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if l.Stands() {
		t.Error("the socket that was removed is there")
	}
	second := listen(t, path)
	if l.Stands() || !second.Stands() {
		t.Error("another's socket passes for its own, or its own for another's")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the second socket: %v", err)
	}
	second.Close()
}

func TestPlacesThatAreRefused(t *testing.T) {
	good := ownfolder.New(t)
	sub := func(name string, mode fs.FileMode) string {
		dir := filepath.Join(good, name)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	entered := sub("entered", 0o711)
	written := sub("written", 0o777)
	inWritten := sub("written/in", 0o700)
	sticky := sub("sticky", 0o777|fs.ModeSticky)
	inSticky := sub("sticky/in", 0o700)
	file := filepath.Join(good, "file")
	link, toSocket := filepath.Join(good, "link"), filepath.Join(good, "to-socket")
	sub("a/way", 0o700)
	toGood, toSticky := filepath.Join(good, "to-good"), filepath.Join(good, "to-sticky")
	circle := filepath.Join(good, "circle")
	if err := errors.Join(os.WriteFile(file, []byte("kept"), 0o600), os.Symlink(inSticky, link),
		os.Symlink(filepath.Join(good, "elsewhere"), toSocket),
		os.Symlink("../"+filepath.Base(good)+"/a", toGood),
		os.Symlink(filepath.Join(sticky, "hop"), toSticky), os.Symlink(toGood,
			filepath.Join(sticky, "hop")), os.Symlink("circle", circle)); err != nil {
		t.Fatal(err)
	}
	leave(t, filepath.Join(good, "elsewhere"))
	for _, row := range []struct{ path, says string }{
		{"", "the whole path"},
		{"relative/s", "the whole path"},
		{"@abstract", "the whole path"},
		{good + "/", "the whole path"},
		{good + "/../s", "the whole path"},
		{filepath.Join(good, strings.Repeat("a", 108-len(good)-1)), "has 108 bytes"},
		{filepath.Join(good, "missing", "s"), "no such file"},
		{filepath.Join(file, "s"), "is no folder"},
		{file, "is no socket"},
		{entered, "is no socket"},
		{toSocket, "is no socket"},
		{filepath.Join(link, "s"), "no link to it"},
		{filepath.Join(entered, "s"), "chmod 700"},
		{filepath.Join(written, "s"), "chmod 700"},
		{filepath.Join(inWritten, "s"), "other users can write to the folder " + written},
		{filepath.Join(inSticky, "s"), "other users can write to the folder " + sticky},
		{filepath.Join(toSticky, "way", "s"), "other users can write to the folder " + sticky},
		{filepath.Join(circle, "way", "s"), "too many levels of symbolic links"},
	} {
		if err := ownsocket.Check(row.path); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("the check of %q says %v, want %q", row.path, err, row.says)
		}
		if l, err := ownsocket.Listen(row.path, ignored); err == nil {
			t.Errorf("somebody listens at %q", row.path)
			l.Close()
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "kept" {
		t.Errorf("the file at a socket's path: %q, %v", b, err)
	}
	if _, err := os.Lstat(toSocket); err != nil {
		t.Errorf("the link at a socket's path: %v", err)
	}
	if err := ownsocket.Check(filepath.Join(toGood, "way", "s")); err != nil {
		t.Errorf("behind links that nobody else can change: %v", err)
	}
	longest := filepath.Join(good, strings.Repeat("a", 107-len(good)-1))
	listen(t, longest)
}

// TestDialMistrusts: who calls makes sure that it is a node which listens.
func TestDialMistrusts(t *testing.T) {
	dir := ownfolder.New(t)
	in := filepath.Join(dir, "in")
	path := filepath.Join(in, "s")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	listen(t, path)
	if err := os.Chmod(in, 0o722); err != nil {
		t.Fatal(err)
	}
	if _, err := ownsocket.Dial(t.Context(), path); err == nil ||
		!strings.Contains(err.Error(), "other users can write to the folder") {
		t.Errorf("in a folder that others can write to: %v", err)
	}
}

// listenAs makes the socket of a process of another user.
func listenAs(t *testing.T, uid uintptr, path string) {
	t.Helper()
	as(t, uid, func() {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { l.Close() })
	})
}

// TestDialOfOtherUsers has sockets of other users of the machine, who listen wherever they can.
func TestDialOfOtherUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	const node, stranger, caller = 65534, 65533, 65532
	dir := ownfolder.New(t)
	in := func(name string, owner int, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(path, 0o700), os.Chmod(path, mode),
			os.Chown(path, owner, owner)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	in("", 0, 0o755)
	in("tmp", 0, 0o777|fs.ModeSticky)
	in("home", stranger, 0o755)
	if err := os.Symlink(in("tmp/kq-4", stranger, 0o777), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	const nobody, open = "it is no node that listens there", "other users can write to the folder"
	for _, row := range []struct {
		name, folder  string
		owner, listen int
		call          uintptr
		says          string
	}{
		{"root, of the node", "run", node, node, 0, ""},
		{"the node's user, of the node", "run-own", node, node, node, ""},
		{"the node's user, of root", "run-root", node, 0, node, ""},
		{"root, of a stranger in the node's folder", "run-other", node, stranger, 0, nobody},
		{"root, of a stranger in root's folder", "root", 0, stranger, 0, nobody},
		{"root, of a stranger below /tmp", "tmp/kq", stranger, stranger, 0, open},
		{"a user, of a stranger below /tmp", "tmp/kq-2", stranger, stranger, caller, open},
		{"root, of the node below /tmp", "tmp/kq-3", node, node, 0, open},
		{"root, of a stranger by a link", "link", stranger, stranger, 0, open},
		{"root, in a stranger's folder", "home/kq", 0, 0, 0, "who could put another socket"},
	} {
		folder := in(row.folder, row.owner, 0o777)
		path := filepath.Join(folder, "s")
		listenAs(t, uintptr(row.listen), path)
		if err := errors.Join(os.Chmod(folder, 0o755), os.Chmod(path, 0o666)); err != nil {
			t.Fatal(err)
		}
		as(t, row.call, func() {
			c, err := ownsocket.Dial(t.Context(), path)
			if err == nil {
				c.Close()
			}
			if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("%s: %v, want %q", row.name, err, row.says)
			}
		})
	}
}

// as calls f as another user of the machine: one thread is, and it ends.
func as(t *testing.T, uid uintptr, f func()) {
	t.Helper()
	done := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread() // and never unlocks
		_, _, failed := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid)
		if failed == 0 {
			f()
		}
		done <- failed
	}()
	if failed := <-done; failed != 0 {
		t.Fatal(failed)
	}
}

// TestOnlyRootAndItsUserGetAConnection opens folder and socket to everybody, so that nothing is
// left but what the kernel says of the peer.
func TestOnlyRootAndItsUserGetAConnection(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir := ownfolder.New(t)
	path := filepath.Join(dir, "s")
	told := make(chan ownsocket.Peer, 1)
	l, err := ownsocket.Listen(path, func(p ownsocket.Peer, _ error) { told <- p })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	const other = 65534
	as(t, other, func() {
		if _, err := net.Dial("unix", path); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("the folder lets another user in: %v", err)
		}
	})
	if err := errors.Join(os.Chmod(dir, 0o711), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	as(t, other, func() {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("another user's connection is open")
		}
	})
	if p := <-told; p.UID != other {
		t.Errorf("refused was %v", p)
	}
	own, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	c := <-accepted
	if c == nil || c.RemoteAddr().(ownsocket.Peer).UID != 0 {
		t.Errorf("root's connection is %v", c)
	}
	if c != nil {
		c.Close()
	}
}
