package testcluster_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// TestSealedMemory is I7 on the real program: once it is sealed, its memory holds none of its
// unseal shares. The keys themselves only the process knows: package seal searches its own memory
// for those. Values that were read or written just before may stand in net/http's buffers until
// those are used again; the threat model says so.
func TestSealedMemory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a node makes itself unreadable for other processes of its user; only root can search its memory")
	}
	c := testcluster.Processes(t, 1)
	c.NewVault("demo")
	app := c.NewApp("memory")
	c.Grant(0, "demo", "memory", nil, []string{"all"})
	asApp(t, c, app)
	n := at(t, c, 0, "demo")
	for range 20 {
		_, err := n.secrets.SetSecret(t.Context(), "name-in-the-clear",
			azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
		must(t, err)
		_, err = n.secrets.GetSecret(t.Context(), "name-in-the-clear", "", nil)
		must(t, err)
	}
	c.Seal(0)
	memory := memoryOf(t, c.PID(0))
	if !memory.holds([]byte("name-in-the-clear")) {
		t.Fatal("the search does not find a path of the state, so it proves nothing")
	}
	for i, share := range c.Shares {
		raw, err := hex.DecodeString(share)
		must(t, err)
		if memory.holds(raw) || memory.holds(raw[1:]) {
			t.Errorf("share %d stands in a sealed node's memory", i)
		}
		if memory.holds([]byte(share)) {
			t.Errorf("share %d stands in a sealed node's memory, in hex", i)
		}
	}
}

// memory is the readable memory of a process, region by region.
type memory [][]byte

func memoryOf(t *testing.T, pid int) memory {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	must(t, err)
	defer maps.Close()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	must(t, err)
	defer mem.Close()
	var all memory
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var start, end int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &start, &end, &mode); err != nil ||
			mode[:2] != "rw" {
			continue
		}
		region := make([]byte, end-start)
		if n, err := mem.ReadAt(region, start); err == nil || n > 0 {
			all = append(all, region[:n])
		}
	}
	return all
}

func (m memory) holds(what []byte) bool {
	for _, region := range m {
		if bytes.Contains(region, what) {
			return true
		}
	}
	return false
}
