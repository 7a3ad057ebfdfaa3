package testcluster_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// A relic is what must not be found once it was purged: a part of what was sealed, and the places
// where it stood.
type relic struct {
	name     string
	content  []byte
	places   []testcluster.Place
	searcher *testcluster.Searcher
}

func everything([]byte) bool { return true }

// relics are the secret "gone" and the key "k", which are then purged, and the secret "s", which is
// not.
func relics(t *testing.T, s *scene) (purged []relic, kept relic) {
	t.Helper()
	searcher := s.c.Searcher(0)
	value := rand.Text() + rand.Text()
	parameters := azsecrets.SetSecretParameters{Value: &value}
	_, err := s.nodes[0].secrets.SetSecret(t.Context(), "gone", parameters, nil)
	must(t, err)
	s.look(t)
	of := func(name, kind string) relic {
		r := relic{name: name, searcher: searcher}
		for _, path := range s.thief.Loot.Paths("vault/") {
			if strings.Contains(path, kind) {
				r.places = append(r.places, s.thief.Loot.PlacesOf(path)...)
			}
		}
		for _, f := range searcher.Search(0, everything, nil) {
			if strings.Contains(f.Path, kind+"version/") { // whose end is the secret part
				r.content = bytes.Clone(f.Plaintext[max(0, len(f.Plaintext)-len(value)):])
			}
		}
		if len(r.content) == 0 {
			t.Fatalf("nothing of %s opens: the test shows nothing", name)
		}
		return r
	}
	purged = []relic{of("the purged secret", "/secret/gone/"), of("the purged key", "/key/k/")}
	return purged, of("the secret", "/secret/s/")
}

// in is where node i's folder still has it.
func (r relic) in(i int) []testcluster.Find {
	wanted := func(plaintext []byte) bool { return bytes.Contains(plaintext, r.content) }
	return r.searcher.Search(i, wanted, r.places)
}

// mustBeIn is the positive control: it is found by both ways.
func (r relic) mustBeIn(t *testing.T, i int) {
	t.Helper()
	read, raw := 0, 0
	for _, f := range r.in(i) {
		if f.Offset < 0 {
			read++
		} else {
			raw++
		}
	}
	if read == 0 || raw == 0 {
		t.Fatalf("node %d: %s is found %d times as the product reads, and %d times in files",
			i, r.name, read, raw)
	}
}

func (r relic) mustNotBeIn(t *testing.T, i int) {
	t.Helper()
	for _, f := range r.in(i) {
		t.Errorf("node %d: %s can be opened: %s", i, r.name, f)
	}
}

// A3. Ten minutes after a purge nothing in the folder of a member opens to what was purged, also
// where the log was never cut, and nothing in that of a member that was away, from when it serves.
func TestPurgedIsGone(t *testing.T) {
	heavy.Test(t)
	for name, configure := range map[string]func(int, *node.Config){
		"from a log that is never cut": nil,
		"from a log that is cut often": often,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				purgeAndSearch(t, testcluster.New(t, 3, configure))
			})
		})
	}
}

func purgeAndSearch(t *testing.T, c *testcluster.Cluster) {
	const away = robbed
	s := newScene(t, c)
	purged, kept := relics(t, s)
	for i := range c.Size() {
		kept.mustBeIn(t, i)
		for _, r := range purged {
			r.mustBeIn(t, i)
		}
	}
	c.Kill(away)
	_, err := s.nodes[0].secrets.DeleteSecret(t.Context(), "gone", nil)
	must(t, err)
	_, err = s.nodes[1].secrets.PurgeDeletedSecret(t.Context(), "gone", nil)
	must(t, err)
	_, err = s.nodes[0].keys.DeleteKey(t.Context(), "k", nil)
	must(t, err)
	_, err = s.nodes[1].keys.PurgeDeletedKey(t.Context(), "k", nil)
	must(t, err)
	time.Sleep(10 * time.Minute)
	c.Start(away)
	c.Unseal(away)
	for end := time.Now().Add(30 * time.Second); s.read(t, away) != nil; {
		if time.Now().After(end) {
			t.Fatal("the node that was away does not come to serve")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for i := range c.Size() {
		kept.mustBeIn(t, i)
		for _, r := range purged {
			r.mustNotBeIn(t, i)
		}
	}
}

// The searcher finds a record anywhere in a file, and opens it where it belongs only.
func TestSearcherFindsAtAnyOffset(t *testing.T) {
	bubble(t, 1, func(t *testing.T, c *testcluster.Cluster) {
		searcher := c.Searcher(0)
		thief := c.Steal(0)
		record, ok := thief.Loot.Now(testcluster.PathCA)
		if !ok {
			t.Fatal("there is no sealed record")
		}
		junk := make([]byte, 10_001)
		rand.Read(junk)
		file := filepath.Join(c.Data(0), "of-nobody")
		must(t, os.WriteFile(file, bytes.Join([][]byte{junk, record.Value, junk}, nil), 0o600))
		right := testcluster.Place{
			Path: record.Path, Logical: record.Logical, Size: len(record.Value),
		}
		path, version, size := right, right, right
		path.Path += "x"
		version.Logical++
		size.Size++
		for what, place := range map[string]testcluster.Place{
			"its own": right, "another path": path,
			"another version": version, "another size": size,
		} {
			found := 0
			for _, f := range searcher.Search(0, everything, []testcluster.Place{place}) {
				if f.File == "of-nobody" && f.Offset == int64(len(junk)) {
					found++
				}
			}
			if want := map[bool]int{true: 1}[what == "its own"]; found != want {
				t.Errorf("at the place of %s it opens %d times, want %d", what, found, want)
			}
		}
		record.Value[len(record.Value)-1] ^= 1
		finds := searcher.SearchBytes(record.Value, []testcluster.Place{right})
		if len(finds) != 0 {
			t.Errorf("an altered record opens: %v", finds)
		}
	})
}
