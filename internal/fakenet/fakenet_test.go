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
