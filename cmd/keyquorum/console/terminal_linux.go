package console

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// HideInput stops a terminal from showing what is typed until restore is called. On anything else
// it does nothing.
func HideInput(f *os.File) (restore func()) {
	before, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return func() {}
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	if unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &hidden) != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, before) }
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

// Bold is s in bold on a terminal, unless NO_COLOR is set (https://no-color.org).
func Bold(w io.Writer, s string) string {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !IsTerminal(w) {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}
