package frontdoor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"keyquorum/internal/overlay"
)

// mortal are edits that have a node kill itself at the step of a join that its environment names.
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
	{File: "keyquorum/node/admit.go", Old: "\tif err := m.cluster.Add(ctx, ",
		New: "\tdieAt(\"another node is expected\")\n\tif err := m.cluster.Add(ctx, "},
	{File: "keyquorum/node/admit.go", Old: "\ttrust, err := m.cluster.Trusted()",
		New: "\tdieAt(\"another node is added\")\n\ttrust, err := m.cluster.Trusted()"},
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
	o, a, shares := oneMember(t)
	for _, step := range []string{"", "its id is kept", "it is admitted", "its folder is made",
		"its folder is in place", "it may open its folder"} {
		b := o.serve("b", mortally(t, step)...)
		o.awaitFound("b")
		if step == "" { // while it waits for its shares
			o.sh("b", o.at("b")+"keyquorum operator unseal - || true", shares[0])
			_ = b.Process.Kill()
		} else {
			for _, share := range shares {
				o.sh("b", o.at("b")+"keyquorum operator unseal - >told 2>&1 || true", share)
			}
		}
		killedItself(t, step, b)
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

// TestMemberThatIsKilledWhileItAdmits dies before and after the cluster has the new node. That one
// waits, finds a member again, and is one member more.
func TestMemberThatIsKilledWhileItAdmits(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl, with which docs/running.md makes certificates")
	}
	o, a, shares := oneMember(t)
	for _, step := range []string{"another node is expected", "another node is added"} {
		_ = a.Process.Kill()
		_ = a.Wait()
		a = o.serve("a", mortally(t, step)...)
		o.unseal("a", shares)
		b := o.serve("b")
		o.awaitFound("b")
		for _, share := range shares {
			o.sh("b", o.at("b")+"keyquorum operator unseal - >told 2>&1 || true", share)
		}
		killedItself(t, step, a)
		a = o.serve("a")
		o.unseal("a", shares)
		id := o.idAt("a", "b")
		if is := id != ""; is != (step == "another node is added") {
			t.Errorf("killed when %s, it has the new node as %q", step, id)
		}
		o.unseal("b", shares)
		o.awaitVoters("a", "a", "b")
		if now := o.idAt("a", "b"); id != "" && now != id {
			t.Errorf("killed when %s, the new node is %s, and was %s", step, now, id)
		}
		o.leave("b", b)
	}
}

// oneMember is a cluster of machine a, and a machine b whose node looks for it.
func oneMember(t *testing.T) (o *operations, a *exec.Cmd, shares []string) {
	t.Helper()
	o = follow(t)
	o.prepare("a", "10.0.0.1")
	a = o.serve("a")
	shares = o.found()
	o.seeking("b")
	return o, a, shares
}

// killedItself waits for the end of a node, which must be that.
func killedItself(t *testing.T, step string, node *exec.Cmd) {
	t.Helper()
	if err := node.Wait(); err == nil || node.ProcessState.Sys().(syscall.WaitStatus).Signal() !=
		syscall.SIGKILL {
		t.Fatalf("at the step %q the node ended with %v", step, err)
	}
}

// mortalProgram builds the program with such edits, once, beside the one that has none.
var mortalProgram = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(filepath.Dir(program), "mortal")
	edited := filepath.Join(filepath.Dir(program), "edited")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(edited, 0o700)); err != nil {
		return "", err
	}
	edits, err := overlay.Write(edited, mortal)
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-overlay", edits, "-o", dir+"/", "keyquorum/cmd/keyquorum")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOEXPERIMENT=runtimesecret")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

// mortally is the environment in which a node kills itself at a step.
func mortally(t *testing.T, step string) []string {
	t.Helper()
	dir, err := mortalProgram()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "DIE_AT=" + step}
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
