package frontdoor

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"keyquorum/internal/overlay"
)

// mortal are edits that have a joining node kill itself at the step that its environment names.
var mortal = []overlay.Edit{
	{File: "keyquorum/node/die.go", New: `package node

import (
	"os"
	"syscall"
)

func dieAt(step string) {
	if os.Getenv("DIE_AT") == step {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
`},
	{File: "keyquorum/node/join.go", Old: "\treturn n.askLocked(ctx, opener, csr)\n",
		New: "\tdieAt(\"its id is kept\")\n\treturn n.askLocked(ctx, opener, csr)\n"},
	{File: "keyquorum/node/join.go", Old: "\tplain, err := proof.accept(admission)\n",
		New: "\tdieAt(\"it is admitted\")\n\tplain, err := proof.accept(admission)\n"},
	{File: "keyquorum/node/member.go", Old: "\treturn storage.RenameDir(temporary, dir)\n",
		New: "\tdieAt(\"its folder is made\")\n\terr = storage.RenameDir(temporary, dir)\n" +
			"\tdieAt(\"its folder is in place\")\n\treturn err\n"},
	{File: "keyquorum/node/join.go", Old: "\tn.joining, n.ceremony = nil, nil\n",
		New: "\tdieAt(\"it may open its folder\")\n\tn.joining, n.ceremony = nil, nil\n"},
}

// TestJoinThatIsKilledGoesOn kills a joining node at each step. When it is started again it finds
// its cluster, or is a member, and needs nothing but its shares; and there is one member more, under
// the id that the cluster was told first.
func TestJoinThatIsKilledGoesOn(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl, with which docs/running.md makes certificates")
	}
	mortals := buildMortal(t)
	o := follow(t)
	o.prepare("a", "10.0.0.1")
	a := o.serve("a")
	shares := o.found()
	o.seeking("b")
	for _, step := range []string{"", "its id is kept", "it is admitted", "its folder is made",
		"its folder is in place", "it may open its folder"} {
		b := o.serve("b", "PATH="+mortals+":"+os.Getenv("PATH"), "DIE_AT="+step)
		o.awaitFound("b")
		if step == "" { // while it waits for its shares
			o.sh("b", o.at("b")+"keyquorum operator unseal - || true", shares[0])
			_ = b.Process.Kill()
		} else {
			for _, share := range shares {
				o.sh("b", o.at("b")+"keyquorum operator unseal - >told 2>&1 || true", share)
			}
		}
		if err := b.Wait(); err == nil || b.ProcessState.Sys().(syscall.WaitStatus).Signal() !=
			syscall.SIGKILL {
			t.Fatalf("at the step %q the node ended with %v", step, err)
		}
		id := o.idAt("a", "b")
		b = o.serve("b")
		if step != "its folder is in place" && step != "it may open its folder" {
			o.awaitFound("b")
		}
		o.unseal("b", shares)
		o.awaitVoters("a", "a", "b")
		if now := o.idAt("a", "b"); id != "" && now != id {
			t.Errorf("killed at the step %q, the node comes back as %s, and was %s", step, now, id)
		}
		o.leave("b", b)
	}
	_ = a.Process.Signal(syscall.SIGTERM)
	if err := a.Wait(); err != nil {
		t.Errorf("the first node ended with %v", err)
	}
}

// buildMortal builds the program with such edits, and returns its folder.
func buildMortal(t *testing.T) (dir string) {
	t.Helper()
	edits, err := overlay.Write(t.TempDir(), mortal)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-overlay", edits, "-o", dir+"/",
		"keyquorum/cmd/keyquorum")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOEXPERIMENT=runtimesecret")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func (o *operations) awaitFound(machine string) {
	o.t.Helper()
	o.until(machine+" has found its cluster", func() bool {
		return strings.Contains(o.joining(machine), "enough unseal shares")
	})
}

// idAt is what the cluster calls the node of a machine, "" where it is no member.
func (o *operations) idAt(asked, machine string) string {
	o.t.Helper()
	for _, p := range o.peers(asked) {
		if strings.HasPrefix(p.Address, o.net+o.host[machine]+":") {
			return p.ID
		}
	}
	return ""
}

// leave removes the node of a machine, and empties its folder.
func (o *operations) leave(machine string, node *exec.Cmd) {
	o.t.Helper()
	o.sh("a", o.at("a")+"keyquorum operator raft remove-peer "+o.idAt("a", machine), "")
	_ = node.Process.Kill()
	_ = node.Wait()
	if err := os.RemoveAll(filepath.Join(o.dir, machine, "data")); err != nil {
		o.t.Fatal(err)
	}
}
