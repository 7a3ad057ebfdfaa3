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

// Call calls node i's operator plane with the root token; the test fails unless it succeeds. in is
// sent as JSON, out filled from the answer's.
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
	return c.tryWithin(40*time.Second, i, method, path, in, out)
}

func (c *Cluster) tryWithin(limit time.Duration, i int, method, path string, in, out any) (int,
	error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
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
		return answer.StatusCode,
			fmt.Errorf("testcluster: %s %s at node %d: %s: %s", method, path, i, answer.Status, content)
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

// Grant replaces what an application may do in a vault, through node i. Permissions have Azure's
// names; "all" is every one of them.
func (c *Cluster) Grant(i int, vault, app string, keys, secrets []string) {
	c.t.Helper()
	c.Call(i, "PUT", "/v1/keyquorum/vaults/"+vault+"/grants/"+app,
		map[string][]string{"keys": keys, "secrets": secrets}, nil)
}
