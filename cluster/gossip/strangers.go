package gossip

import (
	"bytes"
	"io"
	"log"
	"net"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"keyquorum/internal/throng"
)

// Anybody can send to gossip's port. A packet that no key opens is dropped by memberlist; a stream
// it reads until that is clear, so streams are few, from whichever source, and short.
const (
	maxStreams       = 64
	streamsPerSource = 16
	maxStream        = 1 << 20 // bytes: a push of 1,024 members with 512 bytes of metadata each
)

// Counts are what strangers, or members that cannot be reached, have cost.
type Counts struct {
	Complaints uint64 // of memberlist's, about packets and streams that came in or could not go out
	Crowded    uint64 // streams closed because there were too many
}

// Counts are those since New.
func (g *Gossip) Counts() Counts {
	c := g.streams.Counts()
	return Counts{Complaints: g.complaints.Load(), Crowded: c.Crowded + c.PerSource}
}

func newStreams() *throng.Throng {
	return throng.New(throng.Limits{
		Standings: []throng.Standing{{Share: maxStreams}}, PerSource: streamsPerSource, Known: 1,
	})
}

// A transport is memberlist's own, with bounds for the streams that come in.
type transport struct {
	*memberlist.NetTransport
	throng   *throng.Throng
	accepted chan net.Conn
	done     chan struct{}
	once     sync.Once
}

func newTransport(config *memberlist.Config, streams *throng.Throng) (*transport, error) {
	inner, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{config.BindAddr}, BindPort: config.BindPort, Logger: config.Logger,
	})
	if err != nil {
		return nil, err
	}
	t := &transport{
		NetTransport: inner, throng: streams,
		accepted: make(chan net.Conn), done: make(chan struct{}),
	}
	go t.admit()
	return t, nil
}

func (t *transport) admit() {
	for {
		select {
		case conn := <-t.NetTransport.StreamCh():
			s := &stream{Conn: conn, place: t.throng.Enter(conn), left: maxStream}
			select {
			case t.accepted <- s:
			case <-t.done:
				s.Close()
			}
		case <-t.done:
			return
		}
	}
}

// StreamCh is where memberlist takes streams from.
func (t *transport) StreamCh() <-chan net.Conn { return t.accepted }

func (t *transport) Shutdown() error {
	err := t.NetTransport.Shutdown() // it waits until nothing is handed to admit any more
	t.once.Do(func() { close(t.done) })
	return err
}

// A stream has a place until it is closed, and ends after maxStream bytes.
type stream struct {
	net.Conn
	place *throng.Place
	left  int
}

func (s *stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.Conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

func (s *stream) Close() error {
	s.place.Leave()
	return s.Conn.Close()
}

// complaints take memberlist's lines. What it calls an error is none of this node's: nothing rests
// on gossip, and whoever reaches the port can bring it about.
type complaints struct {
	to    hclog.Logger
	count *atomic.Uint64
}

func (c complaints) Write(line []byte) (int, error) {
	text := bytes.TrimSpace(line)
	level := hclog.Info
	for _, mark := range []struct {
		word  string
		level hclog.Level
	}{
		{"[DEBUG] ", hclog.Debug}, {"[INFO] ", hclog.Info}, {"[WARN] ", hclog.Warn},
		{"[ERR] ", hclog.Warn},
	} {
		if rest, ok := bytes.CutPrefix(text, []byte(mark.word)); ok {
			text, level = rest, mark.level
		}
	}
	if level == hclog.Warn {
		c.count.Add(1)
	}
	c.to.Log(level, said(text), "about", about(text))
	return len(line), nil
}

// memberlist puts what a stranger sent into its text, behind one of these. What stands before is
// one of its few dozen messages, by which the log sums up.
func detail(text []byte) int {
	at := len(text)
	for _, begin := range []string{" \"", ": ", " from=", " (", " 1", " ["} {
		if i := bytes.Index(text[min(len("memberlist: "), len(text)):], []byte(begin)); i >= 0 {
			at = min(at, i+len("memberlist: "))
		}
	}
	return at
}

// maxAbout is how many bytes of what a stranger chose go into a line.
const maxAbout = 128

func said(text []byte) string { return string(text[:detail(text)]) }

func about(text []byte) string {
	rest := bytes.TrimLeft(text[detail(text):], ": ")
	return string(rest[:min(len(rest), maxAbout)])
}

func (g *Gossip) libraryLog() *log.Logger {
	return log.New(complaints{g.member.Logger, &g.complaints}, "", 0)
}
