package frontdoor

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script is a run of a shell's script.
func script(text string, flags ...string) []string {
	return append(append([]string{"run"}, flags...), "--", "sh", "-c", text)
}

// TestRunsEnvironment: of the same variable the later wins, whatever it comes from.
func TestRunsEnvironment(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	first, second := private(), private()+"\nand another line\n"
	one := c.setSecret("run-first", first)
	c.setSecret("run-first", private())
	c.setSecret("run-second", second)
	c.file("one.env", []byte("# first\nA="+one.ID+"\nexport B='plain # text'\n"+
		"C=akv://demo/run-second\nD=from-one\n"))
	c.file("two.env", []byte("A=\"two\\nlines\"\nD=from-two\n"))
	by := c.set("A", "akv://demo/run-second").set("E", "akv://demo/run-first/"+one.Version).
		set("F", one.ID)
	print := `printf '%s|' "$A" "$B" "$C" "$D" "$E" "$F"`
	for _, row := range []struct {
		want  string
		flags string
	}{
		{second + "||||" + first + "|" + one.ID + "|", ""}, // an id there may be meant as an id
		{first + "|plain # text|" + second + "|from-one|" + first + "|", "--env-file=one.env"},
		{"two\nlines|plain # text|" + second + "|from-two|", "--env-file=one.env --env-file=two.env"},
		{first + "|plain # text|" + second + "|from-one|", "--env-file=two.env --env-file=one.env"},
		{second + "|plain # text|", "--env-file=one.env --env=A=akv://demo/run-second"},
		{first + "|plain # text|", "--env=A=akv://demo/run-second --env-file=one.env"},
		{second + "|", "--env=A=" + one.ID + " --env=A=run-second"},
	} {
		flags := append([]string{"--no-masking"}, strings.Fields(row.flags)...)
		if got := by.ok(script(print, flags...)...); !strings.HasPrefix(got, row.want) {
			t.Errorf("%s gives %q, want %q", row.flags, got, row.want)
		}
	}
}

// TestRunStartsNothingThatLacksASecret, and says which variable.
func TestRunStartsNothingThatLacksASecret(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	c.setSecret("run-there", private())
	c.setSecret("run-zero", "a\x00b")
	c.file("bad.env", []byte("A=1\nB B\n"))
	value := private()
	c.file("refs.env", []byte("A=akv://"+value))
	dead := listening(t, nil).closed(c.house)
	for _, row := range []struct {
		code  int
		says  string
		flags []string
		by    *caller
	}{
		{2, `nothing was started: B cannot be resolved: .*\(404\); keyquorum secret list`,
			[]string{"--env=A=run-there", "--env=B=akv://demo/never-was"}, c},
		{2, `nothing was started: B cannot be resolved: There is no vault`,
			[]string{"--env=B=akv://nowhere/run-there"}, c},
		{1, "nothing was started: B cannot be resolved: .*no value that an environment can hold",
			[]string{"--env=B=run-zero"}, c},
		{2, "nothing was started: B cannot be resolved: .*cannot be reached",
			[]string{"--env=B=run-there"}, c.set("KEYQUORUM_VAULT_URLS", dead)},
		{1, "--env B: what follows is no reference", []string{"--env=B=akv://"}, c},
		{1, "--env: it is NAME=REF", []string{"--env=B"}, c},
		{1, "--env-file bad.env, line 2: it is NAME=value", []string{"--env-file=bad.env"}, c},
		{1, "--env-file refs.env, line 1: ", []string{"--env-file=refs.env"}, c},
		{1, "--env-file: open nothing: no such file", []string{"--env-file=nothing"}, c},
		{1, "B in the environment: .*akv://vault/name", nil, c.set("B", "akv://demo")},
		{1, "--watch-signal \"nonsense\" is no signal", []string{"--watch-signal=nonsense"}, c},
		{1, "--watch-interval 1ms: at least 100ms", []string{"--watch", "--watch-interval=1ms"}, c},
	} {
		row.by.refused(row.code, row.says, script("touch started", row.flags...)...)
		if _, err := os.Stat(filepath.Join(row.by.dir, "started")); err == nil {
			t.Fatalf("%v: it was started", row.flags)
		}
	}
	c.refused(1, "which command\\? Put it after --", "run", "--env=A=run-there")
	c.refused(1, "which command\\? Put it after --", "run", "true")
	c.refused(1, "the command stands after --", "run", "sh", "-c", "exit")
}

// TestRunEndsAsItsCommand does.
func TestRunEndsAsItsCommand(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	c.file("no-program", []byte("text"))
	for text, code := range map[string]int{
		"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -9 $$": 137, "kill -TERM $$": 143,
	} {
		if o := c.call(script(text)...); o.code != code || o.stdout+o.stderr != "" {
			t.Errorf("%s: exit code %d, want %d: %s%s", text, o.code, code, o.stdout, o.stderr)
		}
	}
	c.refused(127, "no-such-program", "run", "--", "no-such-program")
	c.refused(126, "permission denied", "run", "--", "./no-program")
	if got := c.okGiven("from a pipe\n", "run", "--", "cat"); got != "from a pipe\n" {
		t.Errorf("standard input arrives as %q", got)
	}
}

// TestRunMasks what is printed of a secret, wherever writes end, on both streams.
func TestRunMasks(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	one, lines := private(), "first-"+private()+"\n  second-"+private()+"\n"
	c.setSecret("run-one", one)
	c.setSecret("run-lines", lines)
	c.setSecret("run-short", "abc")
	flags := []string{"--env=S=run-one", "--env=L=run-lines"}
	for text, want := range map[string]string{
		`echo "it is $S."`: "it is ***.\n",
		`end=${S#????????}; printf %s "${S%"$end"}"; sleep 0.1; echo "$end!"`: "***!\n",
		`printf '%s' "$L"`: "***",
		`printf '%s' "$L" | while read -r line; do echo "[$line]"; done`:             "[***]\n[***]\n",
		`printf '%s' "$L" | tr '\n' ' '`:                                             "*** *** ",
		`printf '{"v":"'; printf '%s' "$L" | sed 's/$/\\n/' | tr -d '\n'; echo '"}'`: "{\"v\":\"***\"}\n",
		`printf '%s%s' "$S" "$S"`:                                                    "******",
		`printf '%s' "${S%?}"`:                                                       one[:len(one)-1],
		`(sleep 0.1; echo "later $S") & echo "$S"`:                                   "***\nlater ***\n",
	} {
		for _, stream := range []string{"", " >&2"} {
			o := c.masked(script("{ "+text+"\n}"+stream, flags...)...)
			if got := o.stdout + o.stderr; got != want || o.code != 0 {
				t.Errorf("%s%s prints %q, want %q", text, stream, got, want)
			}
		}
	}
	if got := c.ok(script(`echo "$S"`, "--no-masking", "--env=S=run-one")...); got != one+"\n" {
		t.Errorf("with --no-masking it prints %q", got)
	}
	o := c.call(script(`echo "$T"`, "--env=T=run-short")...)
	if o.stdout != "abc\n" ||
		o.stderr != "keyquorum: too short to be masked (less than 4 bytes): T\n" {
		t.Errorf("a short one: %q, %q", o.stdout, o.stderr)
	}
}

// masked calls without a look for what is to be kept out: a test may print half of it.
func (c *caller) masked(args ...string) outcome {
	c.t.Helper()
	cmd := c.command(c.t.Context(), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its code says how it ended
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// A started run goes on until a test ends it.
type started struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    string // file to which the command appends
	people string // file with standard error
}

// start starts a run whose script appends to the file out.
func (c *caller) start(args ...string) *started {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	c.t.Cleanup(cancel)
	s := &started{t: c.t, cmd: c.command(ctx, args...), out: filepath.Join(c.dir, "out"),
		people: filepath.Join(c.dir, "people")}
	people, err := os.Create(s.people)
	if err != nil {
		c.t.Fatal(err)
	}
	defer people.Close()
	s.cmd.Stderr = people
	if err := s.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// said is what it has said to people.
func (s *started) said() string {
	s.t.Helper()
	text, err := os.ReadFile(s.people)
	if err != nil {
		s.t.Error(err)
	}
	return string(text)
}

// await waits until the command has written a text.
func (s *started) await(text string) { s.t.Helper(); s.awaitIn(s.out, text) }

func (s *started) awaitIn(file, text string) {
	s.t.Helper()
	var b []byte
	end := time.Now().Add(callPatience / 2)
	for ; time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if b, _ = os.ReadFile(file); strings.Contains(string(b), text) {
			return
		}
	}
	s.t.Fatalf("%q does not appear in %q", text, b)
}

// ends sends a signal and looks at the code that follows.
func (s *started) ends(signal syscall.Signal, code int) {
	s.t.Helper()
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("after %v the exit code is %d, want %d: %s", signal, got, code, s.said())
	}
	if found := plainIn([]byte(s.said())); found != "" {
		s.t.Errorf("it says %s: %s", found, s.said())
	}
}

// sleeping waits in a shell in a way that signals interrupt.
const sleeping = `; echo ready >>out; while :; do sleep 60 & wait $!; done`

// TestRunPassesSignals to the command, which decides what becomes of them.
func TestRunPassesSignals(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	for name, signal := range map[string]syscall.Signal{
		"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if ossignal.Ignored(signal) { // as under nohup: then the command ignores it, too
				t.Skipf("%v is ignored here, and not tried", signal)
			}
			c := c.house.caller(t)
			s := c.start(script("trap 'kill $!; echo got >>out; exit 9' " + name + sleeping)...)
			s.await("ready")
			s.ends(signal, 9)
			s.await("got")
		})
	}
	s := c.start("run", "--", "sh", "-c", "echo ready >>out; exec sleep 60")
	s.await("ready")
	s.ends(syscall.SIGTERM, 143)
}

// TestRunIgnoresWhatItWasStartedToIgnore, and so does its command, as under nohup.
func TestRunIgnoresWhatItWasStartedToIgnore(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	cmd := c.command(ctx)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", `trap '' HUP; exec "$0" run -- sh -c '` +
		`kill -HUP $PPID; kill -HUP $$; echo it goes on'`, program}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "it goes on\n" {
		t.Errorf("%q (%v)", out, err)
	}
}

// TestRunWatches: a new version starts the command again, or sends it a signal.
func TestRunWatches(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	first, second := "one-"+private(), "two-"+private()
	c.setSecret("run-watched", first)
	watch := []string{"--watch", "--watch-interval=100ms", "--env=S=run-watched"}

	again := c.start(script(`echo "<$S>" >>out; exec sleep 60`, watch...)...)
	other := c.house.caller(t)
	signalled := other.start(script(`trap 'echo "told <$S>" >>out' USR1`+sleeping,
		append(watch, "--watch-signal=usr1")...)...)
	again.await("<" + first + ">")
	signalled.await("ready")
	c.setSecret("run-watched", second)
	again.await("<" + second + ">")
	signalled.await("told <" + first + ">") // its environment stays
	time.Sleep(300 * time.Millisecond)      // several looks, at which nothing is to happen
	again.ends(syscall.SIGTERM, 143)
	signalled.ends(syscall.SIGTERM, 143)
	if !strings.Contains(again.said(), "a new version; starting the command again") {
		t.Errorf("it says %q", again.said())
	}
	b, err := os.ReadFile(again.out)
	if err != nil || strings.Count(string(b), "<") != 2 {
		t.Errorf("it was started as %q (%v)", b, err)
	}
}

// TestAWatchOutlivesItsVault: the command goes on with what it has.
func TestAWatchOutlivesItsVault(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	c.setSecret("run-outlives", private())
	s := c.start(script("echo ready >>out; exec sleep 60", "--watch", "--watch-interval=100ms",
		"--env=S=run-outlives")...)
	s.await("ready")
	c.ok("secret", "delete", "run-outlives")
	s.awaitIn(s.people, "goes on with the secrets that it has")
	time.Sleep(300 * time.Millisecond) // several looks, of which nothing more is said
	s.ends(syscall.SIGTERM, 143)
	if strings.Count(s.said(), "\n") != 1 {
		t.Errorf("it says %q", s.said())
	}
}
