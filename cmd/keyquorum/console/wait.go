package console

import (
	"fmt"
	"io"
	"time"
)

// patience is how long something may take before somebody at a terminal is told that it goes on.
const patience = time.Second

// Waiting tells, on a terminal, what is waited for once that has taken a second, until done is
// called.
func Waiting(w io.Writer, what string) (done func()) {
	if !IsTerminal(w) {
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
				fmt.Fprintf(w, "\r\x1b[K%s (%d s)", what, int(time.Since(begun).Seconds()))
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
