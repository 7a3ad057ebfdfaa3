package ownsocket

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A step is a folder or a symbolic link on the way to a folder.
type step struct {
	path string // with no link before its last element
	info fs.FileInfo
}

// mostLinks is how many links a way may have. The kernel follows as many (path_resolution(7)).
const mostLinks = 40

// wayTo is every folder from / to dir, and every link on the way. The folder itself is the last.
func wayTo(dir string) (way []step, err error) {
	links := 0
	for at, rest := "/", dir; ; {
		info, err := os.Lstat(at)
		if err != nil {
			return nil, err
		}
		way = append(way, step{at, info})
		switch {
		case info.Mode().Type() == fs.ModeSymlink:
			to, err := os.Readlink(at)
			if err != nil {
				return nil, err
			}
			if links++; links > mostLinks {
				return nil, fmt.Errorf("the way to %s has more than %d links", dir, mostLinks)
			}
			if at = filepath.Dir(at); filepath.IsAbs(to) {
				at = "/"
			}
			rest = to + "/" + rest
			continue
		case !info.IsDir():
			return nil, fmt.Errorf("%s is no folder", at)
		}
		var next string
		if next, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/"); next == "" {
			return way, nil
		}
		at = filepath.Join(at, next) // of which .. is the folder above: no link is before it
	}
}

// guarded refuses a folder in whose place another user than root and own could put another one.
// So each folder above it, and each link on the way, belongs to root or own, and no other user can
// write to them. The sticky bit excuses nothing: whoever comes first makes what he likes below
// /tmp. Since the way begins at /, what was looked at stays what it is. The owner of the folder
// itself is for the caller to judge.
func guarded(dir string, own uint32) (owner uint32, err error) {
	way, err := wayTo(dir)
	if err != nil {
		return 0, err
	}
	for i, s := range way {
		owner = ownerOf(s.info)
		if last := i == len(way)-1; owner != 0 && owner != own && !last {
			return 0, fmt.Errorf("%s belongs to user %d, who could put another socket in the place of "+
				"this one: choose a path in folders of root, or of this process's user %d", s.path, owner,
				own)
		}
		if s.info.IsDir() && s.info.Mode().Perm()&0o022 != 0 {
			return 0, fmt.Errorf("other users can write to the folder %s, and put another socket in the "+
				"place of this one: take it from them with chmod go-w, or choose another path", s.path)
		}
	}
	return owner, nil
}
