package fakenet_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/fakenet"
)

// Isolate from nobody in particular is from everybody, as Reset is.
func TestIsolateFromEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fakenet.New()
		defer n.Close()
		l := n.Listen("server", "server:80")
		defer l.Close()
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				conn.Close()
			}
		}()
		dial := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			conn, err := n.Dialer("client")(ctx, "server:80")
			if err == nil {
				conn.Close()
			}
			return err
		}
		n.Isolate("server")
		if dial() == nil {
			t.Error("it can be reached")
		}
		n.Heal()
		if err := dial(); err != nil {
			t.Errorf("after healing: %v", err)
		}
	})
}

// TestHealedLinkIsNotLate sends more over a lossy link than it takes: what is late arrives when the
// link is healed, and not when it would have.
func TestHealedLinkIsNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fakenet.New()
		defer n.Close()
		l := n.Listen("server", "server:80")
		defer l.Close()
		arrived := make(chan int)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			sum, buffer := 0, make([]byte, 10)
			for sum < 100 {
				k, err := conn.Read(buffer)
				if sum += k; err != nil {
					break
				}
			}
			arrived <- sum
		}()
		n.Shape("client", "server", fakenet.Link{Loss: 1})
		conn, err := n.Dialer("client")(t.Context(), "server:80")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range 100 { // each is 200 ms behind the one before
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		time.Sleep(time.Second)
		n.Heal()
		if sum := <-arrived; sum != 100 || time.Since(begun) > 1100*time.Millisecond {
			t.Errorf("%d bytes arrived, %v after they were sent", sum, time.Since(begun))
		}
	})
}
