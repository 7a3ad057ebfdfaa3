package mover

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"keyquorum/cmd/keyquorum/reference"
)

// kvSource is a mount of KV, of version 1 or 2.
type kvSource struct {
	c         *vaultClient
	w         wanted
	mount     string
	path      string // only what is below it; "": all
	versioned bool   // version 2
	whole     bool   // one secret of each path
}

func (s *kvSource) name() string {
	return s.c.name(strings.TrimSuffix(s.mount+"/"+s.path, "/"))
}

const (
	maxFields = 100 // of a path, as secrets of their own
	maxDepth  = 64  // folders within folders
)

const (
	adviceFields = "Paths with more than 100 fields: --json makes one secret of each path."
	adviceValues = "Values that don't fit: a secret holds text of 25,600 bytes. Keep what is longer in a " +
		"file,\nencrypted with a key of the vault; store bytes with keyquorum secret set " +
		"--encoding=base64."
	adviceDeletedThere = "What is deleted at the source: bao kv undelete brings it back, where it was not " +
		"destroyed."
	adviceDenied = "What the token may not read: a policy at the source has to grant read and list."
)

// look walks the tree, and reads all that can be moved, to measure it.
func (s *kvSource) look(ctx context.Context, p *progress) ([]*thing, error) {
	p.begin("looking at folders", 0)
	paths, things, err := s.walk(ctx, p)
	if err != nil {
		return nil, err
	}
	p.begin("looking at secrets", len(paths))
	found := make([][]*thing, len(paths))
	err = each(ctx, len(paths), s.w.parallel, func(ctx context.Context, i int) error {
		defer p.step(paths[i])
		found[i], err = s.things(ctx, paths[i])
		return err
	})
	return append(things, slices.Concat(found...)...), err
}

// walk finds the paths that hold secrets, and the folders that may not be looked into.
func (s *kvSource) walk(ctx context.Context, p *progress) (paths []string, denied []*thing, err error) {
	folders := []string{s.path}
	if s.path != "" {
		paths = append(paths, s.path) // it may be a secret as well as a folder
	}
	for depth := 0; len(folders) > 0; depth++ {
		if depth > maxDepth || len(paths) > maxThings {
			return nil, nil, fmt.Errorf("the source, %s: more than %d paths or %d folders within folders; "+
				"move a part of it with --path", s.name(), maxThings, maxDepth)
		}
		lists := make([][]string, len(folders))
		refused := make([]error, len(folders))
		err := each(ctx, len(folders), s.w.parallel, func(ctx context.Context, i int) error {
			defer p.step(folders[i])
			keys, err := s.c.list(ctx, s.parts("metadata", folders[i])...)
			if status(err) == http.StatusForbidden && folders[i] != s.path {
				refused[i] = err
				return nil
			}
			lists[i] = keys
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		var next []string
		for i, folder := range folders {
			if refused[i] != nil {
				denied = append(denied, s.stuck(folder, "its folder may not be listed (403)", adviceDenied))
			}
			for _, key := range lists[i] {
				path := strings.TrimPrefix(folder+"/"+strings.TrimSuffix(key, "/"), "/")
				if strings.HasSuffix(key, "/") {
					next = append(next, path)
				} else {
					paths = append(paths, path)
				}
			}
		}
		folders = next
	}
	return paths, denied, nil
}

// parts are a path of the API: what is "metadata" or "data" in version 2 does not stand in version 1.
func (s *kvSource) parts(what, path string) []string {
	parts := []string{s.mount}
	if s.versioned {
		parts = append(parts, what)
	}
	if path != "" {
		parts = append(parts, path)
	}
	return parts
}

// from is what the source calls a path, or a field of it.
func (s *kvSource) from(path, field string) string {
	text := s.c.base + "/v1/" + s.c.path(s.parts("data", path)...)
	if field != "" {
		text += "#" + url.PathEscape(field)
	}
	return text
}

// below is a path as names have it: after --path, or its last part where it is that path itself.
func (s *kvSource) below(path string) string {
	if path == s.path {
		return path[strings.LastIndex(path, "/")+1:]
	}
	return strings.TrimPrefix(strings.TrimPrefix(path, s.path), "/")
}

// stuck is a path of which nothing is moved.
func (s *kvSource) stuck(path, why, advice string) *thing {
	return &thing{kind: reference.Secrets, name: legalName(s.below(path)), from: s.from(path, ""),
		obstacle: &obstacle{why, advice}}
}
