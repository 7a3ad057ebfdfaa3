package console

import (
	"io"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
)

// hideInput stops a terminal from showing what is typed until restore is called, or a signal ends
// the program. On anything else it does nothing.
func hideInput(f *os.File) (restore func()) {
	before, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return func() {}
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	if unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &hidden) != nil {
		return func() {}
	}
	show := func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, before) }
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, slices.DeleteFunc(endings(), signal.Ignored)...)
	go func() {
		if s, ok := <-signals; ok {
			show()
			signal.Reset(s)
			_ = unix.Kill(os.Getpid(), s.(unix.Signal))
		}
	}()
	return func() { signal.Stop(signals); close(signals); show() }
}

// endings are the signals that end a program at whose terminal something is typed.
func endings() []os.Signal {
	return []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP}
}

// IsTerminal says whether somebody sits at the other end of a stream.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// defaultWidth is that of a terminal that does not say how wide it is.
const defaultWidth = 80

// Width is how many columns the terminal at the other end of w has; 0 where there is none.
func Width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !IsTerminal(f) {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return defaultWidth
	}
	return int(size.Col)
}

// isDumb says whether the terminal takes text alone.
func isDumb() bool { return os.Getenv("TERM") == "dumb" }

// Bold is s in bold on a terminal, unless NO_COLOR is set (https://no-color.org).
func Bold(w io.Writer, s string) string {
	if os.Getenv("NO_COLOR") != "" || isDumb() || !IsTerminal(w) {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}
