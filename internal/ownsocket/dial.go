package ownsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Dial connects to a Listener's socket, and makes sure that it is one. Nobody but root and this
// process's user could have put another folder in the place of the socket's. That folder may belong
// to a third user, the node's: root, or this process's user, let him have it there. Whoever listens
// is one of the three. Otherwise what is said to the socket might go to anybody.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	own := uint32(os.Geteuid())
	owner, err := guarded(filepath.Dir(path), own)
	if err != nil {
		return nil, undialled(err)
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, undialled(err)
	}
	peer, err := peerOf(c.(*net.UnixConn))
	if err == nil && peer.UID != 0 && peer.UID != own && peer.UID != owner {
		err = fmt.Errorf("who listens is user %d, and the folder of the socket belongs to user %d: it "+
			"is no node that listens there", peer.UID, owner)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// undialled adds what to do.
func undialled(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; only root and the node's user may use it", err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w; no node listens there: see break_glass in its configuration", err)
	}
	return err
}
