// Package service tells the service manager that started this process (systemd) how the node is:
// when it is ready, reloads and stops, what it does at the moment, and that it is alive. Where no
// manager wants to hear (no NOTIFY_SOCKET), nothing is said. A manager that can't be told is no
// reason to stop: the node goes on.
package service

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
)

// lookEvery is how often Watch asks for the status. A watchdog that wants to hear more often does.
const lookEvery = time.Second

// A Manager is who started this process. Its methods may be called from any goroutine.
type Manager struct {
	log      hclog.Logger
	watchdog time.Duration // within which it must hear of us; 0: it does not watch

	mu     sync.Mutex
	status string // that it was told last
	failed bool   // it could not be told once, which was logged
}

// Started is the manager that the environment names. What can't be told it is logged, once.
func Started(log hclog.Logger) *Manager {
	m := &Manager{log: log}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the service manager's watchdog can't be answered", "error", err)
	}
	m.watchdog = watchdog
	return m
}

// Ready says that the start, or a reload, is over.
func (m *Manager) Ready() { m.tell(daemon.SdNotifyReady) }

// Reloading says that the configuration is read again. Ready says when that is over.
func (m *Manager) Reloading() {
	m.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the process ends in order.
func (m *Manager) Stopping() { m.tell(daemon.SdNotifyStopping) }

// Status says in one line what the node does, if that is news.
func (m *Manager) Status(text string) {
	text = strings.Join(strings.Fields(text), " ")
	m.mu.Lock()
	news := text != m.status
	m.status = text
	m.mu.Unlock()
	if news {
		m.tell("STATUS=" + text)
	}
}

// Watch tells the status once a second, and with it the watchdog that the process is alive, until
// ctx ends. A status that does not come back keeps the watchdog waiting: so it must come from
// memory, and be wrong only if the process is.
func (m *Manager) Watch(ctx context.Context, status func() string) {
	every := lookEvery
	if m.watchdog > 0 {
		every = min(every, m.watchdog/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		m.Status(status())
		if m.watchdog > 0 {
			m.tell(daemon.SdNotifyWatchdog)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Manager) tell(state string) {
	_, err := daemon.SdNotify(false, state)
	m.mu.Lock()
	first := err != nil && !m.failed
	m.failed = err != nil
	m.mu.Unlock()
	if first {
		m.log.Warn("the service manager can't be told how the node is", "error", err)
	}
}
