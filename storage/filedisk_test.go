package storage_test

import (
	"bytes"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A fileStep is one step of the file layer. The path is relative to the folder that is watched.
type fileStep struct {
	Op, Path string
	Content  []byte // of a file that is about to be synced
}

// watchSteps makes of what the file layer asks before each step a fileStep.
func watchSteps(root string, seen func(fileStep) error) func(op, path string) error {
	return func(op, path string) error {
		name, err := filepath.Rel(root, path)
		if err != nil || !filepath.IsLocal(name) {
			return err
		}
		step := fileStep{Op: op, Path: filepath.ToSlash(name)}
		if op == "sync" {
			if step.Content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		return seen(step)
	}
}

// A fileDisk knows what may be on disk of a folder. A name, a rename and a removal are on disk when
// their folder was synced, each of them perhaps before; a content when its file was.
type fileDisk struct {
	root    *inode
	pending []change
	syncing func() // what the last step has done when the next one begins
}

// An inode is a file, or a folder if names is not nil.
type inode struct {
	names, onDisk map[string]*inode // what the process sees, and what is certain to stay
	content       []byte
	synced        bool
}

func newFolder() *inode { return &inode{names: map[string]*inode{}, onDisk: map[string]*inode{}} }

// A change gives a name to an inode, or to none, and takes away the name that it had. It is on disk
// wholly or not at all.
type change struct {
	in         *inode
	name, from string
	to         *inode
}

func (c change) apply(names map[string]*inode) {
	delete(names, c.from)
	if c.to == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.to
	}
}

// step does one. It may have been begun or done when the power goes.
func (d *fileDisk) step(s fileStep) {
	d.settle()
	in, name := d.find(path.Dir(s.Path)), path.Base(s.Path)
	switch s.Op {
	case "mkdir":
		d.change(change{in: in, name: name, to: newFolder()})
	case "create":
		d.change(change{in: in, name: name, to: &inode{}})
	case "sync":
		f := in.names[name]
		f.content = s.Content
		d.syncing = func() { f.synced = true }
	case "syncdir":
		folder := d.find(s.Path)
		d.syncing = func() { d.syncNames(folder) }
	case "rename":
		from := renamedFrom(in, name)
		d.change(change{in: in, name: name, from: from, to: in.names[from]})
	case "remove":
		d.remove(in, name)
	}
}

// settle says that the last step is done.
func (d *fileDisk) settle() {
	if d.syncing != nil {
		d.syncing()
	}
	d.syncing = nil
}

func (d *fileDisk) find(name string) *inode {
	at := d.root
	for _, part := range strings.Split(path.Clean(name), "/") {
		if part != "." {
			at = at.names[part]
		}
	}
	return at
}

func (d *fileDisk) change(c change) {
	c.apply(c.in.names)
	d.pending = append(d.pending, c)
}

func (d *fileDisk) syncNames(folder *inode) {
	d.pending = slices.DeleteFunc(d.pending, func(c change) bool {
		if c.in == folder {
			c.apply(folder.onDisk)
		}
		return c.in == folder
	})
}

// renamedFrom finds the old name, which the file layer does not tell: what is renamed is temporary
// before or behind it.
func renamedFrom(in *inode, name string) string {
	for _, from := range []string{name + ".tmp", name + ".new", strings.TrimSuffix(name, ".tmp")} {
		if from != name && in.names[from] != nil {
			return from
		}
	}
	panic("nothing can have been renamed to " + name)
}

func (d *fileDisk) remove(in *inode, name string) {
	gone := in.names[name]
	if gone == nil {
		return
	}
	for _, child := range slices.Sorted(maps.Keys(gone.names)) {
		d.remove(gone, child)
	}
	d.change(change{in: in, name: name})
}

// state is what a reader finds after a power cut now: files by their path, and folders, whose path
// ends in a slash. pick is asked which of its options each change and each unsynced content takes,
// from 0, the oldest.
func (d *fileDisk) state(pick func(options int) int) map[string][]byte {
	names := map[*inode]map[string]*inode{}
	for _, c := range d.pending {
		if names[c.in] == nil {
			names[c.in] = maps.Clone(c.in.onDisk)
		}
		if pick(2) == 1 {
			c.apply(names[c.in])
		}
	}
	files := map[string][]byte{}
	d.root.list("", names, pick, files)
	return files
}

func (i *inode) list(at string, names map[*inode]map[string]*inode, pick func(int) int,
	files map[string][]byte) {
	if i.names == nil {
		files[at] = i.survives(pick)
		return
	}
	if at != "" {
		at += "/"
		files[at] = nil
	}
	below, changed := names[i]
	if !changed {
		below = i.onDisk
	}
	for _, name := range slices.Sorted(maps.Keys(below)) {
		below[name].list(at+name, names, pick, files)
	}
}

// survives is what is left of a content.
func (i *inode) survives(pick func(options int) int) []byte {
	if i.synced {
		return i.content
	}
	half := i.content[:len(i.content)/2]
	torn := append(bytes.Clone(half), make([]byte, len(i.content)-len(half))...)
	options := [][]byte{nil, half, torn, []byte("of another file, deleted long ago"), i.content}
	return options[pick(len(options))]
}

// writeFiles makes a state real.
func writeFiles(dir string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) { // a folder comes before what is in it
		where := filepath.Join(dir, filepath.FromSlash(name))
		var err error
		if strings.HasSuffix(name, "/") {
			err = os.Mkdir(where, 0o700)
		} else {
			err = os.WriteFile(where, files[name], 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
