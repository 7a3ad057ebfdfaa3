package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/operator"
)

func TestExportsSurviveAShell(t *testing.T) {
	for _, value := range []string{"plain", "", "two words", "it's", `back\slash $HOME "quoted"`, "https://demo.vault.localhost:8200,b=c"} {
		script := exports([]devVariable{{"KQ_VALUE", value}}) + `printf %s "$KQ_VALUE"`
		out, err := exec.Command("sh", "-c", script).Output()
		if err != nil || string(out) != value {
			t.Errorf("%q came out of the shell as %q (error %v)", value, out, err)
		}
	}
}

func TestDevClusterStaysAtItsPorts(t *testing.T) {
	for _, row := range []struct{ made, asked, want int }{
		{0, 0, 8200}, {0, 9000, 9000}, {9000, 0, 9000}, {9000, 9000, 9000},
	} {
		s := devState{Port: row.made}
		if err := s.choosePort(row.asked); err != nil || s.Port != row.want {
			t.Errorf("made at %d, asked for %d: port %d, error %v; want %d", row.made, row.asked, s.Port, err, row.want)
		}
	}
	s := devState{Port: 9000}
	if err := s.choosePort(8200); err == nil || !strings.Contains(err.Error(), "9000") {
		t.Errorf("asked to move: %v, which does not name the port it was made with", err)
	}
}

func TestOnlyOneDevClusterInAFolder(t *testing.T) {
	folder := devFolder(t.TempDir())
	if _, err := folder.owner(); err == nil || !strings.Contains(err.Error(), "no dev cluster runs") {
		t.Errorf("an empty folder: %v", err)
	}
	lock, err := folder.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.lock(); err == nil || !strings.Contains(err.Error(), "runs in") {
		t.Errorf("a second cluster in a folder: %v", err)
	}
	if _, err := folder.owner(); err != nil {
		t.Errorf("the owner of a locked folder: %v", err)
	}
	lock.Close()
	if _, err := folder.owner(); err == nil {
		t.Error("a folder whose owner has gone still has one")
	}
}

func TestEachNodeNamesItsOwnVaultFirst(t *testing.T) {
	addresses := devAddresses(9000)
	got := strings.Join(vaultURLs(9000, addresses[1]), " ")
	want := "https://demo.vault.localhost:9010 https://demo.vault.localhost:9000 https://demo.vault.localhost:9020"
	if got != want {
		t.Errorf("URLs of node 2: %s, want %s", got, want)
	}
}

// TestExecKeepsTheCallersApplication runs a command as somebody who has set an application of their own, and as somebody who has
// what an environment file of the cluster has given them.
func TestExecKeepsTheCallersApplication(t *testing.T) {
	dir := t.TempDir()
	folder := devFolder(filepath.Join(dir, ".keyquorum-dev"))
	if err := os.Mkdir(string(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	state := devState{Port: freeBase(t), Init: &operator.InitResult{RootToken: "root"}, App: &devSecret{ClientID: "demo-id", Secret: "demo-secret"}}
	if err := folder.save(state); err != nil {
		t.Fatal(err)
	}
	first, second := devAddresses(state.Port)[0], devAddresses(state.Port)[1]
	for _, row := range []struct {
		name             string
		set              []string
		id, secret, host string
	}{
		{"nothing set", nil, "demo-id", "demo-secret", second.loginURL()},
		{"another node's", []string{"AZURE_CLIENT_ID=demo-id", "AZURE_AUTHORITY_HOST=" + first.loginURL()}, "demo-id", "demo-secret", second.loginURL()},
		{"both", []string{"AZURE_CLIENT_ID=own-id", "AZURE_CLIENT_SECRET=own-secret"}, "own-id", "own-secret", second.loginURL()},
		{"an id alone", []string{"AZURE_CLIENT_ID=own-id"}, "own-id", "", second.loginURL()},
		{"a secret with our id", []string{"AZURE_CLIENT_ID=demo-id", "AZURE_CLIENT_SECRET=own-secret"}, "demo-id", "own-secret", second.loginURL()},
		{"an authority", []string{"AZURE_AUTHORITY_HOST=https://own"}, "demo-id", "demo-secret", "https://own"},
	} {
		cmd := keyquorum(t.Context(), dir, "dev", "exec", "-node=2", "--", "sh", "-c",
			`echo "$AZURE_CLIENT_ID $AZURE_CLIENT_SECRET $AZURE_AUTHORITY_HOST $VAULT_ADDR"`)
		cmd.Env = append(slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "AZURE_") }),
			append(row.set, "VAULT_ADDR=https://elsewhere")...)
		o := ended(t, cmd)
		want := strings.Join([]string{row.id, row.secret, row.host, second.api()}, " ") + "\n"
		if o.code != 0 || o.stdout != want {
			t.Errorf("%s: exit code %d, %q, want %q; %s", row.name, o.code, o.stdout, want, o.stderr)
		}
	}
}

func TestDevSaysThatAPortIsTaken(t *testing.T) {
	dir, base := t.TempDir(), freeBase(t)
	taken, err := net.Listen("tcp", devAddresses(base)[1].cluster())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := call(t, dir, "dev", "-port="+strconv.Itoa(base))
	if o.code != 1 || !strings.Contains(o.complaint(), taken.Addr().String()+" is in use") || !strings.Contains(o.complaint(), "--port") {
		t.Errorf("exit code %d, saying %s", o.code, o.stderr)
	}
	if s, err := devFolder(filepath.Join(dir, ".keyquorum-dev")).state(); err != nil || s.Port != 0 {
		t.Errorf("a port that was taken is kept: %+v, %v", s, err)
	}
}
