package testcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Start runs node i, which is not running, and returns when it answers.
func (c *Cluster) Start(i int) {
	c.t.Helper()
	c.must(c.kind.start(i))
	c.running[i] = true
	c.await(fmt.Sprintf("node %d answers", i), func() bool {
		_, err := c.try(i, "GET", "/v1/sys/seal-status", nil, nil)
		return err == nil
	})
}

// Kill ends node i at once: SIGKILL to a process.
func (c *Cluster) Kill(i int) { c.end(i, c.kind.kill) }

// Stop ends node i in order: SIGTERM to a process.
func (c *Cluster) Stop(i int) { c.end(i, c.kind.stop) }

func (c *Cluster) end(i int, how func(int)) {
	how(i)
	c.running[i] = false
	c.clients[i].CloseIdleConnections()
}

// Restart kills node i where it runs, and starts it. It is sealed after that.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	if c.running[i] {
		c.Kill(i)
	}
	c.Start(i)
}

// Unseal gives node i its shares and waits until it is unsealed.
func (c *Cluster) Unseal(i int) {
	c.t.Helper()
	for _, share := range c.Shares[:2] {
		c.Call(i, "PUT", "/v1/sys/unseal", map[string]string{"key": share}, nil)
	}
	c.await(fmt.Sprintf("node %d is unsealed", i), func() bool {
		var status struct {
			Sealed bool `json:"sealed"`
		}
		_, err := c.try(i, "GET", "/v1/sys/seal-status", nil, &status)
		return err == nil && !status.Sealed
	})
}

// Seal seals node i.
func (c *Cluster) Seal(i int) {
	c.t.Helper()
	c.Call(i, "PUT", "/v1/sys/seal", nil, nil)
}

// Leader waits for a leader among the running nodes, sealed or not, and returns it.
func (c *Cluster) Leader() int {
	c.t.Helper()
	leader := -1
	c.await("there is a leader", func() bool {
		for i := range c.hosts {
			if c.running[i] && c.leads(i) {
				leader = i
				return true
			}
		}
		return false
	})
	return leader
}

// leads asks the node's health with the codes of a sealed leader and an unsealed one told apart from all others.
func (c *Cluster) leads(i int) bool {
	var leader struct {
		IsSelf bool `json:"is_self"`
	}
	_, err := c.try(i, "GET", "/v1/sys/leader", nil, &leader)
	return err == nil && leader.IsSelf
}

func (c *Cluster) voters() int {
	var answer struct {
		Data struct {
			Config struct {
				Servers []struct {
					Voter bool `json:"voter"`
				} `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	if _, err := c.try(0, "GET", "/v1/sys/storage/raft/configuration", nil, &answer); err != nil {
		return 0
	}
	voters := 0
	for _, s := range answer.Data.Config.Servers {
		if s.Voter {
			voters++
		}
	}
	return voters
}

// Call calls node i's operator plane with the root token; the test fails unless it succeeds. in is sent as JSON, out filled
// from the answer's.
func (c *Cluster) Call(i int, method, path string, in, out any) {
	c.t.Helper()
	if _, err := c.try(i, method, path, in, out); err != nil {
		c.t.Fatal(err)
	}
}

// Status makes the same call and returns the status of the answer, whatever it is.
func (c *Cluster) Status(i int, method, path string, in any) int {
	c.t.Helper()
	status, err := c.try(i, method, path, in, nil)
	if status == 0 {
		c.t.Fatal(err)
	}
	return status
}

func (c *Cluster) try(i int, method, path string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.URL(i)+path, body)
	if err != nil {
		return 0, err
	}
	if c.Token != "" {
		r.Header.Set("X-Vault-Token", c.Token)
	}
	answer, err := c.clients[i].Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	if err != nil {
		return 0, err
	}
	if answer.StatusCode >= 300 {
		return answer.StatusCode, fmt.Errorf("testcluster: %s %s at node %d: %s: %s", method, path, i, answer.Status, content)
	}
	if out == nil {
		return answer.StatusCode, nil
	}
	return answer.StatusCode, json.Unmarshal(content, out)
}

// An App is an application with a client secret.
type App struct{ ClientID, Secret string }

// NewVault makes a vault through node 0.
func (c *Cluster) NewVault(name string) {
	c.t.Helper()
	c.Call(0, "POST", "/v1/keyquorum/vaults", map[string]string{"name": name}, nil)
}

// NewApp makes an application with a client secret through node 0.
func (c *Cluster) NewApp(name string) App {
	c.t.Helper()
	c.Call(0, "POST", "/v1/keyquorum/apps", map[string]string{"name": name}, nil)
	var credential struct {
		Data struct {
			ClientID string `json:"client_id"`
			Secret   string `json:"secret"`
		} `json:"data"`
	}
	c.Call(0, "POST", "/v1/keyquorum/apps/"+name+"/credentials", nil, &credential)
	return App{ClientID: credential.Data.ClientID, Secret: credential.Data.Secret}
}

// Grant replaces what an application may do in a vault, through node i.
func (c *Cluster) Grant(i int, vault, app string, keys, secrets []string) {
	c.t.Helper()
	c.Call(i, "PUT", "/v1/keyquorum/vaults/"+vault+"/grants/"+app, map[string][]string{"keys": keys, "secrets": secrets}, nil)
}
