package testcluster_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"keyquorum/node"
	"keyquorum/testcluster"
)

// A tap reads the cluster port's traffic in the clear, as nobody without the nodes' private keys
// could: it stands between a dialling node and the node that it dials and speaks to each as the
// other, with the keys from their data folders.
type tap struct {
	dir string
	mu  sync.Mutex
	b   bytes.Buffer
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *tap) bytes() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.b.Bytes())
}

// through makes every node of a cluster dial through the tap.
func (p *tap) through(_ int, config *node.Config) {
	dialer := filepath.Join(config.Dir, "cluster")
	if p.dir == "" {
		p.dir = filepath.Dir(config.Dir)
	}
	config.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		real, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		near, far := net.Pipe()
		go p.relay(far, real, dialer)
		return near, nil
	}
}

// relay ends when either side does.
func (p *tap) relay(asker, real net.Conn, askerDir string) {
	defer asker.Close()
	defer real.Close()
	hostOf, _, _ := net.SplitHostPort(real.RemoteAddr().String())
	var hello []string
	server := tls.Server(asker, &tls.Config{
		ClientAuth: tls.RequireAnyClientCert,
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			hello = h.SupportedProtos
			return &tls.Config{
				Certificates: []tls.Certificate{pairIn(filepath.Join(p.dir, "node"+lastDigitLessOne(hostOf),
					"cluster"))},
				ClientAuth: tls.RequireAnyClientCert, NextProtos: hello,
			}, nil
		},
	})
	if server.Handshake() != nil {
		return
	}
	client := tls.Client(real, &tls.Config{
		InsecureSkipVerify: true, NextProtos: hello, Certificates: []tls.Certificate{pairIn(askerDir)},
	})
	if client.Handshake() != nil {
		return
	}
	done := make(chan struct{}, 2)
	go func() { p.copy(client, server); done <- struct{}{} }()
	go func() { p.copy(server, client); done <- struct{}{} }()
	<-done
}

func (p *tap) copy(to, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		p.Write(buffer[:n])
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// pairIn reads a node's certificate and private key, which lie in its folder in the clear.
func pairIn(dir string) tls.Certificate {
	cert, err := os.ReadFile(filepath.Join(dir, "node.crt"))
	if err != nil {
		return tls.Certificate{}
	}
	der, err := os.ReadFile(filepath.Join(dir, "node.key"))
	if err != nil {
		return tls.Certificate{}
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return tls.Certificate{}
	}
	return tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}
}

// lastDigitLessOne turns a test cluster's address 127.x.y.N into the number of its node.
func lastDigitLessOne(host string) string {
	return string(host[len(host)-1] - 1)
}

// sinks are all places where a cluster leaves bytes: its folders, its output and usage logs, and
// what the tap heard.
func sinks(t *testing.T, c *testcluster.Cluster, p *tap) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"cluster port": p.bytes()}
	for i := range c.Size() {
		all["output of node "+string(rune('0'+i))] = c.Output(i)
		all["metrics of node "+string(rune('0'+i))] = metricsText(t, c, i)
	}
	must(t, filepath.WalkDir(c.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = content
		return err
	}))
	return all
}
