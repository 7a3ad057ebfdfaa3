package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
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

// run asks go in this module's root, wherever the program was started.
func run(args ...string) ([]byte, error) {
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join(filepath.Dir(here), "..", "..")
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, exit.Stderr)
	}
	return out, err
}

// moveModules makes go take the edited modules of others from folders whose files exist only in the
// overlay: it refuses to replace single files of its module cache.
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
func (o *overlaid) root(p pkg) string {
	return filepath.Join(o.dir,
		filepath.FromSlash(p.Module.Path))
}

// folder is where go will see the package.
func (o *overlaid) folder(p pkg) string {
	if !p.foreign() {
		return p.Dir
	}
	return o.root(p) + strings.TrimPrefix(p.Dir, p.Module.Dir)
}

// mirror shows the files of one folder in another, whose folders are real: vet is run in them.
func (o *overlaid) mirror(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		place := to + strings.TrimPrefix(name, from)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(place, 0o700)
		case d.Type().IsRegular():
			o.Replace[place] = name
		}
		return nil
	})
}
