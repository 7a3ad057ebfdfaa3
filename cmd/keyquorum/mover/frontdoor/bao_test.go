package frontdoor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// servers are those that a test of `import vault` runs with: one that keeps to the documentation,
// and a real OpenBao where there is one (bao on PATH).
var servers = map[string]func(*testing.T) *server{
	"documented": func(t *testing.T) *server { return newFake(t).server },
	"bao":        startBao,
}

const baoToken = "root-of-the-test"

// startBao starts a server of OpenBao that keeps nothing, with the mounts that a fake has.
func startBao(t *testing.T) *server {
	t.Helper()
	bao, err := exec.LookPath("bao")
	if err != nil {
		t.Skip("there is no bao on this machine")
	}
	folder := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.CommandContext(context.Background(), bao, "server", "-dev", "-dev-tls",
		"-dev-tls-cert-dir="+folder, "-dev-listen-address="+address, "-dev-no-store-token",
		"-dev-root-token-id="+baoToken)
	cmd.Env = append(os.Environ(), "HOME="+folder)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	file := filepath.Join(folder, "vault-ca.pem")
	s := awaitBao(t, "https://"+address, file)
	mounts := map[string]any{
		"old":     map[string]any{"type": "kv", "options": map[string]string{"version": "1"}},
		"transit": map[string]any{"type": "transit"},
		"pki":     map[string]any{"type": "pki"},
	}
	for name, mount := range mounts {
		s.do(t, http.MethodPost, "sys/mounts/"+name, mount)
	}
	return s
}

// awaitBao waits until its KV takes secrets.
func awaitBao(t *testing.T, address, file string) *server {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if _, err := os.Stat(file); err != nil {
			continue
		}
		s := newServer(t, address, file, baoToken)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			address+"/v1/secret/metadata/?list=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Vault-Token", baoToken)
		answer, err := s.client.Do(r)
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusNotFound { // it is ready, and empty
			return s
		}
	}
	t.Fatal(fmt.Errorf("no OpenBao answers at %s", address))
	return nil
}
