package seal_test

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"keyquorum/seal"
)

// I7: a sealed node holds no key that opens a record. All of the process's memory is read and
// searched; the same search finds each key while the node is unsealed, and a planted canary after
// it.
func TestNoKeyIsInMemoryAfterClose(t *testing.T) {
	if !seal.Protected() {
		t.Skip("this build can't erase: build with GOEXPERIMENT=runtimesecret on Linux, amd64 or arm64")
	}
	var mask [32]byte
	_, _ = rand.Read(mask[:])
	defer holdCleanups()()
	keys := useAndClose(t, mask)
	canary := make([]byte, 32)
	_, _ = rand.Read(canary)
	keys["canary"] = masked(canary, mask)
	counts := countInMemory(t, mask, keys)
	for name := range keys {
		n := counts[name]
		switch {
		case name == "canary" && n == 0:
			t.Error("the planted canary is not found: the search is blind")
		case name != "canary" && n != 0:
			t.Errorf("the %s is in memory %d times after Close", name, n)
		}
	}
	runtime.KeepAlive(canary)
}

// holdCleanups keeps the runtime from running cleanups until release is called, as a busy machine
// may: what Close promises must not wait for one.
func holdCleanups() (release func()) {
	held := make(chan struct{})
	for range 1000 { // more than the runtime has goroutines for them
		runtime.AddCleanup(new([64]byte), func(c chan struct{}) { <-c }, held)
	}
	runtime.GC()
	return func() { close(held) }
}

// useAndClose does everything a node does with keys: init, ceremony, wrap, unwrap, rotate, seal,
// open, sign, join, close. It returns the keys it used, masked.
func useAndClose(t *testing.T, mask [32]byte) map[string][32]byte {
	t.Helper()
	record, shares, first := mustInit(t, 3, 2)
	made := mustKeyring(t, first)
	wrapped, err := first.WrapKeyring(made)
	check(t, err)
	for i := range uint64(2000) {
		_, err := made.Open(nil, "p", i, mustSeal(t, made, "p", i, "value"))
		check(t, err)
	}
	sign(t, made)
	made.Close()
	first.Close()
	c := seal.NewLockCeremony(record.Lock)
	for _, s := range shares[:2] {
		_, err := c.Add(s)
		check(t, err)
	}
	opener, err := c.Unlock()
	check(t, err)
	_, err = opener.JoinMAC([]byte("x"))
	check(t, err)
	root, err := opener.Root(record)
	check(t, err)
	k, err := root.UnwrapKeyring(wrapped)
	check(t, err)
	sealed := mustSeal(t, k, "p", 1, "value")
	_, err = k.Open(nil, "p", 1, sealed)
	check(t, err)
	_, err = root.JoinMAC([]byte("x"))
	check(t, err)
	check(t, k.Rotate())
	sign(t, k)
	keys := seal.MaskedKeys(record, shares, root, k, mask)
	counts := countInMemory(t, mask, keys)
	for _, name := range []string{"share 1", "share 2", "key-encryption key", "join key", "root key",
		"data key 1", "data key 2",
		"signing seed 1", "signing seed 2", "signing prefix 1", "signing prefix 2",
		"signing scalar 1", "signing scalar 2"} {
		if counts[name] == 0 {
			t.Errorf("the %s is not found while unsealed: the search is blind", name)
		}
	}
	for _, s := range shares {
		s.Zero()
	}
	opener.Close()
	k.Close()
	root.Close()
	return keys
}

// sign signs with every term, often: what a signature leaves behind, it leaves now and then.
func sign(t *testing.T, k *seal.Keyring) {
	t.Helper()
	for range 300 {
		for term := range k.Term() {
			_, err := k.SignUnder(term+1, []byte(seal.SignedMessage))
			check(t, err)
		}
	}
}

func masked(b []byte, mask [32]byte) (m [32]byte) {
	for i := range m {
		m[i] = b[i] ^ mask[i]
	}
	return m
}

// countInMemory reads the process's writable memory and counts each key. The keys come masked and
// are compared byte by byte, so that the search itself leaves none behind.
func countInMemory(t *testing.T, mask [32]byte, keys map[string][32]byte) map[string]int {
	t.Helper()
	mem, err := os.Open("/proc/self/mem")
	check(t, err)
	defer mem.Close()
	counts := map[string]int{}
	buf := make([]byte, 1<<20)
	defer clear(buf)
	for _, region := range writableRegions(t) {
		// Consecutive reads overlap by 31 bytes, so that no key is cut in two.
		for at := region[0]; at < region[1]; at += uint64(len(buf)) - 31 {
			n, _ := mem.ReadAt(buf[:min(uint64(len(buf)), region[1]-at)], int64(at))
			countIn(buf[:n], mask, keys, counts)
		}
	}
	return counts
}

// countIn sees the buffer itself too, as part of memory: a key is counted again for each time it
// was read. That is no harm: the question is whether the count is zero, and later reads overwrite
// the buffer. The race detector has nothing to find here.
//
//go:norace
func countIn(b []byte, mask [32]byte, keys map[string][32]byte, counts map[string]int) {
	var begins [1 << 16]bool // two bytes: most of memory is zero, with which a key's first byte alone may well begin
	for _, key := range keys {
		begins[uint16(key[0]^mask[0])<<8|uint16(key[1]^mask[1])] = true
	}
	for i := 0; i+32 <= len(b); i++ {
		if !begins[uint16(b[i])<<8|uint16(b[i+1])] {
			continue
		}
		for name, key := range keys {
			if masked(b[i:], mask) == key {
				counts[name]++
			}
		}
	}
}

// writableRegions leaves out regions over a gigabyte: address space that Go and the race detector
// reserve, whose shadow holds no program bytes.
func writableRegions(t *testing.T) (regions [][2]uint64) {
	t.Helper()
	maps, err := os.Open("/proc/self/maps")
	check(t, err)
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if strings.HasPrefix(mode, "rw") && to-from < 1<<30 {
			regions = append(regions, [2]uint64{from, to})
		}
	}
	check(t, lines.Err())
	return regions
}

// Harden can't be undone, and other tests read this process's memory: it runs in a child.
func TestHarden(t *testing.T) {
	if os.Getenv("SEAL_TEST_HARDEN") == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHarden$", "-test.v")
		child.Env = append(os.Environ(), "SEAL_TEST_HARDEN=1")
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestHarden") {
			t.Fatalf("child: %v\n%s", err, out)
		}
		return
	}
	check(t, errors.Join(
		unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0), // so that what is seen below is Harden's doing
		seal.Harden(),
	))
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_CORE, &limit))
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	check(t, err)
	if limit != (unix.Rlimit{}) || dumpable != 0 {
		t.Errorf("core limit %+v, dumpable %d", limit, dumpable)
	}
}
