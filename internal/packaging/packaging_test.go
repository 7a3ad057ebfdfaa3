package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/blakesmith/ar"
	"github.com/sassoftware/go-rpmutils"
)

// held is what both packages hold: mode, owner, group and path.
var held = []string{
	"-rw-r----- root keyquorum /etc/keyquorum/keyquorum.hcl",
	"-rw-r--r-- root root /usr/lib/systemd/system/keyquorum.service",
	"-rw-r--r-- root root /usr/share/doc/keyquorum/NOTICE",
	"-rw-r--r-- root root /usr/share/doc/keyquorum/copyright",
	"-rwxr-xr-x root root /usr/bin/keyquorum",
	"drwx------ keyquorum keyquorum /var/lib/keyquorum",
	"drwx------ keyquorum keyquorum /var/log/keyquorum",
	"drwxr-x--- root keyquorum /etc/keyquorum",
}

// program stands for the real one.
const program = "#!/bin/sh\necho keyquorum\n"

func packages(t *testing.T) (deb, rpm string) {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1800000000")
	binary := filepath.Join(t.TempDir(), "built")
	if err := os.WriteFile(binary, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := build(binary, "0.1.0-dev+abc1234", "amd64", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return files[0], files[1]
}

func TestDebHoldsANode(t *testing.T) {
	deb, _ := packages(t)
	if name := filepath.Base(deb); name != "keyquorum_0.1.0~dev+abc1234_amd64.deb" {
		t.Errorf("it is called %s", name)
	}
	var all []string
	var built []byte
	for _, f := range member(t, deb, "data.tar.gz") {
		name := "/" + strings.Trim(strings.TrimPrefix(f.header.Name, "."), "/")
		if name == "/usr/bin/keyquorum" {
			built = f.content
		}
		if f.header.Typeflag == tar.TypeDir && !strings.HasSuffix(name, "/keyquorum") ||
			name == "/usr/share/doc/keyquorum" {
			continue // folders of everybody's
		}
		all = append(all, fmt.Sprint(f.header.FileInfo().Mode(), " ", f.header.Uname, " ",
			f.header.Gname, " ", name))
	}
	slices.Sort(all)
	if !slices.Equal(all, held) {
		t.Errorf("it holds\n%s\nwant\n%s", strings.Join(all, "\n"), strings.Join(held, "\n"))
	}
	if string(built) != program {
		t.Errorf("the program is %q", built)
	}
	control := map[string]string{}
	for _, f := range member(t, deb, "control.tar.gz") {
		control[filepath.Base(f.header.Name)] = string(f.content)
	}
	for file, says := range map[string]string{
		"control": "\nDepends: passwd\n", "conffiles": "/etc/keyquorum/keyquorum.hcl\n",
		"preinst": "useradd --system", "postinst": "daemon-reload", "prerm": "disable --now",
		"postrm": "daemon-reload",
	} {
		if !strings.Contains(control[file], says) {
			t.Errorf("%s does not say %q: %s", file, says, control[file])
		}
	}
	again, _ := packages(t)
	if !bytes.Equal(content(t, deb), content(t, again)) {
		t.Error("the same program gives another package")
	}
}

// TestDebIsTaken asks dpkg whether it is one.
func TestDebIsTaken(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("there is no dpkg-deb to read the package with")
	}
	deb, _ := packages(t)
	out, err := exec.Command("dpkg-deb", "-I", deb).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Version: 0.1.0~dev+abc1234\n") ||
		!strings.Contains(string(out), "Architecture: amd64\n") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command("dpkg-deb", "-x", deb, t.TempDir()).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRPMHoldsANode(t *testing.T) {
	_, file := packages(t)
	if name := filepath.Base(file); name != "keyquorum-0.1.0~dev+abc1234-1.x86_64.rpm" {
		t.Errorf("it is called %s", name)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rpm, err := rpmutils.ReadRpm(f)
	if err != nil {
		t.Fatal(err)
	}
	files, err := rpm.Header.GetFiles()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		mode := os.FileMode(f.Mode() & 0o777)
		if f.Mode()&0o40000 != 0 {
			mode |= os.ModeDir
		}
		all = append(all, fmt.Sprint(mode, " ", f.UserName(), " ", f.GroupName(), " ", f.Name()))
		const config, noReplace = 1, 16
		if isConfig := f.Flags()&(config|noReplace) == config|noReplace; isConfig !=
			strings.HasSuffix(f.Name(), ".hcl") {
			t.Errorf("%s has the flags %d", f.Name(), f.Flags())
		}
	}
	slices.Sort(all)
	if !slices.Equal(all, held) {
		t.Errorf("it holds\n%s\nwant\n%s", strings.Join(all, "\n"), strings.Join(held, "\n"))
	}
	for tag, says := range map[int]string{
		rpmutils.PREIN: "useradd --system", rpmutils.POSTIN: "daemon-reload",
		rpmutils.PREUN: "disable --now", rpmutils.POSTUN: "daemon-reload",
		rpmutils.REQUIRENAME: "shadow-utils", rpmutils.LICENSE: "Apache-2.0",
	} {
		texts, err := rpm.Header.GetStrings(tag)
		if err != nil || !strings.Contains(strings.Join(texts, "\n"), says) {
			t.Errorf("tag %d: %v does not say %q: %v", tag, err, says, texts)
		}
	}
	_, again := packages(t)
	if !bytes.Equal(content(t, file), content(t, again)) {
		t.Error("the same program gives another package")
	}
}

// TestScripts runs them under a systemd, with commands that only note how they were called.
func TestScripts(t *testing.T) {
	for _, row := range []struct {
		script, arg string
		there       bool // user and group
		calls       []string
	}{
		{"preinstall.sh", "install", false, []string{
			"getent group keyquorum", "groupadd --system keyquorum", "getent passwd keyquorum",
			"useradd --system --gid keyquorum --no-create-home --home-dir /var/lib/keyquorum " +
				"--shell /usr/sbin/nologin keyquorum"}},
		{"preinstall.sh", "upgrade", true, []string{"getent group keyquorum",
			"getent passwd keyquorum"}},
		{"postinstall.sh", "configure", true, []string{"systemctl daemon-reload",
			"systemctl --quiet is-active keyquorum"}},
		{"preremove.sh", "upgrade", true, nil},
		{"preremove.sh", "1", true, nil},
		{"preremove.sh", "remove", true, []string{"systemctl disable --now keyquorum"}},
		{"preremove.sh", "0", true, []string{"systemctl disable --now keyquorum"}},
		{"postremove.sh", "remove", true, []string{"systemctl daemon-reload"}},
	} {
		calls, err := noted(t, row.script, row.arg, row.there)
		if err != nil || !slices.Equal(calls, row.calls) {
			t.Errorf("%s %s: %v, it calls %q, want %q", row.script, row.arg, err, calls, row.calls)
		}
	}
}

// noted runs a script, and returns what it calls. getent finds something if there is.
func noted(t *testing.T, script, arg string, there bool) (calls []string, err error) {
	t.Helper()
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes")
	for _, name := range []string{"getent", "groupadd", "useradd", "systemctl"} {
		text := "#!/bin/sh\necho " + name + " \"$@\" >>" + notes + "\n"
		if name == "getent" && !there {
			text += "exit 2\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(string(content(t, script)), "/run/systemd/system", dir)
	cmd := exec.Command("/bin/sh", "-c", text, script, arg)
	cmd.Env = []string{"PATH=" + dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	b, err := os.ReadFile(notes)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n"), err
}

// A packed is one file of a tar.
type packed struct {
	header  *tar.Header
	content []byte
}

// member reads a tar within a deb.
func member(t *testing.T, deb, name string) (all []packed) {
	t.Helper()
	archive := ar.NewReader(bytes.NewReader(content(t, deb)))
	for {
		header, err := archive.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.TrimSuffix(header.Name, "/") == name {
			break
		}
	}
	unpacked, err := gzip.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(unpacked)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, packed{header, b})
	}
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
