// Package ownsocket is a unix socket that root and one user alone can use: the user whose process
// listens, and who owns the folder that the socket is in. Nobody else may enter that folder, and
// whoever connects is looked at too (SO_PEERCRED, unix(7)). So it holds for both ends who the other
// one is.
//
// It knows nothing of what is said on its connections.
package ownsocket

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxPath is how many bytes the path of a socket may have: sun_path has 108, and a zero ends it
// (unix(7)).
const maxPath = 107

// A Peer is the user at the other end of a connection.
type Peer struct{ UID uint32 }

func (Peer) Network() string  { return "unix" }
func (p Peer) String() string { return fmt.Sprintf("uid %d", p.UID) }

// peerOf asks the kernel, which noted it when the connection was made.
func peerOf(conn *net.UnixConn) (Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var credentials *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		credentials, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return Peer{}, err
	}
	return Peer{credentials.Uid}, nil
}

// checkPath refuses what no socket can be called.
func checkPath(path string) error {
	switch {
	case !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/":
		return fmt.Errorf("%q: the whole path of a socket is wanted, as in "+
			"/run/keyquorum/break-glass.sock", path)
	case len(path) > maxPath:
		return fmt.Errorf("the path %s has %d bytes, and that of a socket has %d at most: choose a "+
			"shorter one", path, len(path), maxPath)
	}
	return nil
}
