package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	columns  = 80
	rows     = 24
	patience = 2 * time.Minute // for anything that a sitting is waited for, on a busy machine
)

// A sitting is a program in a terminal, from the side of whoever types.
type sitting struct {
	t     *testing.T
	glass *os.File
	cmd   *exec.Cmd

	mu    sync.Mutex
	shown strings.Builder // all that came, as it came
	seen  int             // how much of it await has found
	news  chan struct{}   // something came
	over  chan struct{}   // closed when nobody has the terminal any more
}

// sit starts a program in a terminal of its own, with an environment and no other.
func sit(t *testing.T, dir string, environment []string, words ...string) *sitting {
	t.Helper()
	s := &sitting{t: t, news: make(chan struct{}, 1), over: make(chan struct{})}
	var theirs *os.File
	s.glass, theirs = open(t)
	defer theirs.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s.cmd = exec.CommandContext(ctx, words[0], words[1:]...)
	s.cmd.Dir, s.cmd.Env = dir, environment
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = theirs, theirs, theirs
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read()
	return s
}

// open makes a terminal, and gives both its sides.
func open(t *testing.T) (glass, theirs *os.File) {
	t.Helper()
	glass, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { glass.Close() })
	number, err := unix.IoctlGetInt(int(glass.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(glass.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(glass.Fd()), unix.TIOCSWINSZ,
			&unix.Winsize{Col: columns, Row: rows})
	}
	if err == nil {
		theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return glass, theirs
}

// read keeps what comes, until nobody has the other side open (EIO).
func (s *sitting) read() {
	defer close(s.over)
	for part := make([]byte, 4096); ; {
		n, err := s.glass.Read(part)
		s.mu.Lock()
		s.shown.Write(part[:n])
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// await waits until a text is shown after what was awaited before.
func (s *sitting) await(text string) {
	s.t.Helper()
	for end := time.After(patience); ; {
		s.mu.Lock()
		shown := s.shown.String()
		at := strings.Index(shown[s.seen:], text)
		if at >= 0 {
			s.seen += at + len(text)
		}
		s.mu.Unlock()
		if at >= 0 {
			return
		}
		select {
		case <-s.news:
		case <-s.over:
			if !strings.Contains(s.all()[s.seen:], text) {
				s.t.Fatalf("it ended before it showed %q:\n%s", text, s.all())
			}
		case <-end:
			s.t.Fatalf("it does not show %q:\n%s", text, s.all())
		}
	}
}

func (s *sitting) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func (s *sitting) types(text string) {
	s.t.Helper()
	if _, err := s.glass.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// echoes says whether the terminal shows what is typed.
func (s *sitting) echoes() bool {
	s.t.Helper()
	settings, err := unix.IoctlGetTermios(int(s.glass.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// ends waits for the end of the program with an exit code, and gives what stands on the screen.
func (s *sitting) ends(code int) *screen {
	s.t.Helper()
	drawn := s.finish()
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("%v: exit code %d, want %d:\n%s", s.cmd.Args[1:], got, code, s.all())
	}
	return drawn
}

// finish waits for the end of the program, and gives what stands on the screen then. What a
// terminal cannot show well is an error.
func (s *sitting) finish() *screen {
	s.t.Helper()
	err := s.cmd.Wait()
	select {
	case <-s.over:
	case <-time.After(patience):
		s.t.Fatalf("somebody still has its terminal:\n%s", s.all())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	drawn := draw(s.all())
	for _, what := range drawn.wrong {
		s.t.Errorf("%v: %s\n%s", s.cmd.Args[1:], what, drawn)
	}
	return drawn
}
