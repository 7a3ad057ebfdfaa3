package rolling_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
	"keyquorum/internal/fakenet"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// The data folders that released programs have left, each with a snapshot of its cluster in
// testdata/folders: VERSION.tar.gz, and VERSION.json with its test shares and what it holds. Nobody
// rewrites them. The last step before a release is to make its own:
//
//	KEYQUORUM_WRITE=0.2.0 go test ./testcluster/rolling -run TestReleasedFoldersOpen

// A kept is what somebody needs who opens a folder, and what he finds there.
type kept struct {
	Shares       []string        `json:"shares"`
	Token        string          `json:"root_token"`
	App          testcluster.App `json:"app"`
	Secret       string          `json:"secret"`
	Key          string          `json:"key_version"`
	Digest       []byte          `json:"digest"`
	Signature    []byte          `json:"signature"`
	SnapshotName string          `json:"snapshot"`
}

// Every released folder opens with this program: a secret reads as it was written, and a key
// verifies what it signed, and signs.
func TestReleasedFoldersOpen(t *testing.T) {
	if version := os.Getenv("KEYQUORUM_WRITE"); version != "" {
		keep(t, version)
	}
	folders, err := filepath.Glob("testdata/folders/*.tar.gz")
	must(t, err)
	if len(folders) == 0 {
		t.Fatal("there are no folders")
	}
	for _, folder := range folders {
		t.Run(strings.TrimSuffix(filepath.Base(folder), ".tar.gz"), func(t *testing.T) {
			k, dir := unpack(t, folder)
			requireSnapshot(t, k, filepath.Join(dir, k.SnapshotName))
			requireContent(t, k, filepath.Join(dir, "data"))
			requireNewerRefused(t, filepath.Join(dir, "data"))
		})
	}
}

func requireContent(t *testing.T, k kept, dir string) {
	t.Helper()
	d := open(t, dir)
	d.unseal(k)
	a := d.application(k.App)
	got, err := a.secrets.GetSecret(t.Context(), "stored", "", nil)
	must(t, err)
	if *got.Value != k.Secret {
		t.Errorf("the secret reads %q and was %q", *got.Value, k.Secret)
	}
	algorithm := to.Ptr(azkeys.SignatureAlgorithmES256)
	signed, err := a.keys.Sign(t.Context(), "stored", k.Key,
		azkeys.SignParameters{Algorithm: algorithm, Value: k.Digest}, nil)
	must(t, err)
	for name, signature := range map[string][]byte{"the stored": k.Signature, "a new": signed.Result} {
		verified, err := a.keys.Verify(t.Context(), "stored", k.Key, azkeys.VerifyParameters{
			Algorithm: algorithm, Digest: k.Digest, Signature: signature}, nil)
		must(t, err)
		if !*verified.Value {
			t.Errorf("%s signature does not hold", name)
		}
	}
	must(t, d.close())
}

// requireSnapshot reads the snapshot, and opens everything that is sealed in it.
func requireSnapshot(t *testing.T, k kept, name string) {
	t.Helper()
	file, err := os.Open(name)
	must(t, err)
	defer file.Close()
	s, err := node.ReadSnapshotFile(file)
	must(t, err)
	for _, share := range k.Shares[:2] {
		bytes, err := hex.DecodeString(share)
		must(t, err)
		_, err = s.Share(bytes)
		must(t, err)
	}
	if opened, err := s.OpenAll(t.Context(), func(int) {}); err != nil || opened == 0 {
		t.Errorf("%d records of the snapshot open, %v", opened, err)
	}
}

// requireNewerRefused: a folder of a format that this program does not know is left alone.
func requireNewerRefused(t *testing.T, dir string) {
	t.Helper()
	name := filepath.Join(dir, "cluster", "manifest.json")
	manifest, err := os.ReadFile(name)
	must(t, err)
	newer := bytes.Replace(manifest, []byte(`"format":1`), []byte(`"format":9`), 1)
	must(t, os.WriteFile(name, newer, 0o600))
	n, err := openNode(dir, fakenet.New())
	if err == nil {
		n.Close(context.Background())
		t.Fatal("a folder of format 9 opens")
	}
	if want := "of format 9, and this release reads up to 1: a newer release wrote it"; !strings.Contains(
		err.Error(), want) {
		t.Errorf("a folder of format 9: %v", err)
	}
	left, err := os.ReadFile(name)
	must(t, err)
	if !bytes.Equal(left, newer) {
		t.Error("it was changed")
	}
}

// A door is one node on a folder, with its API in front, all of it in this process.
type door struct {
	t       *testing.T
	n       *node.Node
	network *fakenet.Network
	handler *httpapi.Handler
	token   string
	closed  bool
}

func openNode(dir string, network *fakenet.Network) (*node.Node, error) {
	listener := network.Listen("host", "host:8201")
	n, err := node.Open(node.Config{
		Dir: dir, Label: "node1", APIAddr: "https://host:8200", ClusterAddr: "host:8201",
		ClusterListener: listener, Dial: network.Dialer("host"), Logger: hclog.NewNullLogger(),
		Timing: node.Timing{Heartbeat: 50 * time.Millisecond, Election: 50 * time.Millisecond,
			LeaderLease: 50 * time.Millisecond},
		Compact: node.Compact{Weight: 1, Entries: 1},
	})
	if err != nil {
		listener.Close()
	}
	return n, err
}

func open(t *testing.T, dir string) *door {
	t.Helper()
	d := &door{t: t, network: fakenet.New()}
	n, err := openNode(dir, d.network)
	must(t, err)
	d.n = n
	d.handler = httpapi.New(n, httpapi.Config{
		Zones:  []httpapi.Zone{{Suffix: testcluster.Zone, Login: testcluster.Login}},
		Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(func() { _ = d.close() })
	return d
}

func (d *door) close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.handler.Close()
	defer d.network.Close()
	return d.n.Close(context.Background())
}

// Do implements azcore's transport: a request goes to the handler, and nowhere else.
func (d *door) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	own := r.Clone(r.Context())
	own.RequestURI, own.Host, own.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "127.0.0.1:1"
	if own.Body == nil {
		own.Body = http.NoBody
	}
	d.handler.ServeHTTP(w, own)
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

func (d *door) try(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(d.t.Context(), method, "https://host:8200"+path,
		bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Vault-Token", d.token)
	answer, err := d.Do(r)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(answer.Body)
	switch {
	case err == nil && answer.StatusCode >= 300:
		err = errors.New(method + " " + path + ": " + answer.Status + ": " + string(content))
	case err == nil && out != nil:
		err = json.Unmarshal(content, out)
	}
	return err
}

func (d *door) call(method, path string, in, out any) {
	d.t.Helper()
	must(d.t, d.try(method, path, in, out))
}

func (d *door) unseal(k kept) {
	d.t.Helper()
	d.token = k.Token
	for _, share := range k.Shares[:2] {
		d.call("PUT", "/v1/sys/unseal", map[string]string{"key": share}, nil)
	}
	await(d.t, "the node leads", func() bool {
		return d.try("GET", "/v1/sys/health", nil, nil) == nil
	})
}

// application is an application's clients at this node.
func (d *door) application(app testcluster.App) application {
	d.t.Helper()
	return newApplication(d.t, d, app, "https://demo."+testcluster.Zone+":8200",
		"https://"+testcluster.Login+":8200", nil)
}

// keep makes the folder of a version with this program.
func keep(t *testing.T, version string) {
	t.Helper()
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "data"))
	var shown struct {
		Keys  []string `json:"keys"`
		Token string   `json:"root_token"`
	}
	d.call("PUT", "/v1/sys/init", map[string]int{"secret_shares": 3, "secret_threshold": 2}, &shown)
	k := kept{Shares: shown.Keys, Token: shown.Token, Secret: "correct horse of " + version,
		Digest: bytes.Repeat([]byte{7}, 32), SnapshotName: "cluster.snapshot"}
	d.unseal(k)
	d.call("POST", "/v1/keyquorum/vaults", map[string]string{"name": "demo"}, nil)
	d.call("POST", "/v1/keyquorum/apps", map[string]string{"name": "reader"}, nil)
	var credential struct {
		Data struct {
			ClientID string `json:"client_id"`
			Secret   string `json:"secret"`
		} `json:"data"`
	}
	d.call("POST", "/v1/keyquorum/apps/reader/credentials", nil, &credential)
	k.App = testcluster.App{ClientID: credential.Data.ClientID, Secret: credential.Data.Secret}
	d.call("PUT", "/v1/keyquorum/vaults/demo/grants/reader",
		map[string][]string{"keys": {"all"}, "secrets": {"all"}}, nil)
	fill(t, d, &k)
	await(t, "the log was cut", func() bool {
		names, err := filepath.Glob(filepath.Join(dir, "data", "cluster", "snapshots", "*",
			"manifest.json"))
		return err == nil && len(names) > 0
	})
	_, err := d.application(k.App).secrets.SetSecret(t.Context(), "behind-the-snapshot",
		azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
	must(t, err)
	saveSnapshot(t, d, filepath.Join(dir, k.SnapshotName))
	must(t, d.close())
	pack(t, k, dir, filepath.Join("testdata", "folders", version))
}

// fill stores a secret and a key, and has the key sign.
func fill(t *testing.T, d *door, k *kept) {
	t.Helper()
	a := d.application(k.App)
	_, err := a.secrets.SetSecret(t.Context(), "stored",
		azsecrets.SetSecretParameters{Value: &k.Secret},
		nil)
	must(t, err)
	key, err := a.keys.CreateKey(t.Context(), "stored",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil)
	must(t, err)
	k.Key = key.Key.KID.Version()
	signed, err := a.keys.Sign(t.Context(), "stored", k.Key, azkeys.SignParameters{
		Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: k.Digest}, nil)
	must(t, err)
	k.Signature = signed.Result
}

func saveSnapshot(t *testing.T, d *door, name string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET",
		"https://host:8200/v1/sys/storage/raft/snapshot", nil)
	must(t, err)
	r.Header.Set("X-Vault-Token", d.token)
	answer, err := d.Do(r)
	must(t, err)
	content, err := io.ReadAll(answer.Body)
	must(t, err)
	must(t, os.WriteFile(name, content, 0o600))
}

// pack writes the archive of what dir holds, and beside it what opens it.
func pack(t *testing.T, k kept, dir, name string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	about, err := json.MarshalIndent(k, "", "  ")
	must(t, err)
	must(t, os.WriteFile(name+".json", append(about, '\n'), 0o644))
	file, err := os.Create(name + ".tar.gz")
	must(t, err)
	compressed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	must(t, err)
	archive := tar.NewWriter(compressed)
	must(t, archive.AddFS(os.DirFS(dir)))
	must(t, errors.Join(archive.Close(), compressed.Close(), file.Close()))
}

// unpack copies a folder to where it may be changed.
func unpack(t *testing.T, name string) (k kept, dir string) {
	t.Helper()
	about, err := os.ReadFile(strings.TrimSuffix(name, ".tar.gz") + ".json")
	must(t, err)
	must(t, json.Unmarshal(about, &k))
	file, err := os.Open(name)
	must(t, err)
	defer file.Close()
	uncompressed, err := gzip.NewReader(file)
	must(t, err)
	dir = t.TempDir()
	for archive := tar.NewReader(uncompressed); ; {
		entry, err := archive.Next()
		if err == io.EOF {
			return k, dir
		}
		must(t, err)
		if !filepath.IsLocal(entry.Name) {
			t.Fatalf("%s leads out of the folder", entry.Name)
		}
		at := filepath.Join(dir, entry.Name)
		if entry.FileInfo().IsDir() {
			must(t, os.MkdirAll(at, 0o700))
			continue
		}
		content, err := io.ReadAll(archive)
		must(t, err)
		must(t, os.MkdirAll(filepath.Dir(at), 0o700))
		must(t, os.WriteFile(at, content, fs.FileMode(entry.Mode).Perm()))
	}
}
