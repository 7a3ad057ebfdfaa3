package frontdoor

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestVaultsInTrouble: what passes is waited for, what does not ends in one line.
func TestVaultsInTrouble(t *testing.T) {
	f := newFake(t)
	for i := range 3 {
		f.put(t, fmt.Sprintf("a/%d", i), map[string]any{"b": "c"})
	}
	f.put(t, "closed/x", map[string]any{"b": "c"})
	e := f.from(cluster(t, "--vault=new"))
	args := []string{"import", "vault", "--mount", "secret", "--apply"}
	f.set(func() { f.sealed = true })
	e.refused(t, 2, "Vault is sealed (503); unseal it there", args...)
	f.set(func() { f.sealed, f.redirects = false, true })
	e.refused(t, 2, "it sends us to another server", args...)
	f.set(func() { f.redirects, f.denied = false, "secret/metadata/closed" })
	e.plan(t, args[1:4]...).expect(t, map[string]string{"a-0-b": "to move", "a-1-b": "to move",
		"a-2-b": "to move", "closed": "stays: may not be listed (403)"})
	f.set(func() { f.denied = "secret/data/a/1" })
	e.plan(t, args[1:4]...).expect(t, map[string]string{"a-0-b": "to move",
		"a-1": "stays: may not read it (403)", "a-2-b": "to move", "closed-x-b": "to move"})
	f.set(func() { f.denied = "sys/" })
	e.refused(t, 2, "or say with --engine what it is", args...)
	if p := e.plan(t, append(args[1:4:4], "--engine=kv-v2")...); p.Versions != 4 {
		t.Errorf("told what the mount is: %+v", p)
	}
	f.set(func() { f.denied, f.throttled = "", 2 })
	e.plan(t, args[1:]...).expect(t, map[string]string{"a-0-b": "moved", "a-1-b": "moved",
		"a-2-b": "moved", "closed-x-b": "moved"})
}

// TestASourceThatIsSealedMeanwhile ends the move with what was done; nothing of it is lost.
func TestASourceThatIsSealedMeanwhile(t *testing.T) {
	f := newFake(t)
	for i := range 6 {
		f.put(t, fmt.Sprintf("p%d", i), map[string]any{"v": fmt.Sprintf("value %d", i)})
	}
	e := f.from(cluster(t, "--vault=new"))
	p := &proxy{meet: func(n int32, w http.ResponseWriter, pass func(http.ResponseWriter)) {
		pass(w)
		if n == 3 {
			f.set(func() { f.sealed = true })
		}
	}}
	args := []string{"import", "vault", "--mount", "secret", "--apply", "--parallel=1"}
	o := p.before(t, e).call(t, append(args, "-format=json")...)
	done := readPlan(t, o.stdout)
	if o.code != 2 || !strings.Contains(o.stderr, "sealed") || done.Versions < 3 ||
		done.Versions == 6 || strings.Contains(o.stdout+o.stderr, "value") {
		t.Errorf("exit code %d, %+v, %s", o.code, done, o.stderr)
	}
	f.set(func() { f.sealed = false })
	e.must(t, args...)
	if n := count(t, e); n != 6 {
		t.Errorf("%d versions are there", n)
	}
}

// TestCtrlCInAPlan ends it, and says that nothing was written.
func TestCtrlCInAPlan(t *testing.T) {
	f := newFake(t)
	for i := range 50 {
		f.put(t, fmt.Sprintf("p%d", i), map[string]any{"v": "x"})
	}
	e := f.from(cluster(t, "--vault=new"))
	var own running
	f.set(func() { f.meet = sync.OnceFunc(own.interrupt) })
	code := own.run(t, e, "import", "vault", "--mount", "secret", "--apply", "--parallel=1")
	if code != 1 || own.stdout.Len() > 0 ||
		!strings.Contains(own.stderr.String(), "keyquorum: interrupted: nothing was written") {
		t.Errorf("exit code %d, %s%s", code, own.stdout.String(), own.stderr.String())
	}
	if names := e.must(t, "secret", "list", "-q"); names != "" {
		t.Errorf("it has written %s", names)
	}
}
