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

// look walks the tree, and reads all that can be moved, to measure it.
func (s *kvSource) look(ctx context.Context, p *progress) ([]*thing, error) {
	p.begin("looking at folders", 0)
	paths, things, err := s.walk(ctx, p)
	if err != nil {
		return nil, err
	}
	p.begin("looking at secrets", len(paths))
	found := make([][]*thing, len(paths))
	err = each(ctx, len(paths), s.w.parallel, func(ctx context.Context, i int) (err error) {
		defer p.step(paths[i])
		found[i], err = s.things(ctx, paths[i])
		return err
	})
	return append(things, slices.Concat(found...)...), err
}

// walk finds the paths that hold secrets, level by level, and the folders that may not be listed.
func (s *kvSource) walk(ctx context.Context, p *progress) (
	paths []string, denied []*thing, err error,
) {
	folders := []string{s.path}
	if s.path != "" {
		paths = append(paths, s.path) // it may be a secret as well as a folder
	}
	for depth := 0; len(folders) > 0; depth++ {
		if depth > maxDepth || len(paths) > maxThings || len(folders) > maxThings {
			return nil, nil, fmt.Errorf("the source, %s: more than %d paths, or %d folders within "+
				"folders; move a part of it with --path", s.name(), maxThings, maxDepth)
		}
		lists, refused, err := s.lists(ctx, folders, p)
		if err != nil {
			return nil, nil, err
		}
		for _, folder := range refused {
			denied = append(denied, s.stuck(folder, "its folder may not be listed (403)", adviceDenied))
		}
		var next []string
		for i, folder := range folders {
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

// lists are what folders hold, and which of them may not be listed. The first must be.
func (s *kvSource) lists(ctx context.Context, folders []string, p *progress) (
	lists [][]string, refused []string, err error,
) {
	lists = make([][]string, len(folders))
	forbidden := make([]bool, len(folders))
	err = each(ctx, len(folders), s.w.parallel, func(ctx context.Context, i int) error {
		defer p.step(folders[i])
		keys, err := s.c.list(ctx, s.parts("metadata", folders[i])...)
		if status(err) == http.StatusForbidden && folders[i] != s.path {
			forbidden[i] = true
			return nil
		}
		lists[i] = keys
		return err
	})
	for i, folder := range folders {
		if forbidden[i] {
			refused = append(refused, folder)
		}
	}
	return lists, refused, err
}

// parts are a path of the API: what is "metadata" or "data" in version 2 stands not in version 1.
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
