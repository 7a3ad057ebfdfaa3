package ownsocket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// slowestWrite is how long a peer may take to read what one write sends.
const slowestWrite = 10 * time.Second

// A Listener is a net.Listener of connections from root and from this process's user. Their
// RemoteAddr is a Peer. Close removes the socket.
type Listener struct {
	socket  *net.UnixListener
	path    string
	made    fs.FileInfo
	own     uint32
	refused func(Peer, error)

	closing sync.Once
	closed  error
}

// Listen makes a socket of mode 0600, in the place of one whose process has ended. refused is told
// of each connection that was closed because its user is another one, or can't be told.
func Listen(path string, refused func(Peer, error)) (*Listener, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := replaceable(path); err != nil { // nobody has come meanwhile
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	socket.SetUnlinkOnClose(false) // see remove
	l := &Listener{socket: socket, path: path, own: uint32(os.Geteuid()), refused: refused}
	err = os.Chmod(path, 0o600) // until here the folder kept others out
	if err == nil {
		l.made, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(path), socket.Close())
	}
	return l, nil
}

// Accept gives the next connection of somebody who may have one.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.socket.AcceptUnix()
		if err != nil {
			return nil, err
		}
		peer, err := peerOf(c)
		if err == nil && (peer.UID == 0 || peer.UID == l.own) {
			return &conn{c, peer}, nil
		}
		c.Close()
		l.refused(peer, err)
	}
}

// Addr is the socket's path.
func (l *Listener) Addr() net.Addr { return l.socket.Addr() }

// Stands says whether the path still has the socket that was made.
func (l *Listener) Stands() bool {
	there, err := os.Lstat(l.path)
	return err == nil && os.SameFile(there, l.made)
}

// Close may be called again.
func (l *Listener) Close() error {
	l.closing.Do(func() { l.closed = errors.Join(l.remove(), l.socket.Close()) })
	return l.closed
}

// remove leaves alone what somebody else has put at the path. It comes before the socket is closed:
// as long as it listens, nobody takes it for that of a process that has ended.
func (l *Listener) remove() error {
	unlock, err := lock(filepath.Dir(l.path))
	if err != nil {
		return err
	}
	defer unlock()
	there, err := os.Lstat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !os.SameFile(there, l.made):
		return nil
	}
	return os.Remove(l.path)
}

// A conn is a connection whose peer is known. Its writes end.
type conn struct {
	*net.UnixConn
	peer Peer
}

func (c *conn) RemoteAddr() net.Addr { return c.peer }

func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(slowestWrite)); err != nil {
		return 0, err
	}
	return c.UnixConn.Write(p)
}
