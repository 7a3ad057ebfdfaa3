package testcluster

import "keyquorum/prove"

// Target is the cluster as prove sees it: every node that is a member now, and how to reach it and
// no other.
func (c *Cluster) Target() prove.Target {
	t := prove.Target{VaultURL: c.VaultURL, LoginURL: c.LoginURL(), Token: c.Token}
	for i := range c.size {
		if !c.removed[i] {
			t.Nodes = append(t.Nodes, prove.Node{Name: nodeName(i), URL: c.URL(i), HTTP: c.Client(i)})
		}
	}
	return t
}
