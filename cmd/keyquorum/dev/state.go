package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/operator"

	"keyquorum/cmd/keyquorum/console"
)

// State is dev.json: what a dev cluster must know to come back. It holds every secret of the
// cluster, in the clear.
type State struct {
	Layout
	Init *operator.InitResult  `json:"init,omitempty"`
	App  *Credential           `json:"app,omitempty"`
	Apps map[string]Credential `json:"seeded,omitempty"` // by name, those of a seed
}

// Credential is that of an application.
type Credential struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret"`
}

// lock takes the folder for this process until the file is closed.
func (f Folder) lock() (*os.File, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(f.Path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		file.Close()
		return nil, fmt.Errorf("a dev cluster runs in %s already (pid %d)", f, f.lockPID())
	}
	if err := errors.Join(file.Truncate(0), writeAll(file, strconv.Itoa(os.Getpid()))); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func writeAll(file *os.File, s string) error {
	_, err := file.WriteString(s)
	return err
}

// owner is the pid of the `keyquorum dev` that runs in the folder, or an error that says that none
// does.
func (f Folder) owner() (int, error) {
	idle := fmt.Errorf("no dev cluster runs in %s; start one with: %s dev, or say with --dir where it is",
		f, console.CalledAs())
	file, err := os.Open(f.Path("lock"))
	if err != nil {
		return 0, idle
	}
	defer file.Close()
	if unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0, idle
	}
	return f.lockPID(), nil
}

func (f Folder) lockPID() int { return ReadPID(f.Path("lock")) }

// ReadPID is 0 when there is none.
func ReadPID(file string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// state reads dev.json; in a new folder it is empty.
func (f Folder) State() (State, error) {
	var s State
	b, err := os.ReadFile(f.Path("dev.json"))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return s, fmt.Errorf("dev.json of the dev cluster: %w", err)
	}
	return s, nil
}

// save writes dev.json whole or not at all: without it the cluster could not be unsealed again.
func (f Folder) Save(s State) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temporary := f.Path("dev.json.new")
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(writeAll(file, string(b)+"\n"), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, f.Path("dev.json"))
}

// chooseLayout keeps a cluster as it was made: its members know each other by their ports.
func (s *State) chooseLayout(o *options) error {
	switch {
	case s.Port == 0:
		s.Layout = o.layout
		s.Port = o.port
	case o.asked && o.port != 0 && o.port != s.Port:
		return fmt.Errorf("this dev cluster was made with --port %d; remove its folder to begin anew with %d",
			s.Port, o.port)
	}
	if s.Port == 0 {
		return s.findPorts()
	}
	return nil
}

// findPorts takes the first of any that are free, below those that systems give to whoever calls
// another: by chance, so that two clusters that begin at once hardly meet.
func (s *State) findPorts() error {
	const first, last, tries = 20_000, 32_000, 100
	for range tries {
		s.Port = first + rand.IntN(last-first)
		if s.portsAreFree() == nil {
			return nil
		}
	}
	return errors.New("no free ports were found; choose with --port")
}

// portsAreFree says what a node would say of its port in words that mean nothing to whoever started
// a dev cluster.
func (s *State) portsAreFree() error {
	for _, a := range s.addresses() {
		for offset := range 3 {
			l, err := net.Listen("tcp", a.Local(offset))
			switch {
			case errors.Is(err, syscall.EADDRINUSE) && s.Init != nil:
				return fmt.Errorf("%s is in use by another program, and this dev cluster was made for it; "+
					"end that program, or begin anew in another folder with --dir and --port "+
					"(make run ARGS='--dir=FOLDER --port=N')", a.Local(offset))
			case errors.Is(err, syscall.EADDRINUSE):
				return fmt.Errorf("%s is in use by another program; choose other ports with --port=N "+
					"(make run ARGS=--port=N), the first of %d", a.Local(offset), 10*(s.nodes()-1)+3)
			case err != nil:
				return err
			}
			l.Close()
		}
	}
	return nil
}
