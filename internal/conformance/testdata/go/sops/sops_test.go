// Package sops has the program of that name keep a file under a key of a vault, through one node.
package sops

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

const plain = "password: hush\nusers:\n    - anna\n    - bert\n"

// A world is a key, and a folder with a file that is encrypted with it.
type world struct {
	*testing.T
	client *azkeys.Client
	key    string // its name
	url    string // of its first version
	dir    string
}

func newWorld(t *testing.T) *world {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	must(t, err)
	client, err := azkeys.NewClient(os.Getenv("AZURE_KEYVAULT_URL"), credential, nil)
	must(t, err)
	w := &world{T: t, client: client, key: "sops-" + rand.Text()[:8], dir: t.TempDir()}
	asked := azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA)}
	made, err := client.CreateKey(t.Context(), w.key, asked, nil)
	must(t, err)
	w.url = string(*made.Key.KID)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := client.DeleteKey(ctx, w.key, nil)
		must(t, err)
		_, err = client.PurgeDeletedKey(ctx, w.key, nil)
		must(t, err)
	})
	must(t, os.WriteFile(filepath.Join(w.dir, "plain.yaml"), []byte(plain), 0o600))
	return w
}

// sops runs the program in the folder. Its home is there too: it finds no settings of anybody's.
func (w *world) sops(args ...string) (string, error) {
	cmd := exec.CommandContext(w.Context(), os.Getenv("SOPS_PROGRAM"), args...)
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), "HOME="+w.dir)
	said := new(strings.Builder)
	cmd.Stderr = said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("sops %s: %w\n%s", strings.Join(args, " "), err, said)
	}
	return string(out), err
}

func (w *world) mustSops(args ...string) string {
	w.Helper()
	out, err := w.sops(args...)
	must(w.T, err)
	return out
}

// encrypt leaves the file encrypted under a key.
func (w *world) encrypt(url string) {
	w.Helper()
	encrypted := w.mustSops("encrypt", "--azure-kv", url, "plain.yaml")
	if strings.Contains(encrypted, "hush") || !strings.Contains(encrypted, "azure_kv") {
		w.Errorf("it is not encrypted with the vault's key:\n%s", encrypted)
	}
	must(w.T, os.WriteFile(filepath.Join(w.dir, "secret.yaml"), []byte(encrypted), 0o600))
}

func (w *world) mustDecrypt() {
	w.Helper()
	if got := w.mustSops("decrypt", "secret.yaml"); got != plain {
		w.Errorf("decrypted %q", got)
	}
}

func TestEncryptAndDecrypt(t *testing.T) {
	w := newWorld(t)
	w.encrypt(w.url)
	w.mustDecrypt()
	if got := w.mustSops("decrypt", "--extract", `["password"]`, "secret.yaml"); got != "hush" {
		t.Errorf("extracted %q", got)
	}
}

// TestNewestVersion names no version: sops asks for it, and writes it down.
func TestNewestVersion(t *testing.T) {
	w := newWorld(t)
	w.encrypt(w.url[:strings.LastIndex(w.url, "/")])
	w.mustDecrypt()
}

// TestRotation gives the file another data key, and then the vault's key another version.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	w.encrypt(w.url)
	w.mustSops("rotate", "--in-place", "secret.yaml")
	w.mustDecrypt()

	rotated, err := w.client.RotateKey(t.Context(), w.key, nil)
	must(t, err)
	w.mustDecrypt()
	newer := string(*rotated.Key.KID)
	w.mustSops("rotate", "--in-place",
		"--add-azure-kv", newer, "--rm-azure-kv", w.url, "secret.yaml")
	file, err := os.ReadFile(filepath.Join(w.dir, "secret.yaml"))
	must(t, err)
	if !strings.Contains(string(file), rotated.Key.KID.Version()) {
		t.Errorf("the file does not name the newer version:\n%s", file)
	}
	w.mustDecrypt()
}

// TestKeyIsSwitchedOff is refused what it would hide or show.
func TestKeyIsSwitchedOff(t *testing.T) {
	w := newWorld(t)
	w.encrypt(w.url)
	off := azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(false)}}
	_, err := w.client.UpdateKey(t.Context(), w.key, "", off, nil)
	must(t, err)
	for _, args := range [][]string{
		{"decrypt", "secret.yaml"},
		{"encrypt", "--azure-kv", w.url, "plain.yaml"},
	} {
		out, err := w.sops(args...)
		if err == nil || !strings.Contains(err.Error(), "KeyDisabled") {
			t.Errorf("%s: %v, said %q", args[0], err, out)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
