package console

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// patience is how long something may take before somebody at a terminal is told that it goes on.
const patience = time.Second

// Waiting tells, on a terminal, what is waited for once that has taken a second, until done is
// called. The line is gone then.
func Waiting(w io.Writer, what string) (done func()) {
	if !rewrites(w) {
		return func() {}
	}
	begun := time.Now()
	return Progress(w, patience, func() string {
		return fmt.Sprintf("%s (%d s)", what, int(time.Since(begun).Seconds()))
	})
}

// lastLine is had by who writes the terminal's last line anew. There is one terminal, and one such
// line: what waits for something meanwhile, as a part of it, is silent.
var lastLine sync.Mutex

// Progress tells from time to time how far something is, until done is called. On a terminal it is
// one line that is written anew, and is gone in the end; elsewhere it is a line each time.
func Progress(w io.Writer, every time.Duration, line func() string) (done func()) {
	if !rewrites(w) {
		return progress(w, every, line)
	}
	if !lastLine.TryLock() {
		return func() {}
	}
	end := progress(w, every, line)
	return func() { end(); lastLine.Unlock() }
}

func progress(w io.Writer, every time.Duration, line func() string) (done func()) {
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for told := false; ; told = true {
			select {
			case <-tick.C:
				tell(w, line())
			case <-ended:
				if told {
					fmt.Fprint(w, Fresh(w))
				}
				return
			}
		}
	}()
	return func() { close(ended); <-gone }
}

func tell(w io.Writer, line string) {
	if rewrites(w) {
		fmt.Fprint(w, Fresh(w)+shortened(line, Width(w)-1))
		return
	}
	fmt.Fprintln(w, line)
}

// rewrites says whether a line can be written anew: on a terminal that takes more than text.
func rewrites(w io.Writer) bool { return Width(w) > 0 && !isDumb() }

// Fresh is what makes a terminal's line empty again, on which a Progress may stand; "" elsewhere.
func Fresh(w io.Writer) string {
	if !rewrites(w) {
		return ""
	}
	return "\r\x1b[K"
}

// shortened is a line without its middle where it is too long: a terminal clears one line only.
func shortened(line string, columns int) string {
	all := []rune(line)
	if len(all) <= columns {
		return line
	}
	half := (columns - 1) / 2
	return string(all[:half]) + "…" + string(all[len(all)-half:])
}
