package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/settings"
	"keyquorum/httpapi"
	"keyquorum/internal/address"
	"keyquorum/internal/space"
	"keyquorum/internal/wrapper"
)

// A finding is one thing that --check prints.
type finding struct {
	Level   string `json:"level"` // "error": a node does not start so; "warning": it does
	At      string `json:"at,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Problem string `json:"problem"`
	Next    string `json:"next,omitempty"`

	subject string // which part of the check found it
}

// A check looks at what a server is told as the server would, and changes nothing: it makes no
// folder and no file, and opens no data.
type check struct {
	config  *serverConfig
	errors  int
	found   []finding
	running bool   // a process has the data folder in use
	subject string // of what is found now
}

// What a check looks at, in order.
const (
	ofSettings    = "configuration"
	ofCertificate = "certificate"
	ofData        = "data folder"
	ofUsageLog    = "usage log"
	ofAddresses   = "addresses"
	ofDescriptors = "descriptors"
	ofSnapshots   = "scheduled snapshots"
	ofBreakGlass  = "break-glass socket"
)

var subjects = []string{
	ofSettings, ofCertificate, ofData, ofUsageLog, ofAddresses, ofDescriptors, ofSnapshots,
	ofBreakGlass,
}

// checkOf is everything that is wrong; told is what reading the settings has found.
func checkOf(config *serverConfig, told problems) *check {
	c := &check{config: config, subject: ofSettings}
	zones, wrong := config.zones()
	plan, more := config.snapshots()
	wrappers, evenMore := config.wrappers()
	for _, p := range slices.Concat(told, wrong, more, evenMore) {
		c.wrong(p)
	}
	c.wrappers(wrappers)
	if len(config.Zones) == 0 {
		c.warn("zone", "there is none, so the node serves operators and no application",
			"say which domain its vaults are in, as in vault.example.org=login.example.org")
	}
	if _, err := httpapi.NewAuthorities(config.Authorities, nil); err != nil {
		c.wrong(config.about("attestation-authority", err.Error()))
	}
	c.environment(os.Environ())
	for _, part := range []struct {
		subject string
		look    func()
	}{
		{ofCertificate, func() { c.certificate(zones) }}, {ofSettings, c.seeds}, {ofData, c.data},
		{ofUsageLog, c.usageLog},
		{ofAddresses, c.ports}, {ofDescriptors, c.descriptors},
		{ofSnapshots, func() { c.snapshots(plan) }}, {ofBreakGlass, c.breakGlass},
	} {
		c.subject = part.subject
		part.look()
	}
	return c
}

func (c *check) add(level string, p settings.Problem) {
	at := p.From
	if at == "" {
		at = "settings"
	}
	c.found = append(c.found, finding{Level: level, At: at, Line: p.Line, Column: p.Column,
		Problem: p.What, Next: p.Next, subject: c.subject})
}

func (c *check) wrong(p settings.Problem) {
	c.errors++
	c.add("error", p)
}

func (c *check) warn(flag, what, next string) {
	p := c.config.about(flag, what)
	p.Next = next
	c.add("warning", p)
}

// refuse is wrong about a setting.
func (c *check) refuse(flag, what, next string) {
	p := c.config.about(flag, what)
	p.Next = next
	c.wrong(p)
}

// environment warns of variables that are nearly those of settings. Others may be for commands.
func (c *check) environment(variables []string) {
	var known []string
	c.config.flags.VisitAll(func(flag *pflag.Flag) {
		if isSetting(flag) || flag.Name == "config" {
			known = append(known, variable(flag.Name))
		}
	})
	for _, v := range variables {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "KEYQUORUM_") || slices.Contains(known, name) {
			continue
		}
		const slip = 2 // letters
		if meant := console.Nearest(known, name, slip); meant != "" {
			c.add("warning", settings.Problem{Place: settings.Place{From: name + " in the environment"},
				What: "it is no setting", Next: fmt.Sprintf("did you mean %s?", meant)})
		}
	}
}

// certificate reads the pair as the server does.
func (c *check) certificate(zones []httpapi.Zone) {
	certFile, keyFile := c.config.TLSCert, c.config.TLSKey
	if certFile == "" || keyFile == "" {
		return // which was said
	}
	readable := c.readable("tls-cert", certFile)
	if !c.readable("tls-key", keyFile) || !readable {
		return
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		c.refuse("tls-cert", err.Error(),
			"give the certificate chain, the node's own first, and the key that belongs to it, as PEM")
		return
	}
	if info, err := os.Stat(keyFile); err == nil && info.Mode().Perm()&0o007 != 0 {
		c.warn("tls-key", fmt.Sprintf("every user of the machine can use %s", keyFile),
			"take it from them with chmod o-rwx")
	}
	remarks := uncovered(pair.Leaf, zones, c.config.APIAddr)
	if of, isNear := remarkOfEnd(pair.Leaf, time.Now()); isNear {
		remarks = append(remarks, of)
	}
	for _, of := range remarks {
		c.warn("tls-cert", fmt.Sprintf("%s (%s %s)", of.text, of.name, of.key), "")
	}
}

// readable says whether a file can be read, and refuses it otherwise.
func (c *check) readable(flag, file string) bool {
	f, err := os.Open(file)
	if err == nil {
		f.Close()
		return true
	}
	next := "let the user that runs the node read it"
	if errors.Is(err, fs.ErrNotExist) {
		next = "put it there, or say where it is"
	}
	c.refuse(flag, err.Error(), next)
	return false
}

// seeds looks at the authorities of places to join, and asks nobody.
func (c *check) seeds() {
	for _, seed := range c.config.Seeds {
		if seed.CAFile == "" || !c.readable("retry-join", seed.CAFile) {
			continue
		}
		if pem, err := os.ReadFile(seed.CAFile); err == nil &&
			!x509.NewCertPool().AppendCertsFromPEM(pem) {
			c.refuse("retry-join", seed.CAFile+" holds no PEM certificate",
				"name the file with the authority that signs the members' certificates")
		}
	}
}

// data looks at the data folder from outside.
func (c *check) data() {
	if c.config.Data == "" {
		return
	}
	c.running = inUse(c.config.Data)
	if c.folder("data", c.config.Data) {
		c.files(c.config.Data)
	}
	c.room("data", existing(c.config.Data))
}

// files refuses what lies in the data folder and this user may not change: somebody else has run
// the node there, often root.
func (c *check) files(dir string) {
	var first string
	count := 0
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && unix.Access(path, unix.R_OK|unix.W_OK) == nil {
			return nil
		}
		if count++; count == 1 {
			first = path
		}
		if d != nil && d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if count > 0 {
		c.refuse("data", fmt.Sprintf("user %d may not change %d of the files there, as %s", os.Getuid(),
			count, first), "give all of them to the user that runs the node (chown -R)")
	}
}

// folder is one that the node makes if it is not there. It says whether one is there that can be
// used.
func (c *check) folder(flag, dir string) (usable bool) {
	there := existing(dir)
	info, err := os.Stat(there)
	switch {
	case err != nil:
		c.refuse(flag, err.Error(), "")
	case !info.IsDir():
		c.refuse(flag, there+" is a file, and no folder", "choose another place")
	case unix.Access(there, unix.R_OK|unix.W_OK|unix.X_OK) != nil:
		c.refuse(flag, fmt.Sprintf("user %d may not write to %s", os.Getuid(), there),
			"give the folder to the user that runs the node, or check as that user")
	case there == filepath.Clean(dir) && info.Mode().Perm()&0o077 != 0:
		c.warn(flag, fmt.Sprintf("other users of the machine can look into %s", dir),
			"take it from them with chmod 700")
		return true
	default:
		return there == filepath.Clean(dir)
	}
	return false
}

// existing is a path, or the nearest above it that is there.
func existing(path string) string {
	path = filepath.Clean(path)
	for {
		_, err := os.Lstat(path)
		above := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || above == path {
			return path
		}
		path = above
	}
}

// room warns where a node would take no writes.
func (c *check) room(flag, path string) {
	free, err := space.Free(path)
	if err != nil || free >= uint64(c.config.Reserve) {
		return
	}
	left := size(free &^ (1<<20 - 1))
	c.warn(flag, fmt.Sprintf("%s are free there, and the node takes no writes with less than %s",
		left.String(), c.config.Reserve.String()), "make room, or lower --disk-reserve")
}

// inUse says whether a process has a data folder open. Such a process holds the lock of its log.
func inUse(data string) bool {
	f, err := os.Open(filepath.Join(data, "cluster", "raft.db"))
	if err != nil {
		return false
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK)
}

// usageLog looks whether the file can be opened, or made.
func (c *check) usageLog() {
	path := c.config.UsageLog
	if path == "" {
		return // it lies in the data folder
	}
	const flag = "usage-log"
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.logFolder(filepath.Dir(path))
		return
	case err != nil:
		c.refuse(flag, err.Error(), "")
		return
	case info.Mode()&fs.ModeSymlink != 0:
		c.refuse(flag, path+" is a symbolic link, and none is followed", "name the file itself")
	case info.IsDir():
		c.refuse(flag, path+" is a folder", "name a file in it")
	case unix.Access(path, unix.R_OK|unix.W_OK) != nil:
		c.refuse(flag, fmt.Sprintf("user %d may not read and write %s", os.Getuid(), path),
			"give the file to the user that runs the node, or check as that user")
	}
	c.room(flag, path)
}

// logFolder is where the usage log is to be made. The node makes the file, and no folder.
func (c *check) logFolder(dir string) {
	const flag = "usage-log"
	if existing(dir) != filepath.Clean(dir) {
		c.refuse(flag, fmt.Sprintf("there is no folder %s", dir), "make it, for the node's user")
		return
	}
	c.folder(flag, dir)
	c.room(flag, dir)
}

// ports opens and closes what the server would open. Those that a running node has are its own.
func (c *check) ports() {
	c.running = c.running || c.answers()
	for _, port := range []struct {
		flag, at string
		try      func() error
	}{
		{"listen", c.config.Listen, func() error { return tryPort("API", "listen", c.config.Listen) }},
		{"cluster-listen", c.config.ClusterListen, func() error {
			return tryPort("cluster", "cluster-listen", c.config.ClusterListen)
		}},
		{"gossip-listen", c.config.GossipListen, func() error {
			return tryGossip(c.config.GossipListen)
		}},
	} {
		if port.at == "" || address.Listen(port.at) != nil {
			continue // gossip is off, or it was said
		}
		err := port.try()
		if err == nil || c.running && errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		next := ""
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			next = "no interface of this machine has that address"
		}
		c.refuse(port.flag, err.Error(), next)
	}
}

// answers says whether the API of a node with this certificate has the port: a node that waits for
// init or join has no log yet to hold a lock of.
func (c *check) answers() bool {
	own, err := tls.LoadX509KeyPair(c.config.TLSCert, c.config.TLSKey)
	if err != nil || address.Listen(c.config.Listen) != nil {
		return false
	}
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{
		InsecureSkipVerify: true, // whose it is is compared
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", c.config.Listen)
	if err != nil {
		return false
	}
	defer conn.Close()
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates
	return len(shown) > 0 && shown[0].Equal(own.Leaf)
}

func tryPort(what, flag, at string) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return portError(what, "--"+flag, at, err)
	}
	return l.Close()
}

func (c *check) descriptors() {
	if wanted := c.config.Connections; wanted >= leastConnections && affordable(wanted) < wanted {
		c.warn("connections", fmt.Sprintf("the process has file descriptors for %d of %d",
			affordable(wanted), wanted), "allow it more (LimitNOFILE= under systemd)")
	}
}

// print says what was found, and ends with code 1 if a node would not start.
func (c *check) print(cmd *cobra.Command, format *console.Format) error {
	table := console.NewTable("Level", "Where", "What is wrong, and what to do").WhenEmpty(
		"The configuration is in order.")
	for _, f := range c.found {
		p := settings.Problem{What: f.Problem, Next: f.Next}
		table.Add(f.Level, settings.Place{From: f.At, Line: f.Line, Column: f.Column}, p.Error())
	}
	answer := struct {
		OK    bool      `json:"ok"` // a node starts with it
		Found []finding `json:"found"`
	}{c.errors == 0, append([]finding{}, c.found...)}
	if err := format.Print(cmd, answer, table); err != nil {
		return err
	}
	if c.errors == 0 {
		return nil
	}
	return fmt.Errorf("a node does not start with this configuration: errors: %d", c.errors)
}

// wrappers warns of keys that this node can't use as it is: it starts, and waits for shares.
func (c *check) wrappers(keys map[string]wrapper.Key) {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := keys[name].Check(); err != nil {
			c.warn("seal-wrapper", fmt.Sprintf("%s does not unseal this node: %v", name, err),
				"put that right, or a restart needs shares")
		}
		for _, file := range keys[name].Files() {
			if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o007 != 0 {
				c.warn("seal-wrapper", fmt.Sprintf("every user of the machine can use %s", file),
					"take it from them with chmod o-rwx")
			}
		}
	}
}
