package service_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cmd/keyquorum/service"
)

// A manager listens as systemd does.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func listening(t *testing.T) manager {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", socket)
	return manager{t, conn}
}

// hears waits for what is said next; "" if nothing is.
func (m manager) hears(within time.Duration) string {
	m.t.Helper()
	b := make([]byte, 4096)
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		m.t.Fatal(err)
	}
	n, err := m.conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

const soon = 10 * time.Second

func TestAManagerIsTold(t *testing.T) {
	listens := listening(t)
	m := service.Started(hclog.NewNullLogger())
	m.Status("opens\nits folder")
	m.Status("opens its folder") // which is no news
	m.Ready()
	m.Reloading()
	m.Stopping()
	for _, want := range []string{"STATUS=opens its folder", "READY=1", "RELOADING=1\nMONOTONIC_USEC=",
		"STOPPING=1"} {
		if said := listens.hears(soon); !strings.HasPrefix(said, want) {
			t.Errorf("heard %q, want %q", said, want)
		}
	}
}

// A watchdog hears of a process whose status comes, and not of one whose status hangs.
func TestAWatchdogHearsWhoIsAlive(t *testing.T) {
	listens := listening(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	hangs, goesOn := make(chan struct{}), make(chan struct{})
	asked := 0
	watching.Go(func() {
		service.Started(hclog.NewNullLogger()).Watch(ctx, func() string {
			if asked++; asked == 4 {
				close(hangs)
				<-goesOn
			}
			return "follows"
		})
	})
	for _, want := range []string{"STATUS=follows", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if said := listens.hears(soon); said != want {
			t.Errorf("heard %q, want %q", said, want)
		}
	}
	<-hangs
	if said := listens.hears(100 * time.Millisecond); said != "" {
		t.Errorf("the status hangs, and the watchdog hears %q", said)
	}
	close(goesOn)
	if said := listens.hears(soon); said != "WATCHDOG=1" {
		t.Errorf("heard %q after that", said)
	}
	cancel()
	watching.Wait()
}

// Without a manager nothing is said; one that is gone is told of once in the log.
func TestNoManager(t *testing.T) {
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log})
	t.Setenv("NOTIFY_SOCKET", "")
	service.Started(logger).Ready()
	if log.Len() > 0 {
		t.Errorf("nobody asked, and the log says %s", &log)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	t.Setenv("WATCHDOG_USEC", "often")
	m := service.Started(logger)
	m.Ready()
	m.Stopping()
	if strings.Count(log.String(), "[WARN]") != 2 || !strings.Contains(log.String(), "watchdog") ||
		strings.Count(log.String(), "can't be told") != 1 {
		t.Errorf("the log says %s", &log)
	}
}
