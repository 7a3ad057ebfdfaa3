package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/cmd/keyquorum/operator"
)

// TestExecKeepsTheCallersApplication runs a command as somebody who has set an application of their
// own, and as somebody who has what an environment file of the cluster has given them.
func TestExecKeepsTheCallersApplication(t *testing.T) {
	dir := t.TempDir()
	folder := dev.Folder(filepath.Join(dir, ".keyquorum-dev"))
	if err := os.Mkdir(string(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	state := dev.State{Layout: dev.Layout{Port: freeBase(t)},
		Init: &operator.InitResult{RootToken: "root"},
		App:  &dev.Credential{ClientID: "demo-id", Secret: "demo-secret"}}
	if err := folder.Save(state); err != nil {
		t.Fatal(err)
	}
	first, second := dev.Addresses(state.Port)[0], dev.Addresses(state.Port)[1]
	for _, row := range []struct {
		name             string
		set              []string
		id, secret, host string
	}{
		{"nothing set", nil, "demo-id", "demo-secret", second.LoginURL()},
		{"another node's", []string{"AZURE_CLIENT_ID=demo-id",
			"AZURE_AUTHORITY_HOST=" + first.LoginURL()}, "demo-id", "demo-secret", second.LoginURL()},
		{"both", []string{"AZURE_CLIENT_ID=own-id", "AZURE_CLIENT_SECRET=own-secret"}, "own-id",
			"own-secret", second.LoginURL()},
		{"an id alone", []string{"AZURE_CLIENT_ID=own-id"}, "own-id", "", second.LoginURL()},
		{"a secret with our id", []string{"AZURE_CLIENT_ID=demo-id", "AZURE_CLIENT_SECRET=own-secret"},
			"demo-id", "own-secret", second.LoginURL()},
		{"an authority", []string{"AZURE_AUTHORITY_HOST=https://own"}, "demo-id", "demo-secret",
			"https://own"},
	} {
		cmd := keyquorum(t.Context(), dir, "dev", "exec", "-node=2", "--", "sh", "-c",
			`echo "$AZURE_CLIENT_ID $AZURE_CLIENT_SECRET $AZURE_AUTHORITY_HOST $VAULT_ADDR"`)
		cmd.Env = append(slices.DeleteFunc(cmd.Env,
			func(v string) bool { return strings.HasPrefix(v, "AZURE_") }),
			append(row.set, "VAULT_ADDR=https://elsewhere")...)
		o := ended(t, cmd)
		want := strings.Join([]string{row.id, row.secret, row.host, second.API()}, " ") + "\n"
		if o.code != 0 || o.stdout != want {
			t.Errorf("%s: exit code %d, %q, want %q; %s", row.name, o.code, o.stdout, want, o.stderr)
		}
	}
}

func TestDevSaysThatAPortIsTaken(t *testing.T) {
	dir, base := t.TempDir(), freeBase(t)
	taken, err := net.Listen("tcp", dev.Addresses(base)[1].Cluster())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := call(t, dir, "dev", "-port="+strconv.Itoa(base))
	if o.code != 1 || !strings.Contains(o.complaint(), taken.Addr().String()+" is in use") ||
		!strings.Contains(o.complaint(), "--port") {
		t.Errorf("exit code %d, saying %s", o.code, o.stderr)
	}
	if s, err := dev.Folder(filepath.Join(dir, ".keyquorum-dev")).State(); err != nil || s.Port != 0 {
		t.Errorf("a port that was taken is kept: %+v, %v", s, err)
	}
}
