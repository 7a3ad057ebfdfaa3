package frontdoor

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// TestALoginInTheSystemsKeyring is kept there and nowhere else, is used from there, and gone after
// a logout.
func TestALoginInTheSystemsKeyring(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	ring, bus := keyring(t)
	c.login(c.house.urls()[0]) // a file, as long as there is no keyring
	by := c.nobody().set("DBUS_SESSION_BUS_ADDRESS", bus)
	for range 2 { // the second replaces the first
		out := by.okGiven(c.environment["AZURE_CLIENT_SECRET"], "login", c.environment["AZURE_CLIENT_ID"],
			"--ca-cert", c.environment["KEYQUORUM_CACERT"], "--vault", c.house.urls()[0],
			"--authority", c.environment["AZURE_AUTHORITY_HOST"])
		if !strings.Contains(out, "kept in the system's keyring") {
			t.Errorf("it says %q", out)
		}
	}
	if left := filesIn(t, c.home); len(left) != 0 {
		t.Errorf("beside the keyring there is %v", left)
	}
	if held := ring.held(); len(held) != 1 || !strings.Contains(held[0],
		c.environment["AZURE_CLIENT_SECRET"]) {
		t.Errorf("the keyring holds %d items", len(held))
	}
	by.doneOnce("from-a-keyring")
	c.nobody().refused(1, "which vault\\?", "secret", "list") // who has no bus has no keyring
	by.ok("logout")
	if held := ring.held(); len(held) != 0 {
		t.Errorf("after a logout the keyring holds %d items", len(held))
	}
	by.refused(1, "which vault\\?", "secret", "list")
}

// keyring starts a message bus and, at it, what is asked for passwords on a desktop (the Secret
// Service API of freedesktop.org, as far as the program uses it).
func keyring(t *testing.T) (*secretService, string) {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skipf("this machine has no message bus to start: %v", err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, []byte(`<busconfig><type>session</type>
		<listen>unix:path=`+filepath.Join(dir, "bus")+`</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow send_destination="*" eavesdrop="true"/>
		<allow eavesdrop="true"/><allow own="*"/></policy>
		</busconfig>`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--config-file="+config, "--nofork", "--print-address")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSpace(address)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return serveSecrets(t, conn), address
}

const (
	secretsPath    = dbus.ObjectPath("/org/freedesktop/secrets")
	collectionPath = secretsPath + "/collection/login"
	itemPath       = collectionPath + "/1"
	sessionPath    = secretsPath + "/session/1"
	noPrompt       = dbus.ObjectPath("/")
	secretPrefix   = "org.freedesktop.Secret."
)

// A secretService holds one item, unlocked.
type secretService struct {
	mu         sync.Mutex
	attributes map[string]string
	item       *ringSecret
}

// A ringSecret is the struct (oayays) of the API.
type ringSecret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

func serveSecrets(t *testing.T, conn *dbus.Conn) *secretService {
	t.Helper()
	s := &secretService{}
	for _, at := range []struct {
		object any
		path   dbus.ObjectPath
		of     string
	}{
		{ringService{s}, secretsPath, secretPrefix + "Service"},
		{ringProperties{}, secretsPath, "org.freedesktop.DBus.Properties"},
		{ringCollection{s}, collectionPath, secretPrefix + "Collection"},
		{ringItem{s}, itemPath, secretPrefix + "Item"},
		{ringSession{}, sessionPath, secretPrefix + "Session"},
	} {
		if err := conn.Export(at.object, at.path, at.of); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName("org.freedesktop.secrets", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return s
}

// held are the values that it holds.
func (s *secretService) held() (values []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.item != nil {
		values = append(values, string(s.item.Value))
	}
	return values
}

type ringService struct{ *secretService }

func (ringService) OpenSession(
	string, dbus.Variant,
) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), sessionPath, nil
}

func (ringService) Unlock(
	all []dbus.ObjectPath,
) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return all, noPrompt, nil
}

type ringProperties struct{}

func (ringProperties) Get(string, string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant([]dbus.ObjectPath{collectionPath}), nil
}

type ringSession struct{}

func (ringSession) Close() *dbus.Error { return nil }

type ringCollection struct{ *secretService }

func (s ringCollection) CreateItem(properties map[string]dbus.Variant, secret ringSecret,
	replace bool) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.item != nil && !replace {
		return "", "", dbus.MakeFailedError(os.ErrExist)
	}
	s.attributes, _ = properties[secretPrefix+"Item.Attributes"].Value().(map[string]string)
	s.item = &secret
	return itemPath, noPrompt, nil
}

func (s ringCollection) SearchItems(
	wanted map[string]string,
) ([]dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.item == nil || !maps.Equal(wanted, s.attributes) {
		return nil, nil
	}
	return []dbus.ObjectPath{itemPath}, nil
}

type ringItem struct{ *secretService }

func (s ringItem) GetSecret(dbus.ObjectPath) (ringSecret, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.item == nil {
		return ringSecret{}, dbus.MakeFailedError(os.ErrNotExist)
	}
	return *s.item, nil
}

func (s ringItem) Delete() (dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.item = nil
	return noPrompt, nil
}
