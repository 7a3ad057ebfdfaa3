package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// hup sends SIGHUP, and returns what the log says of it once a word is there.
func (s *server) hup(word string) string {
	s.t.Helper()
	from := len(s.logged())
	s.signal(syscall.SIGHUP)
	return s.says(from, word)
}

// says waits until the log has a word after so many bytes, and returns what is there.
func (s *server) says(from int, word string) (said string) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		if said = s.logged()[from:]; strings.Contains(said, word) {
			return said
		}
	}
	s.t.Fatalf("the log does not say %q, but %s", word, said)
	return ""
}

// edit writes another configuration.
func (s *server) edit(oldAndNew ...string) {
	s.t.Helper()
	b, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	text := strings.NewReplacer(oldAndNew...).Replace(string(b))
	if text == string(b) {
		s.t.Fatalf("there is nothing to replace in %s", text)
	}
	write(s.t, s.config, text)
}

// shown is the serial number of the certificate that callers see.
func (s *server) shown() string {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.address(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestReload changes the configuration of a server that runs.
func TestReload(t *testing.T) {
	usage := filepath.Join(t.TempDir(), "audit.log")
	s := startServer(t, "usage_log = \""+usage+"\"\nthrottle = 5\n")
	s.says(0, "serving")
	first := s.shown()

	// As it was.
	said := s.hup("the configuration was read again")
	if !strings.Contains(said, "the usage log was opened anew") ||
		strings.Contains(said, "new certificate") || strings.Contains(said, "[WARN]") {
		t.Error(said)
	}

	// A bad file. Its pair is another one and good, and is not taken either; the log is rotated.
	renewed := devCertificates(t, time.Now())
	s.edit(s.folder.Path("tls"), renewed.Path("tls"), "throttle = 5", "throtle = 7")
	if err := os.Rename(usage, usage+".1"); err != nil {
		t.Fatal(err)
	}
	said = s.hup("every setting stays as it is")
	if !strings.Contains(said, s.config+`:14:1: there is no setting`) ||
		!strings.Contains(said, "did you mean throttle?") {
		t.Error(said)
	}
	if _, err := os.Stat(usage); err != nil {
		t.Errorf("the usage log was not opened anew beside it: %v", err)
	}
	if s.shown() != first {
		t.Error("the certificate of a bad configuration is in service")
	}

	// The same without the mistake.
	s.edit("throtle = 7", "throttle = 7")
	if said := s.hup("throttle=7"); !strings.Contains(said, "the API has a new certificate") {
		t.Error(said)
	}
	if s.shown() == first {
		t.Error("the certificate of the good configuration is not in service")
	}

	// A key that is not there.
	s.edit("tls_key_file    = \"", "tls_key_file    = \"/none")
	if said := s.hup("every setting stays"); !strings.Contains(said, "no such file") {
		t.Error(said)
	}
	s.edit("\"/none", "\"")

	// What needs a restart.
	s.edit("zone ", "label = \"another\"\nzone ", "1MiB", "2MiB")
	if said := s.hup("need a restart"); !strings.Contains(said, `settings="disk_reserve label"`) {
		t.Error(said)
	}

	// The level. The line that says it is the last that is no error.
	s.edit("throttle = 7", "throttle = 7\nlog_level = \"error\"")
	s.hup("log_level=error")
	s.edit("throttle = 7", "throttle = -7")
	if said := s.hup("it is not negative"); strings.Contains(said, "[INFO]") {
		t.Errorf("at level error the log says %s", said)
	}
	s.signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// TestReloadOfSnapshots: a schedule begins, is refused, and ends, without a restart.
func TestReloadOfSnapshots(t *testing.T) {
	s := startServer(t, "throttle = 7\n")
	s.says(0, "serving")
	const schedule = "snapshots {\n  every = \"24h\"\n  keep = 2\n  folder = \"/none\"\n}\n"
	s.edit("throttle = 7\n", "throttle = 7\n"+schedule)
	if said := s.hup("the schedule of snapshots has changed: every=24h"); strings.Contains(said,
		"[WARN]") {
		t.Error(said)
	}
	s.edit("keep = 2", "keep = 0")
	if said := s.hup("every setting stays"); !strings.Contains(said, "how many snapshots stay") {
		t.Error(said)
	}
	s.edit(strings.Replace(schedule, "keep = 2", "keep = 0", 1), "")
	s.hup("the schedule of snapshots has changed: every=0s")
}

// TestHangupDuringTheStart: whoever rotates the usage log does not know that a node starts. A pipe
// for the certificate holds the start until the signal was sent.
func TestHangupDuringTheStart(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "tls.pem")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "", "KEYQUORUM_TLS_CERT="+pipe)
	into, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the server to read
	if err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	s.signal(syscall.SIGHUP)
	pem, err := os.ReadFile(s.folder.Path("tls.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := into.Write(pem); err != nil {
		t.Fatal(err)
	}
	into.Close()
	s.says(0, "the usage log was opened anew")
}

// The command line wins over the file at a reload as well.
func TestReloadKeepsTheCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keyquorum.hcl")
	write(t, file, "label = \"file\"\nthrottle = 1\nzone = [\"a=b\"]\n")
	s := new(serverConfig)
	f := pflag.NewFlagSet("server", pflag.ContinueOnError)
	s.bind(f)
	args := []string{"--config", file, "--data=d", "--tls-cert=c", "--tls-key=k", "--label=flag",
		"--zone=x=y", "--zone=z=w"}
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	s.given = onCommandLine(f)
	nothing := func(string) (string, bool) { return "", false }
	if err := append(s.fill(f, nothing), s.complete()...).err(); err != nil {
		t.Fatal(err)
	}
	write(t, file, "label = \"other\"\nthrottle = 2\nzone = [\"e=f\"]\nregion = \"eu\"\n")
	fresh, wrong := s.again()
	if err := wrong.err(); err != nil {
		t.Fatal(err)
	}
	if fresh.Label != "flag" || !slices.Equal(fresh.Zones, []string{"x=y", "z=w"}) ||
		fresh.Throttle.Rate != 2 {
		t.Errorf("read again: label %s, zones %v, throttle %v", fresh.Label, fresh.Zones,
			fresh.Throttle)
	}
	if got := s.changed(fresh); !slices.Equal(got, []string{"region"}) {
		t.Errorf("a restart is needed by %v", got)
	}
}
