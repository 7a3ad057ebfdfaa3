package frontdoor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nobody is a caller of whom no environment says anything.
func (c *caller) nobody() *caller {
	blank := *c
	blank.environment = map[string]string{}
	return &blank
}

// loginFile is where a login is kept.
func (c *caller) loginFile() string {
	return filepath.Join(c.home, ".config", "keyquorum", "login.json")
}

// login logs in as the demo application, for who has no environment.
func (c *caller) login(vault string, more ...string) *caller {
	c.t.Helper()
	by := c.nobody()
	args := append([]string{"login", c.environment["AZURE_CLIENT_ID"], "--secret-file=-",
		"--ca-cert", c.environment["KEYQUORUM_CACERT"], "--vault", vault,
		"--authority", c.environment["AZURE_AUTHORITY_HOST"]}, more...)
	out := by.okGiven(c.environment["AZURE_CLIENT_SECRET"]+"\n", args...)
	if !strings.Contains(out, c.loginFile()) {
		c.t.Errorf("it says %q, not where it was kept", out)
	}
	return by
}

// TestLogin is a login's life: kept for its owner alone, used without an environment, and gone.
func TestLogin(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	by := c.login(c.house.urls()[0])
	c.read(c.loginFile()) // 0600
	for folder := filepath.Dir(c.loginFile()); folder != c.home; folder = filepath.Dir(folder) {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o (%v)", folder, info.Mode().Perm(), err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(c.loginFile())); err != nil || len(entries) != 1 {
		t.Errorf("beside the login there are %v (%v)", entries, err)
	}
	by.doneOnce("logged-in")
	value := private()
	by.setSecret("logged-in", value, "--vault=demo")
	if got := by.ok("run", "--env=S=akv://demo/logged-in", "--no-masking", "--", "sh", "-c",
		`printf %s "$S"`); got != value {
		t.Errorf("run gives %q", got)
	}
	other := by.set("AZURE_CLIENT_ID", c.environment["AZURE_CLIENT_ID"]).set("AZURE_TENANT_ID",
		"adfs").
		set("AZURE_CLIENT_SECRET", nobodys()).
		set("AZURE_AUTHORITY_HOST", c.environment["AZURE_AUTHORITY_HOST"])
	other.refused(2, "Invalid client secret", "secret", "list") // the environment goes first

	if out := by.ok("logout"); !strings.Contains(out, "Logged out") {
		t.Errorf("logout says %q", out)
	}
	if _, err := os.Stat(c.loginFile()); !os.IsNotExist(err) {
		t.Errorf("the login is still there (%v)", err)
	}
	by.refused(1, "which vault\\? Say --vault", "secret", "list")
	if out := by.ok("logout"); out != "Nobody was logged in.\n" {
		t.Errorf("logout says %q", out)
	}
}

// TestLoginsThatFailKeepNothing, and say what is wrong.
func TestLoginsThatFailKeepNothing(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	by, id, wrong := c.nobody(), c.environment["AZURE_CLIENT_ID"], nobodys()
	common := []string{"--ca-cert", c.environment["KEYQUORUM_CACERT"],
		"--authority", c.environment["AZURE_AUTHORITY_HOST"]}
	at := append([]string{"--vault", c.house.urls()[0]}, common...)
	by.refusedGiven(wrong, 2, "no token from .*Invalid client secret", append(at, "login", id)...)
	by.refusedGiven("\n", 1, "no client secret", append(at, "login", id)...)
	by.refusedGiven("\n", 1, "holds no client secret", append(at, "login", id, "--secret-file=-")...)
	by.refusedGiven(wrong, 1, "which application\\?", append(at, "login")...)
	by.refusedGiven(wrong, 1, "which vault\\?", append(common, "login", id)...)
	by.refused(1, "nothing: no such file", append(at, "login", id, "--secret-file=nothing")...)
	by.refusedGiven(wrong, 1, "no such file.*--ca-cert", "login", id, "--vault", c.house.urls()[0],
		"--ca-cert=nothing")
	nobody := listening(t, nil).closed(c.house)
	by.refusedGiven(wrong, 2, "cannot be reached.*AZURE_AUTHORITY_HOST, or keyquorum login",
		"login", id, "--vault", c.house.urls()[0], "--ca-cert", c.environment["KEYQUORUM_CACERT"],
		"--authority", strings.Replace(nobody, "demo", "login", 1))
	if entries, err := os.ReadDir(c.home); err != nil || len(entries) != 0 {
		t.Errorf("it left %v at home (%v)", entries, err)
	}
}

// TestLoginsThatOthersCanReadAreRefused, as is one that is none.
func TestLoginsThatOthersCanReadAreRefused(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	by := c.login(c.house.urls()[0])
	if err := os.Chmod(c.loginFile(), 0o640); err != nil {
		t.Fatal(err)
	}
	by.refused(1, "others can read .*login.json .mode 640.: chmod 600", "secret", "list")
	broken := []byte(`{"client_secret": "` + private())
	if err := os.WriteFile(c.loginFile(), broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.loginFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	by.refused(1, "login.json cannot be read: keyquorum logout removes it", "secret", "list")
	by.ok("logout")
	by.refused(1, "which vault\\?", "secret", "list")
}

// TestALoginKnowsAllNodes: with one URL a node, one of which is dead.
func TestALoginKnowsAllNodes(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	dead := listening(t, nil).closed(c.house)
	for name, vault := range map[string]string{
		"first-lives": c.house.urls()[0] + "," + dead, "second-lives": dead + "," + c.house.urls()[0],
	} {
		c.login(vault).doneOnce(name)
	}
}

// TestALoginWhoseCredentialIsGone says so at the next call, whether it ended or was revoked.
func TestALoginWhoseCredentialIsGone(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	app := c.application("leaves", "-secrets=all")
	by, ends := c.brief(app)
	time.Sleep(time.Until(ends)) // there is nothing to wait for but the clock
	by.refused(2,
		"no token from .*Invalid client secret.*; look at .* its secret, which may have ended",
		"secret", "list")

	by = app.login(c.house.urls()[0])
	by.ok("secret", "list", "-q")
	c.ok("app", "disable", "leaves")
	by.refused(2, "no token from .*; look at AZURE_CLIENT_ID", "secret", "list")
	c.ok("app", "delete", "leaves")
	by.refused(2, "no token from .*not found.*; look at AZURE_CLIENT_ID", "secret", "list")
}

// brief is a login of an application with a credential that ends at a time, soon.
func (c *caller) brief(app *caller) (by *caller, ends time.Time) {
	c.t.Helper()
	for life := time.Second; ; life *= 2 { // until it is long enough to log in
		id, secret := c.credential("leaves", "-ttl="+life.String())
		ends = time.Now().Add(life)
		by = app.nobody()
		o := by.given(secret, "login", id, "--ca-cert", app.environment["KEYQUORUM_CACERT"],
			"--vault", c.house.urls()[0], "--authority", app.environment["AZURE_AUTHORITY_HOST"])
		if o.code == 0 {
			return by, ends
		}
		if life > callPatience {
			c.t.Fatalf("exit code %d, %s", o.code, o.stderr)
		}
	}
}

// TestWithoutAKeyringALoginIsAFile: a bus at which nobody answers is no keyring.
func TestWithoutAKeyringALoginIsAFile(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	c.environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + filepath.Join(c.dir, "no-bus")
	by := c.nobody().set("DBUS_SESSION_BUS_ADDRESS", c.environment["DBUS_SESSION_BUS_ADDRESS"])
	by.okGiven(c.environment["AZURE_CLIENT_SECRET"], "login", c.environment["AZURE_CLIENT_ID"],
		"--ca-cert", c.environment["KEYQUORUM_CACERT"], "--vault", c.house.urls()[0],
		"--authority", c.environment["AZURE_AUTHORITY_HOST"])
	c.read(c.loginFile())
	by.ok("secret", "list", "-q")
	by.ok("logout")
}
