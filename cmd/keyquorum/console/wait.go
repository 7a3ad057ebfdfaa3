package console

import (
	"fmt"
	"io"
	"time"
)

// patience is how long something may take before somebody at a terminal is told that it goes on.
const patience = time.Second

// Waiting tells, on a terminal, what is waited for once that has taken a second, until done is
// called. The line is gone then.
func Waiting(w io.Writer, what string) (done func()) {
	columns := Width(w)
	if columns == 0 || isDumb() {
		return func() {}
	}
	ended, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		begun := time.Now()
		tick := time.NewTicker(patience)
		defer tick.Stop()
		for shown := false; ; shown = true {
			select {
			case <-tick.C:
				line := fmt.Sprintf("%s (%d s)", what, int(time.Since(begun).Seconds()))
				fmt.Fprint(w, "\r\x1b[K"+shortened(line, columns-1))
			case <-ended:
				if shown {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			}
		}
	}()
	return func() { close(ended); <-told }
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
