package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
	"keyquorum/internal/ownsocket"
)

const glassFlag = "break-glass-socket"

// A breakGlass is the break-glass socket of a node that runs. nil is none: its methods do nothing.
type breakGlass struct {
	path     string
	listener *ownsocket.Listener
	server   httpapi.BreakGlass
	served   chan struct{} // closed when it has ended
}

// A glassSocket listens and is not served yet. nil is none.
type glassSocket struct {
	path     string
	listener *ownsocket.Listener
}

// listenBreakGlass makes the socket before any data is touched. "" is none.
func listenBreakGlass(path string, logger hclog.Logger) (*glassSocket, error) {
	if path == "" {
		return nil, nil
	}
	logger = logger.Named("break-glass")
	l, err := ownsocket.Listen(path, func(peer ownsocket.Peer, err error) {
		from := peer.String()
		if err != nil {
			from = err.Error()
		}
		logger.Warn("a connection to the break-glass socket was closed, which is for root and the "+
			"node's user", "from", from)
	})
	if err != nil {
		return nil, fmt.Errorf("the break-glass socket (--%s): %w", glassFlag, err)
	}
	return &glassSocket{path, l}, nil
}

func (s *glassSocket) close() {
	if s != nil {
		s.listener.Close()
	}
}

// serve begins, until the breakGlass is ended.
func (s *glassSocket) serve(server *httpapi.Server, logger hclog.Logger) *breakGlass {
	if s == nil {
		return nil
	}
	b := &breakGlass{path: s.path, listener: s.listener, server: server.BreakGlass(),
		served: make(chan struct{})}
	logger.Warn("the break-glass socket is open: root and the node's user make root tokens there "+
		"with unseal shares alone", "socket", s.path)
	go func() {
		defer close(b.served)
		if err := b.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the break-glass socket has ended", "socket", s.path, "error", err)
		}
	}()
	return b
}

// stands says whether the socket can be reached: it is served, and nobody has removed it.
func (b *breakGlass) stands() bool {
	select {
	case <-b.served:
		return false
	default:
		return b.listener.Stands()
	}
}

// at is the socket at a path, which serves at once. Where the path is the same it is the same one,
// unless that can't be reached any more.
func (b *breakGlass) at(
	path string, server *httpapi.Server, logger hclog.Logger,
) (*breakGlass, error) {
	if b != nil && path == b.path && b.stands() {
		return b, nil
	}
	socket, err := listenBreakGlass(path, logger)
	return socket.serve(server, logger), err
}

// end answers what was asked, and removes the socket.
func (b *breakGlass) end(logger hclog.Logger) {
	if b == nil {
		return
	}
	drain, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if b.server.Shutdown(drain) != nil {
		b.server.Close()
	}
	<-b.served
	logger.Info("the break-glass socket is closed", "socket", b.path)
}

// breakGlass looks whether the socket could be made. Under systemd its folder may be there only
// while the node runs.
func (c *check) breakGlass() {
	path := c.config.BreakGlass
	if path == "" {
		return
	}
	err := ownsocket.Check(path)
	switch {
	case err == nil, c.running && errors.Is(err, ownsocket.ErrInUse): // it is the node's own
	case errors.Is(err, fs.ErrNotExist):
		c.warn(glassFlag, fmt.Sprintf("there is no folder %s", filepath.Dir(path)),
			"the node does not start without it: have systemd make it (RuntimeDirectory=), or make it, "+
				"for the node's user alone")
	default:
		c.refuse(glassFlag, err.Error(), "")
	}
}
