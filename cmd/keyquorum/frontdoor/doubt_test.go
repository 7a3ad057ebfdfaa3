package frontdoor

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"testing"
	"time"
)

// page is what a balancer answers that has no node.
func page(w http.ResponseWriter, _ *http.Request, _ func() (*http.Response, []byte)) {
	http.Error(w, "<html>no upstream</html>", http.StatusServiceUnavailable)
}

// TestAWriteThatMayBeDoneIsNotDoneAgain: whatever becomes of the answer, there is one version, and
// one line says how to look.
func TestAWriteThatMayBeDoneIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, row := range map[string]struct {
		do   fault
		says string
	}{
		"cut":     {afterwards(cut), "did not answer"},
		"half":    {half, "did not answer"},
		"page":    {afterwards(page), "answered 503"},
		"timeout": {afterwards(refusal(504, "", "no")), "answered 504"},
		"unknown": {afterwards(refusal(503, "OutcomeUnknown",
			"The outcome could not be learned in time. The write may have happened.")),
			"answered 503 .The outcome could not be learned"},
		"late": {afterwards(refusal(503, "",
			"The request could not be finished in time. "+"If it was a write, it may have happened.")),
			"answered 503"},
		"unrecorded": {afterwards(refusal(500, "UsageRecordFailed",
			"The usage record could not be written. The write may have happened.")), "answered 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := shared(t).caller(t)
			n := c.house.relay(t, a, row.do)
			through := c.behind(a, n.url())
			object := "doubtful-" + name
			through.refusedGiven(private(), 2,
				row.says+".*the change may have been made: look with keyquorum secret list-versions "+
					object+" --vault demo before", "secret", "set", object)
			if listed := c.list("secret", "list-versions", object); len(listed) != 1 {
				t.Errorf("there are %d versions", len(listed))
			}
			if made := n.changes.Load(); made != 1 {
				t.Errorf("it was sent %d times to the first node", made)
			}
		})
	}
}

// TestInterruptedWritesSayHowToLook; a read is only interrupted.
func TestInterruptedWritesSayHowToLook(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for args, says := range map[string]string{
		"secret set interrupted": "interrupted before .* answered, so the change may have been made: " +
			"look with keyquorum secret list-versions interrupted --vault demo before",
		"secret list": "^keyquorum: interrupted\n$",
	} {
		t.Run(strings.Fields(args)[1], func(t *testing.T) {
			t.Parallel()
			if signal.Ignored(os.Interrupt) { // as in a job in the background
				t.Skip("Ctrl-C is ignored here, and not tried")
			}
			c := shared(t).caller(t)
			arrived := make(chan bool, 9)
			n := c.house.relay(t, a, func(_ http.ResponseWriter, r *http.Request,
				pass func() (*http.Response, []byte)) {
				pass()
				arrived <- true
				<-r.Context().Done()
			})
			s := c.behind(a, n.url()).start(strings.Fields(args)...)
			<-arrived
			_ = s.cmd.Process.Signal(os.Interrupt)
			_ = s.cmd.Wait()
			if !regexp.MustCompile(says).MatchString(s.said()) ||
				strings.Count(s.said(), "\n") != 1 || s.cmd.ProcessState.ExitCode() < 1 {
				t.Errorf("%v, %s", s.cmd.ProcessState, s.said())
			}
		})
	}
}

// TestEachVerbSaysHowToLook where nobody knows whether it was done.
func TestEachVerbSaysHowToLook(t *testing.T) {
	t.Parallel()
	a, c := newAuthority(t), shared(t).caller(t)
	n := c.house.relay(t, a, func(w http.ResponseWriter, r *http.Request,
		pass func() (*http.Response, []byte)) {
		if r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/backup") {
			write(w, pass)
			return
		}
		cut(w, r, pass)
	})
	through := c.behind(a, n.url())
	c.setSecret("looked", private())
	c.ok("key", "create", "looked", "--kty=EC")
	through.ok("secret", "backup", "looked", "--file=saved")
	for call, look := range map[string]string{
		"secret set-attributes looked --tag=a=b":         "secret show looked",
		"secret delete looked":                           "secret list-deleted",
		"secret recover looked":                          "secret list-deleted",
		"secret purge looked":                            "secret list-deleted",
		"secret restore --file=saved":                    "secret list",
		"key create looked":                              "key list-versions looked",
		"key rotate looked":                              "key list-versions looked",
		"key set-attributes looked --enabled":            "key show looked",
		"key rotation-policy looked --rotate-after=P30D": "key rotation-policy looked",
	} {
		through.refused(2, "may have been made: look with keyquorum "+look+" --vault demo before",
			strings.Fields(call)...)
	}
}

// TestAWriteThatWasNotDoneGoesOn to the next node, and is done once.
func TestAWriteThatWasNotDoneGoesOn(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, do := range map[string]fault{
		"sealed":     refusal(503, "Sealed", "This node is sealed."),
		"not-ready":  refusal(503, "", "The vault service is sealed or not ready on this node."),
		"no-leader":  refusal(503, "NoLeader", "No leader of the cluster could be reached."),
		"no-room":    refusal(503, "NoRoom", "This node takes no writes."),
		"busy":       refusal(503, "Busy", "Too many requests are waiting."),
		"not-serves": refusal(503, "NotServing", "This node does not serve."),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := shared(t).caller(t)
			n := c.house.relay(t, a, do)
			c.behind(a, n.url()).doneOnce("undone-" + name)
			if made := n.changes.Load(); made != 1 {
				t.Errorf("it was sent %d times to the first node", made)
			}
		})
	}
	for name, place := range map[string]func(t *testing.T, h *house) string{
		"refused": func(t *testing.T, h *house) string { return listening(t, nil).closed(h) },
		"mute":    func(t *testing.T, h *house) string { return listening(t, hangUp).at(h) },
		"no-tls":  func(t *testing.T, h *house) string { return listening(t, speakPlainly).at(h) },
		"untrusted": func(t *testing.T, h *house) string {
			return h.relay(t, newAuthority(t),
				nil).url()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := shared(t).caller(t)
			c.behind(a, place(t, c.house)).doneOnce("undone-" + name)
		})
	}
}

// doneOnce makes a version, and finds one.
func (c *caller) doneOnce(name string) {
	c.t.Helper()
	value := private()
	c.setSecret(name, value)
	if listed := c.list("secret", "list-versions", name); len(listed) != 1 {
		c.t.Errorf("there are %d versions", len(listed))
	}
	if got := c.value(name); got != value {
		c.t.Errorf("the value is %q", got)
	}
}

// TestReadsGoOn to the next node whatever the first does: they change nothing.
func TestReadsGoOn(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, do := range map[string]fault{
		"cut":     cut,
		"page":    page,
		"unknown": refusal(503, "OutcomeUnknown", "Who knows."),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := shared(t).caller(t)
			value := private()
			c.setSecret("read-"+name, value)
			c.ok("key", "create", "read-"+name, "--kty=EC")
			through := c.behind(a, c.house.relay(t, a, do).url())
			if got := through.value("read-" + name); got != value {
				t.Errorf("the value is %q", got)
			}
			through.okGiven("text", "key", "sign", "read-"+name)
			through.ok("secret", "backup", "read-"+name, "--file=saved")
		})
	}
}

// A listener is a place where no node is.
type listener struct{ net.Listener }

// listening answers each connection in its own way.
func listening(t *testing.T, do func(net.Conn)) listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if do != nil {
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				do(conn)
				conn.Close()
			}
		}()
	}
	return listener{l}
}

// at is the vault's URL there.
func (l listener) at(h *house) string { return atPort(h.urls()[0], l.Addr().String()) }

// closed is a place at which nothing listens any more.
func (l listener) closed(h *house) string { l.Close(); return l.at(h) }

func hangUp(net.Conn) {}

func speakPlainly(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = conn.Read(make([]byte, 1))
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}

// TestACertificateOfAnotherTime names the clock: the client's may be off.
func TestACertificateOfAnotherTime(t *testing.T) {
	t.Parallel()
	a, c := newAuthority(t), shared(t).caller(t)
	for _, around := range []time.Time{time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)} {
		certificate := a.issue(t, around)
		l := listening(t, func(conn net.Conn) {
			server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
			_ = server.Handshake()
		})
		through := c.behind(a)
		through.set("KEYQUORUM_VAULT_URLS", l.at(c.house)).refused(2,
			"expired or is not yet valid.*look at the clock of this machine, which says "+
				time.Now().UTC().Format("2006-01-02T"), "secret", "list")
	}
}
