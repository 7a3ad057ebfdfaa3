package testcluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// What operators do to a whole cluster while it suffers: they change its keys, its shares and its
// members (placements.go), and go back to a snapshot. Nobody waits for the end of it but Recover,
// so that other faults come in between.
type ceremonies struct {
	underWay sync.WaitGroup
	now      func() int64 // places restores in a history; nil: nobody wants to know

	mu       sync.Mutex
	tallies  map[string]Tally
	shares   [][]string // what rekeys have shown that may be in force, the oldest first
	inForce  []string   // what the last one has shown that is; nil: c.Shares
	restores []Restore
}

// A Restore is a snapshot that was taken while the cluster suffered, and given back.
type Restore struct {
	Saved, Put Span
	Done       bool // else its outcome is not known
}

// A Tally says how often something was begun, and how often it was done to its end.
type Tally struct{ Begun, Done int }

func (c *ceremonies) began(name string) { c.count(name, Tally{Begun: 1}) }
func (c *ceremonies) did(name string)   { c.count(name, Tally{Done: 1}) }

func (c *ceremonies) count(name string, more Tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tallies == nil {
		c.tallies = map[string]Tally{}
	}
	t := c.tallies[name]
	c.tallies[name] = Tally{t.Begun + more.Begun, t.Done + more.Done}
}

// Ceremonies are what operators have begun since Witness, by the name of the fault. What could not
// be begun as the cluster was then is not counted: a node that is to rotate the keys is down.
func (c *Cluster) Ceremonies() map[string]Tally {
	c.ceremonies.mu.Lock()
	defer c.ceremonies.mu.Unlock()
	return maps.Clone(c.ceremonies.tallies)
}

// Restores are those that were made since Witness.
func (c *Cluster) Restores() []Restore {
	c.ceremonies.mu.Lock()
	defer c.ceremonies.mu.Unlock()
	return c.ceremonies.restores
}

// Witness forgets the ceremonies so far. Restores that come are given their places in a history by
// now.
func (c *Cluster) Witness(now func() int64) {
	c.ceremonies.mu.Lock()
	defer c.ceremonies.mu.Unlock()
	c.ceremonies.now, c.ceremonies.restores, c.ceremonies.tallies = now, nil, nil
}

// A Span is the places of a call and its return in a history.
type Span struct{ Called, Returned int64 }

// ceremonyTime is longer than a node takes for one that nothing disturbs any more.
const ceremonyTime = 2 * time.Minute

// beginRestore has a snapshot of node i given back at node j.
func (c *Cluster) beginRestore(i, j int) {
	if !c.present(i) || !c.present(j) || c.ceremonies.now == nil {
		return
	}
	c.ceremonies.began("restore")
	c.ceremonies.underWay.Go(func() {
		const path = "/v1/sys/storage/raft/snapshot"
		now, one := c.ceremonies.now, Restore{}
		one.Saved.Called = now()
		file, status, err := c.raw(i, "GET", path, nil)
		one.Saved.Returned = now()
		if err != nil || status != http.StatusOK {
			return
		}
		one.Put.Called = now()
		_, status, err = c.raw(j, "POST", path, file)
		one.Put.Returned = now()
		if one.Done = err == nil && status == http.StatusNoContent; one.Done {
			c.ceremonies.did("restore")
		}
		c.ceremonies.mu.Lock()
		defer c.ceremonies.mu.Unlock()
		c.ceremonies.restores = append(c.ceremonies.restores, one)
	})
}

// raw makes a call whose bodies are no JSON.
func (c *Cluster) raw(i int, method, path string, body []byte) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), ceremonyTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.URL(i)+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("X-Vault-Token", c.Token)
	answer, err := c.clients[i].Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return content, answer.StatusCode, err
}

// beginRekey changes the shares at node i. The new ones are shown before they are in force, so that
// whatever happens somebody has them.
func (c *Cluster) beginRekey(i int) {
	if !c.present(i) {
		return
	}
	old := c.candidates()[0][:2]
	c.ceremonies.began("rekey")
	c.ceremonies.underWay.Go(func() {
		if shown, err := c.rekey(i, old); err == nil {
			c.ceremonies.did("rekey")
			c.ceremonies.mu.Lock()
			defer c.ceremonies.mu.Unlock()
			c.ceremonies.shares, c.ceremonies.inForce = nil, shown
		}
	})
}

// rekey returns the shares that are in force after it. If it fails, those that it has shown may be.
func (c *Cluster) rekey(i int, old []string) (shown []string, err error) {
	var ceremony struct {
		Nonce        string   `json:"nonce"`
		Verification string   `json:"verification_nonce"`
		Keys         []string `json:"keys"`
	}
	call := func(path string, in any) error {
		_, err := c.tryWithin(ceremonyTime, i, "PUT", "/v1/sys/rekey/"+path, in, &ceremony)
		return err
	}
	if err := call("init", map[string]any{"secret_shares": 3, "secret_threshold": 2,
		"require_verification": true}); err != nil {
		return nil, err
	}
	nonce := ceremony.Nonce
	for _, share := range old {
		if err := call("update", map[string]string{"key": share, "nonce": nonce}); err != nil {
			return nil, err
		}
	}
	if len(ceremony.Keys) != 3 {
		return nil, fmt.Errorf("testcluster: a rekey has shown %d shares", len(ceremony.Keys))
	}
	shown = ceremony.Keys
	c.ceremonies.mu.Lock()
	c.ceremonies.shares = append(c.ceremonies.shares, shown)
	c.ceremonies.mu.Unlock()
	for _, share := range shown[:2] {
		if err := call("verify", map[string]string{"key": share,
			"nonce": ceremony.Verification}); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// rotate changes the keyring at node i.
func (c *Cluster) rotate(i int) {
	if !c.present(i) {
		return
	}
	c.ceremonies.began("rotate")
	if c.ask(i, "/v1/sys/rotate") == nil {
		c.ceremonies.did("rotate")
	}
}

// candidates are shares that may be those of now.
func (c *Cluster) candidates() (all [][]string) {
	c.ceremonies.mu.Lock()
	defer c.ceremonies.mu.Unlock()
	if c.ceremonies.inForce != nil {
		c.Shares = c.ceremonies.inForce
	}
	all = append(all, c.Shares)
	for i := len(c.ceremonies.shares) - 1; i >= 0; i-- {
		all = append(all, c.ceremonies.shares[i])
	}
	return all
}
