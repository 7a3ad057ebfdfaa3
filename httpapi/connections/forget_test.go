package connections_test

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/httpapi/connections"
)

// A peer that reads nothing is waited for only so long for each record, whatever the deadline of
// the whole answer is.
func TestWhoDoesNotReadIsHungUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		var slow atomic.Uint64
		conn := connections.NewForgetfulConn(here, &slow)
		for name, deadline := range map[string]time.Duration{"none": 0, "a late one": time.Hour,
			"an early one": time.Second} {
			var at time.Time
			if deadline > 0 {
				at = time.Now().Add(deadline)
			}
			conn.SetWriteDeadline(at)
			began := time.Now()
			_, err := conn.Write(make([]byte, 16<<10))
			want := 10 * time.Second
			if deadline == time.Second {
				want = deadline
			}
			if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took != want {
				t.Errorf("with %s set a write took %v: %v", name, took, err)
			}
		}
		conn.SetWriteDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			conn.SetWriteDeadline(time.Now()) // as whoever wants a writer to give up does
		}()
		began := time.Now()
		if _, err := conn.Write([]byte("x")); err == nil || time.Since(began) != time.Second {
			t.Errorf("a writer gave up after %v: %v", time.Since(began), err)
		}
		if slow.Load() != 4 {
			t.Errorf("%d slow ones were counted", slow.Load())
		}
	})
}
