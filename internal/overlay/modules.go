package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
)

// A pkg is what go list says of a package. Module is nil in the standard library.
type pkg struct {
	ImportPath, Dir string
	Module          *struct {
		Path, Dir string
		Main      bool
	}
}

func (p pkg) foreign() bool { return p.Module != nil && !p.Module.Main }

// list asks go for the packages that are edited.
func list(edits []Edit) (map[string]pkg, error) {
	args := []string{"list", "-find", "-json=ImportPath,Dir,Module"}
	for _, e := range edits {
		args = append(args, path.Dir(e.File))
	}
	out, err := run(args...)
	if err != nil {
		return nil, err
	}
	packages := map[string]pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages[p.ImportPath] = p
	}
}

func run(args ...string) ([]byte, error) {
	out, err := exec.Command("go", args...).Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, exit.Stderr)
	}
	return out, err
}

// moveModules makes go take the edited modules of others from folders that exist only in the overlay: it refuses to replace
// single files of its module cache.
func (o *overlaid) moveModules(packages map[string]pkg) error {
	requirements := ""
	moved := map[string]bool{}
	for _, p := range packages {
		if !p.foreign() || moved[p.Module.Path] {
			continue
		}
		moved[p.Module.Path] = true
		if err := o.mirror(p.Module.Dir, o.root(p)); err != nil {
			return err
		}
		requirements += fmt.Sprintf("\nreplace %s => %q\n", p.Module.Path, o.root(p))
	}
	if requirements == "" {
		return nil
	}
	out, err := run("list", "-m", "-f", "{{.GoMod}}")
	if err != nil {
		return err
	}
	place := string(bytes.TrimSpace(out))
	ours, err := o.read(place)
	if err != nil {
		return err
	}
	return o.put(place, ours+requirements)
}

// root is where go will see the module of a package.
func (o *overlaid) root(p pkg) string { return filepath.Join(o.dir, filepath.FromSlash(p.Module.Path)) }

// folder is where go will see the package.
func (o *overlaid) folder(p pkg) string {
	if !p.foreign() {
		return p.Dir
	}
	return o.root(p) + p.Dir[len(p.Module.Dir):]
}

// mirror shows the files of one folder in another.
func (o *overlaid) mirror(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			o.Replace[to+name[len(from):]] = name
		}
		return err
	})
}
