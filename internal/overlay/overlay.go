// Package overlay builds and tests this module with small edits of source text, its own or that of
// a module it uses, through go build -overlay. Nothing on disk is changed, and no source but the
// few words of an edit is kept here.
//
//	path, err := overlay.Write(t.TempDir(), []overlay.Edit{
//		{File: "keyquorum/cluster/fence.go", Old: "votes > n/2", New: "votes > 0"},
//		{File: "go.etcd.io/bbolt/more.go", New: "package bbolt\n"}, // a file more
//	})
//	...
//	exec.Command("go", "test", "-trimpath", "-overlay", path, "keyquorum/cluster")
//
// An edited module of others is built from a new folder, and go's build cache knows folders by
// name: with -trimpath it knows them by content, and what was built once is not built again.
package overlay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// An Edit changes one place of one file, or adds a file to a package.
type Edit struct {
	File string // import path of the package, a slash, name of the file: "go.etcd.io/bbolt/db.go"
	Old  string // must stand in the file exactly once; empty: there is no such file, and New is all of it
	New  string
}

// Write puts edited copies into dir and returns the absolute path of the file for go's -overlay.
// Edits of one file are made one after the other, after those that the environment asks for
// (Everywhere). dir must outlive the builds. The error names the edit that no longer fits the
// source.
func Write(dir string, edits []Edit) (string, error) {
	common, err := everywhere()
	if err != nil {
		return "", fmt.Errorf("overlay: %s: %w", Everywhere, err)
	}
	edits = append(common, edits...)
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("overlay: %w", err)
	}
	o := &overlaid{dir: dir, Replace: map[string]string{}}
	packages, err := list(edits)
	if err != nil {
		return "", fmt.Errorf("overlay: looking for what to edit: %w", err)
	}
	if err := o.moveModules(packages); err != nil {
		return "", fmt.Errorf("overlay: %w", err)
	}
	for _, e := range edits {
		p := packages[path.Dir(e.File)]
		if err := o.edit(filepath.Join(o.folder(p), path.Base(e.File)), e); err != nil {
			return "", fmt.Errorf("overlay: %s: %w", e.File, err)
		}
	}
	return o.save()
}

// Everywhere is the environment variable that names a file of edits (JSON, as Save writes it) which
// belong into whatever is built: a seeded bug that a test is to find in the programs that it builds
// too.
const Everywhere = "KEYQUORUM_EDITS"

// Save writes edits into a file for Everywhere.
func Save(name string, edits []Edit) error {
	b, err := json.Marshal(edits)
	if err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	return os.WriteFile(name, b, 0o600)
}

// everywhere are the edits that the environment asks for.
func everywhere() (edits []Edit, err error) {
	name := os.Getenv(Everywhere)
	if name == "" {
		return nil, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return edits, json.Unmarshal(b, &edits)
}

// An overlaid is what go reads from -overlay: for the place of a file, the file to read in its
// stead.
type overlaid struct {
	dir     string
	Replace map[string]string
}

// edit makes or changes the copy of the file at place.
func (o *overlaid) edit(place string, e Edit) error {
	text, err := o.read(place)
	if e.Old == "" {
		if !errors.Is(err, fs.ErrNotExist) {
			return errors.New("is to be added, and is there already")
		}
		return o.put(place, e.New)
	}
	if err != nil {
		return err
	}
	if n := strings.Count(text, e.Old); n != 1 {
		return fmt.Errorf("%q stands in it %d times, and an edit must fit once", e.Old, n)
	}
	return o.put(place, strings.Replace(text, e.Old, e.New, 1))
}

// read is how go will see the file at place.
func (o *overlaid) read(place string) (string, error) {
	if instead, ok := o.Replace[place]; ok {
		place = instead
	}
	b, err := os.ReadFile(place)
	return string(b), err
}

func (o *overlaid) put(place, text string) error {
	name := filepath.Join(o.dir, fmt.Sprintf("%d-%s", len(o.Replace), filepath.Base(place)))
	o.Replace[place] = name
	return os.WriteFile(name, []byte(text), 0o600)
}

func (o *overlaid) save() (string, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("overlay: %w", err)
	}
	name := filepath.Join(o.dir, "overlay.json")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return "", fmt.Errorf("overlay: %w", err)
	}
	return name, nil
}
