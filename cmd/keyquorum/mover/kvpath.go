package mover

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"keyquorum/cmd/keyquorum/reference"
)

// A kvVersion is one version of a path. Its data is kept only while it is measured.
type kvVersion struct {
	number  int64 // 0: the mount keeps no versions
	expires *time.Time
	data    map[string]json.RawMessage
}

// A kvPath is all that can be read of a path.
type kvPath struct {
	versions []kvVersion // the oldest first
	tags     map[string]string
	left     []string
	newest   bool // whether the newest version is among them
}

// things are what becomes of a path: a secret of each field that the newest version has, or one of
// all fields.
func (s *kvSource) things(ctx context.Context, path string) ([]*thing, error) {
	found, err := s.read(ctx, path)
	switch {
	case status(err) == http.StatusNotFound && path == s.path:
		return nil, nil // it is a folder, or nothing; walk has looked
	case status(err) == http.StatusForbidden:
		return []*thing{s.stuck(path, "the token may not read it (403)", adviceDenied)}, nil
	case status(err) == http.StatusNotFound, err == nil && !found.newest:
		return []*thing{s.stuck(path, "its newest version is deleted", adviceGone)}, nil
	case err != nil:
		return nil, err
	}
	newest := found.versions[len(found.versions)-1]
	if s.whole {
		return []*thing{s.thing(path, "", found)}, nil
	}
	fields := slices.Sorted(maps.Keys(newest.data))
	switch n := len(fields); {
	case n == 0:
		return []*thing{s.stuck(path, "it has no fields", "")}, nil
	case n > maxFields:
		return []*thing{s.stuck(path, fmt.Sprintf("%d fields, of %d at most", n, maxFields),
			adviceFields)}, nil
	}
	var things []*thing
	for _, field := range fields {
		if field == "" {
			things = append(things, s.stuck(path, "it has a field without a name", adviceNames))
			continue
		}
		things = append(things, s.thing(path, field, found))
	}
	if gone := found.goneFields(); gone > 0 {
		things[0].left = append(things[0].left, count(gone, "field")+" that the newest version lacks")
	}
	return things, nil
}

// goneFields is how many fields only older versions have.
func (k kvPath) goneFields() int {
	all := map[string]bool{}
	for _, v := range k.versions {
		for field := range v.data {
			all[field] = true
		}
	}
	return len(all) - len(k.versions[len(k.versions)-1].data)
}

// thing is one field of a path, or all of them for "".
func (s *kvSource) thing(path, field string, found kvPath) *thing {
	t := &thing{kind: reference.Secrets, from: s.from(path, field),
		name: legalName(s.below(path), field), left: slices.Clone(found.left)}
	a := attributes{tags: found.tags}
	if s.w.noTags {
		a.tags = nil
	}
	if t.obstacle = a.whyNot(); t.obstacle != nil {
		return t
	}
	for i, v := range found.versions {
		if _, has := v.data[field]; !has && field != "" {
			continue // the field is younger
		}
		value, why := valueOf(v.data, field)
		switch {
		case why != "" && i == len(found.versions)-1:
			t.obstacle = &obstacle{why, adviceValues}
			return t
		case why != "":
			t.left = append(t.left, fmt.Sprintf("version %d: %s", v.number, why))
			continue
		}
		t.versions = append(t.versions, s.version(t, path, field, v, attributes{
			contentType: value.contentType, tags: a.tags, expires: v.expires}))
	}
	return t
}

func (s *kvSource) version(t *thing, path, field string, v kvVersion, a attributes) version {
	own := version{origin: originBase(t.from), moment: v.number, unnumbered: v.number == 0,
		attributes: a}
	if v.number > 0 {
		own.origin = originOf(t.from, strconv.FormatInt(v.number, 10))
	}
	own.read = func(ctx context.Context) (content, error) {
		again, _, err := s.data(ctx, path, v.number)
		if err != nil {
			return content{}, err
		}
		value, why := valueOf(again.data, field)
		if why != "" {
			return content{}, fmt.Errorf("at the source: %s", why)
		}
		return content{text: value.text}, nil
	}
	return own
}

// read reads all versions of a path that can be, or the newest alone where that is wanted. It is a
// 404 where there is none.
func (s *kvSource) read(ctx context.Context, path string) (found kvPath, err error) {
	if !s.versioned || s.w.newestOnly() {
		v, tags, err := s.data(ctx, path, 0)
		if !s.versioned {
			v.number = 0
		}
		return kvPath{versions: []kvVersion{v}, tags: tags, newest: true}, err
	}
	numbers, found, err := s.numbers(ctx, path)
	if err != nil || !found.newest {
		return found, err
	}
	for _, n := range numbers {
		v, _, err := s.data(ctx, path, n)
		if status(err) == http.StatusNotFound { // deleted since
			found.left = append(found.left, fmt.Sprintf("version %d, deleted", n))
			found.newest = n != numbers[len(numbers)-1]
			continue
		}
		if err != nil {
			return found, err
		}
		found.versions = append(found.versions, v)
	}
	return found, nil
}

// numbers are the versions of a path that were neither deleted nor destroyed, the oldest first.
func (s *kvSource) numbers(ctx context.Context, path string) (
	live []int64, found kvPath, err error,
) {
	var data struct {
		Current  int64             `json:"current_version"`
		Custom   map[string]string `json:"custom_metadata"`
		Versions map[string]struct {
			Deleted   string `json:"deletion_time"`
			Destroyed bool   `json:"destroyed"`
		} `json:"versions"`
	}
	if err := s.c.get(ctx, &data, "", s.parts("metadata", path)...); err != nil {
		return nil, found, err
	}
	gone := 0
	for text, v := range data.Versions {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return nil, found, fatalError{fmt.Errorf("the source, %s: %q is no version", s.c.base,
				shown(text))}
		}
		if isGone(v.Deleted) || v.Destroyed {
			gone++
			continue
		}
		live = append(live, n)
	}
	slices.SortFunc(live, cmp.Compare)
	if gone > 0 {
		found.left = []string{count(gone, "deleted version")}
	}
	found.tags = data.Custom
	found.newest = len(live) > 0 && live[len(live)-1] == data.Current
	return live, found, nil
}

// isGone says whether a time of deletion has come. One that has not is when the version ends.
func isGone(deletion string) bool {
	at := deletionTime(deletion)
	return at != nil && !at.After(time.Now())
}

// deletionTime is nil where there is none. What can't be read is taken for one that has come.
func deletionTime(text string) *time.Time {
	if text == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return &time.Time{}
	}
	return &at
}

// data reads a version, the newest for 0, with the custom metadata of the path.
func (s *kvSource) data(ctx context.Context, path string, number int64) (
	v kvVersion, custom map[string]string, err error,
) {
	if !s.versioned {
		err = s.c.get(ctx, &v.data, "", s.parts("", path)...)
		return v, nil, err
	}
	var answer struct {
		Data     map[string]json.RawMessage `json:"data"`
		Metadata struct {
			Version int64             `json:"version"`
			Deleted string            `json:"deletion_time"`
			Custom  map[string]string `json:"custom_metadata"`
		} `json:"metadata"`
	}
	query := ""
	if number > 0 {
		query = "version=" + strconv.FormatInt(number, 10)
	}
	if err := s.c.get(ctx, &answer, query, s.parts("data", path)...); err != nil {
		return v, nil, err
	}
	m := answer.Metadata
	if m.Version < 1 || number > 0 && m.Version != number {
		return v, nil, fatalError{fmt.Errorf("the source, %s: it gave version %d for version %d",
			s.c.base, m.Version, number)}
	}
	return kvVersion{number: m.Version, expires: deletionTime(m.Deleted), data: answer.Data}, m.Custom,
		nil
}
