package testcluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
	"keyquorum/node"
)

// Loopback runs n nodes in this process. configure, which may be nil, may change a node's configuration before it is opened.
func Loopback(t testing.TB, n int, configure func(i int, config *node.Config)) *Cluster {
	t.Helper()
	c := newCluster(t, n)
	c.kind = &loopback{c: c, configure: configure, nodes: make([]*served, n), logs: make([]logBuffer, n)}
	c.begin()
	return c
}

type loopback struct {
	c         *Cluster
	configure func(int, *node.Config)
	nodes     []*served
	logs      []logBuffer
}

// served is a node with its API in front.
type served struct {
	node   *node.Node
	server *http.Server
}

func (l *loopback) start(i int) error {
	host := l.c.hosts[i]
	port, err := net.Listen("tcp", host+":8201")
	if err != nil {
		return err
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: filepath.Base(l.c.Data(i)), Level: hclog.Debug, Output: &l.logs[i]})
	config := node.Config{
		Dir: l.c.Data(i), Label: filepath.Base(l.c.Data(i)),
		APIAddr: l.c.URL(i), ClusterAddr: host + ":8201", ClusterListener: port,
		Gossip: node.GossipConfig{Bind: host + ":8202"},
		Logger: logger, Version: "test",
	}
	if l.configure != nil {
		l.configure(i, &config)
	}
	n, err := node.Open(config)
	if err != nil {
		port.Close()
		return err
	}
	api, err := net.Listen("tcp", host+":8200")
	if err != nil {
		n.Close(context.Background())
		return err
	}
	s := &served{node: n, server: httpapi.NewServer(n, httpapi.Config{Zones: []httpapi.Zone{{Suffix: Zone, Login: Login}}}, logger)}
	s.server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{l.c.authority.pair}}
	l.nodes[i] = s
	go s.server.ServeTLS(httpapi.Forgetful(api), "", "")
	return nil
}

func (l *loopback) stop(i int) { l.close(i, context.Background()) }

func (l *loopback) kill(i int) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	l.close(i, gone)
}

func (l *loopback) close(i int, ctx context.Context) {
	s := l.nodes[i]
	l.nodes[i] = nil
	s.server.Close()
	s.server.Handler.(*httpapi.Handler).Close()
	s.node.Close(ctx)
}

func (l *loopback) output(i int) ([]byte, error) {
	audit, err := os.ReadFile(filepath.Join(l.c.Data(i), "audit.log"))
	return append(l.logs[i].Bytes(), audit...), err
}

// A logBuffer keeps what is written to it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
