package dev

import (
	"os/exec"
	"strings"
	"testing"
)

func TestExportsSurviveAShell(t *testing.T) {
	for _, value := range []string{"plain", "", "two words", "it's", `back\slash $HOME "quoted"`,
		"https://demo.vault.localhost:8200,b=c"} {
		script := exports([]variable{{"KQ_VALUE", value}}) + `printf %s "$KQ_VALUE"`
		out, err := exec.Command("sh", "-c", script).Output()
		if err != nil || string(out) != value {
			t.Errorf("%q came out of the shell as %q (error %v)", value, out, err)
		}
	}
}

func TestDevClusterStaysAtItsPorts(t *testing.T) {
	for _, row := range []struct {
		made  int
		asked bool
		port  int
		want  int
	}{
		{0, false, 8200, 8200}, {0, true, 9000, 9000}, {9000, false, 8200, 9000},
		{9000, true, 9000, 9000},
		{9000, true, 0, 9000},
	} {
		s := State{Layout: Layout{Port: row.made}}
		err := s.chooseLayout(&options{port: row.port, asked: row.asked})
		if err != nil || s.Port != row.want {
			t.Errorf("%+v: port %d, error %v", row, s.Port, err)
		}
	}
	s := State{Layout: Layout{Port: 9000}}
	err := s.chooseLayout(&options{port: 8200, asked: true})
	if err == nil || !strings.Contains(err.Error(), "9000") {
		t.Errorf("asked to move: %v, which does not name the port it was made with", err)
	}
	free := State{}
	if err := free.chooseLayout(&options{asked: true}); err != nil || free.Port == 0 {
		t.Errorf("asked for any ports: %d, %v", free.Port, err)
	}
}

func TestOnlyOneDevClusterInAFolder(t *testing.T) {
	folder := Folder(t.TempDir())
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
	addresses := Addresses(9000)
	got := strings.Join(Layout{Port: 9000}.vaultURLs(addresses[1]), " ")
	want := "https://demo.vault.localhost:9010 https://demo.vault.localhost:9000 https://demo.vault.localhost:9020"
	if got != want {
		t.Errorf("URLs of node 2: %s, want %s", got, want)
	}
}
