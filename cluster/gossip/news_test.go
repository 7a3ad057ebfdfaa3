package gossip_test

import (
	"testing"

	"github.com/hashicorp/memberlist"

	"keyquorum/cluster/gossip"
	"keyquorum/cluster/wire"
)

// People look for a node by its name when it is gone: that stays, and what it said of its state
// goes.
func TestANodeThatIsGoneKeepsItsName(t *testing.T) {
	g := gossip.New(gossip.Config{}, gossip.Member{})
	meta, err := wire.Encode(gossip.News{Cluster: "10.0.0.1:8201", Label: "n1", Region: "eu"})
	if err != nil {
		t.Fatal(err)
	}
	tell := g.Events()
	tell.NotifyJoin(&memberlist.Node{Name: "1", Meta: meta})
	if n, there := g.Of("1"); !there || n.Label != "n1" {
		t.Fatalf("heard %+v, %v", n, there)
	}
	tell.NotifyLeave(&memberlist.Node{Name: "1"})
	if n, there := g.Of("1"); there {
		t.Errorf("it is gone, and there is %+v", n)
	}
	if n := g.Last("1"); n.Label != "n1" || n.Region != "eu" {
		t.Errorf("its last words are %+v", n)
	}
	for i := range 3000 { // who has the gossip key makes nodes up
		tell.NotifyJoin(&memberlist.Node{Name: string(rune('A' + i)), Meta: meta})
		tell.NotifyLeave(&memberlist.Node{Name: string(rune('A' + i))})
	}
	if n := g.Heard(); n > 1024 {
		t.Errorf("%d nodes are kept", n)
	}
	tell.NotifyJoin(&memberlist.Node{Name: "new", Meta: meta})
	if _, there := g.Of("new"); !there {
		t.Error("those that are gone leave no room for one that comes")
	}
}
