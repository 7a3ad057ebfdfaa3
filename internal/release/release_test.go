package release_test

import (
	"strings"
	"testing"

	"keyquorum/internal/release"
)

// Who may talk with whom, and what the others are told.
func TestNeighboursWorkTogether(t *testing.T) {
	span := func(oldest, newest release.Level) release.Release {
		return release.Release{Version: "0.9.0", Oldest: oldest, Newest: newest}
	}
	for _, c := range []struct {
		own, other release.Release
		cluster    release.Level
		want       string // part of the refusal; "" for none
	}{
		{span(2, 3), span(1, 2), 2, ""},
		{span(2, 3), span(3, 4), 3, ""},
		{span(2, 3), span(4, 5), 3, "no level in common"},
		{span(2, 3), span(1, 1), 2, "no level in common"},
		{span(2, 3), span(1, 2), 3, "at level 3 already: a cluster never goes back"},
		{span(2, 3), span(3, 4), 2, "at level 2 yet: upgrade all nodes to a release that knows level 2"},
		{span(2, 3), span(3, 4), 0, ""},
	} {
		why := c.own.Refuses(c.other, c.cluster)
		if (why == "") != (c.want == "") || !strings.Contains(why, c.want) {
			t.Errorf("%v and %v at level %d: %q, wanted %q", c.own, c.other, c.cluster, why, c.want)
		}
	}
}

// This program works with the one before it, in the cluster that that one left.
func TestOwn(t *testing.T) {
	own := release.Own("0.1.0")
	if own.Newest > own.Oldest+1 {
		t.Errorf("%v: the release before the last is nobody's to work with", own)
	}
	for verb := range 256 {
		if f := release.Of(uint8(verb)); f.Level > own.Newest || f.Level > 0 && f.Name == "" {
			t.Errorf("verb %d waits for %+v, which this program never reaches", verb, f)
		}
	}
	if read, err := release.Parse(own.Encode()); err != nil || read != own {
		t.Errorf("%v was read as %v, %v", own, read, err)
	}
	if silent, err := release.Parse(""); err != nil || silent.Newest != release.Silent {
		t.Errorf("who says nothing is %v, %v", silent, err)
	}
}

// What is read is said in the same words, whatever comes.
func FuzzParse(f *testing.F) {
	for _, said := range []string{"", "1-2", "1-2 0.1.0-dev+b01b739.dirty", "2-1", "0-1", "1-2 ", "1",
		"01-2", "1-4294967296", "1-2 a b", "1-2 \x1b[2J", "1-2 " + strings.Repeat("1", 65)} {
		f.Add(said)
	}
	f.Fuzz(func(t *testing.T, said string) {
		r, err := release.Parse(said)
		if err == nil && said != "" && r.Encode() != said {
			t.Errorf("%q was read as %q", said, r.Encode())
		}
		if err == nil && (r.Oldest == 0 || r.Oldest > r.Newest) {
			t.Errorf("%q gives levels %d to %d", said, r.Oldest, r.Newest)
		}
	})
}

// What can't be read stops every program.
func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add(release.EncodeRecord(3))
	f.Fuzz(func(t *testing.T, value []byte) {
		level := release.DecodeRecord(value, true)
		if string(release.EncodeRecord(level)) != string(value) && release.Own("").Outside(level) == "" {
			t.Errorf("%x is taken for level %d", value, level)
		}
	})
}

// What people are told of a cluster's programs, and whom a feature waits for.
func TestOutlook(t *testing.T) {
	one := release.Release{Version: "0.1.0", Oldest: 1, Newest: 2}
	next := release.Release{Version: "0.2.0", Oldest: 2, Newest: 3}
	far := release.Release{Version: "0.9.0", Oldest: 7, Newest: 8}
	nodes := func(releases ...release.Release) (list []release.Node) {
		for i, r := range releases {
			list = append(list, release.Node{Name: string(rune('a' + i)), Known: r.Newest > 0, Release: r})
		}
		return list
	}
	for _, c := range []struct {
		nodes   []release.Node
		cluster release.Level
		want    string
	}{
		{nodes(one, one), 2, ""},
		{nodes(one, next, one), 2, "Nodes run different versions: a, c 0.1.0; b 0.2.0. The cluster is " +
			"at level 2; what needs level 3 waits until a and c are upgraded."},
		{nodes(next, next, release.Release{}), 2, "The cluster is at level 2; what needs level 3 waits " +
			"until c answers."},
		{nodes(one, far), 2, "Nodes run different versions: a 0.1.0; b 0.9.0. Node b takes no part: it " +
			"runs 0.9.0 (levels 7 to 8), and this node runs 0.1.0 (levels 1 to 2): they know no level in " +
			"common. Go from one release to the next, and skip none."},
	} {
		if said := strings.Join(release.Outlook(one, c.cluster, c.nodes), " "); said != c.want {
			t.Errorf("%v at level %d:\n%s\nwanted\n%s", c.nodes, c.cluster, said, c.want)
		}
	}
	feature := release.Feature{Name: "a change of shares", Level: 3}
	if feature.Wait(3, nodes(one)) != nil {
		t.Error("it waits although the cluster is there")
	}
	want := "a change of shares needs level 3 and the cluster is at level 2: it waits until b is " +
		"upgraded and c answers"
	err := feature.Wait(2, nodes(next, one, release.Release{}))
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwanted\n%s", err, want)
	}
}
