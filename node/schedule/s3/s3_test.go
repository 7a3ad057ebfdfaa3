package s3

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/internal/fakes3"
	"keyquorum/node/schedule"
)

const (
	cluster = "00112233445566778899aabbccddeeff"
	keyName = "AKIDTEST"
	canary  = "CANARY/secret+key"
	token   = "CANARY-session-token"
)

func named(hour int) schedule.Name {
	return schedule.Name{Cluster: cluster, Due: time.Date(2026, 1, 2, hour, 0, 0, 0, time.UTC)}
}

// served is a bucket, and a store that keeps snapshots in it.
func served(t *testing.T) (*fakes3.Bucket, *Store) {
	t.Helper()
	b := fakes3.New("backups", keyName)
	t.Cleanup(b.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw}), 0o600))
	t.Setenv(keyID, keyName)
	t.Setenv(secretKey, canary)
	t.Setenv(sessionToken, token)
	s, err := New(Config{Endpoint: b.URL, Bucket: "backups", Region: "eu", Prefix: "kq/",
		PathStyle: true, CA: ca})
	must(t, err)
	return b, s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(s *Store, name schedule.Name, content []byte) error {
	n, err := s.Put(context.Background(), name, func(w io.Writer) error {
		for part := range slices.Chunk(content, 100_000) {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	}, func(r io.Reader) error {
		got, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(got, content) {
			err = errors.New("it is another")
		}
		return err
	})
	if err == nil && n != int64(len(content)) {
		return errors.New("it has another length")
	}
	return err
}

// Snapshots small and large come back as they were; each name is given once; and of all objects
// only snapshots are listed, over several pages.
func TestKeep(t *testing.T) {
	b, s := served(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 2*partSize/16+1000)
	for hour, content := range map[int][]byte{1: []byte("small"), 2: large, 3: large[:partSize],
		4: large[:partSize+1]} {
		must(t, put(s, named(hour), content))
		if err := put(s, named(hour), content); !errors.Is(err, schedule.ErrThere) {
			t.Errorf("a second one of %d bytes: %v", len(content), err)
		}
		var got bytes.Buffer
		must(t, s.Get(t.Context(), named(hour), &got))
		if !bytes.Equal(got.Bytes(), content) {
			t.Errorf("of %d bytes come back %d", len(content), got.Len())
		}
	}
	b.Set("kq/"+named(1).String()+".old", nil)
	b.Set(named(5).String(), nil)
	b.Set("kq/deeper/"+named(5).String(), nil)
	kept, err := s.List(t.Context())
	must(t, err)
	if len(kept) != 4 || kept[1].Bytes != int64(len(large)) || kept[3].Name != named(4) {
		t.Errorf("kept are %v", kept)
	}
	must(t, s.Remove(t.Context(), named(1)))
	must(t, s.Remove(t.Context(), named(1)))
	if all := b.Objects(); len(all) != 6 {
		t.Errorf("there are %q", all)
	}
	if n := b.Uploads(); n > 0 {
		t.Errorf("%d uploads have not ended", n)
	}
}

// What goes wrong leaves nothing that counts, and what was killed goes with the next one.
func TestTrouble(t *testing.T) {
	b, s := served(t)
	b.Begin("kq/" + named(1).String())
	b.Begin("kq/of-somebody-else")
	must(t, put(s, named(2), []byte("good")))
	if n := b.Uploads(); n != 1 {
		t.Errorf("%d uploads are left, want that of somebody else", n)
	}

	b.Answer(func(_ http.ResponseWriter, r *http.Request) bool { // it keeps something else
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, ".snap") {
			b.Set(strings.TrimPrefix(r.URL.Path, "/backups/"), []byte("bad"))
		}
		return false
	})
	if err := put(s, named(3), []byte("good")); err == nil {
		t.Error("what reads back otherwise is kept")
	}

	b.Answer(func(w http.ResponseWriter, r *http.Request) bool { // the second part fails
		if r.URL.Query().Get("partNumber") == "2" {
			_, _ = io.Copy(io.Discard, r.Body) // else the connection may be reset before it is read
			fakes3.Refuse(w, http.StatusForbidden, "QuotaExceeded", "There is no room.")
			return true
		}
		return false
	})
	if err := put(s, named(4), make([]byte, partSize*3/2)); err == nil ||
		!strings.Contains(err.Error(), "There is no room.") {
		t.Errorf("without room: %v", err)
	}

	b.Answer(func(w http.ResponseWriter, r *http.Request) bool { // it knows no conditions
		if r.Header.Get("If-None-Match") == "" {
			return false
		}
		fakes3.Refuse(w, http.StatusNotImplemented, "NotImplemented", "What is that?")
		return true
	})
	must(t, put(s, named(5), []byte("good")))
	b.Answer(nil)
	want := []string{"kq/" + named(2).String(), "kq/" + named(5).String()}
	if got := b.Objects(); !slices.Equal(got, want) || b.Uploads() != 1 {
		t.Errorf("there are %q and %d uploads", got, b.Uploads())
	}
}

// Nothing of the credentials stands in an error, whatever the store says.
func TestErrorsHaveNoSecret(t *testing.T) {
	b, s := served(t)
	b.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		fakes3.Refuse(w, http.StatusForbidden, "AccessDenied", "\x1b[2J you sent "+canary+
			r.Header.Get("X-Amz-Security-Token")+strings.Repeat("!", 10_000))
		return true
	})
	_, err := s.List(t.Context())
	for what, err := range map[string]error{
		"list": err, "put": put(s, named(1), []byte("x")), "remove": s.Remove(t.Context(), named(1)),
		"get": s.Get(t.Context(), named(1), io.Discard),
	} {
		if err == nil {
			t.Errorf("%s is not refused", what)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "you sent") || strings.Contains(text, "CANARY") ||
			strings.Contains(text, "\x1b") || len(text) > 2*maxText {
			t.Errorf("%s says %q", what, text)
		}
	}
}

// A configuration that can't work is refused before anybody is asked.
func TestConfigurationsThatAreNone(t *testing.T) {
	for _, endpoint := range []string{"http://127.0.0.1", "127.0.0.1:9000", "https://", "https://x/y",
		"https://me:word@x", "https://x?y=z", "://"} {
		if _, err := New(Config{Endpoint: endpoint, Bucket: "b"}); err == nil {
			t.Errorf("%s is an endpoint", endpoint)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no bucket is needed")
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := New(Config{Bucket: "b", CA: none}); err == nil {
		t.Error("authorities are taken from a file that is not there")
	}
	t.Setenv(keyID, "")
	s, err := New(Config{Bucket: "b"})
	must(t, err)
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), keyID) {
		t.Errorf("without credentials: %v", err)
	}
}

const file = "# a comment\n[default]\naws_access_key_id = AKID\naws_secret_access_key=a=b/c\n"

func TestCredentialsOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	for text, says := range map[string]string{
		file: "", "AWS_ACCESS_KEY_ID=A\nAWS_SECRET_ACCESS_KEY=B\nAWS_SESSION_TOKEN=C": "",
		file + "[other]\n":                    "line 5 begins a second profile",
		file + canary:                         "line 5 is none of aws_access_key_id,",
		"":                                    "has no AWS_ACCESS_KEY_ID",
		strings.Repeat("#", maxCredentials+1): "too long",
	} {
		must(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := credentials(path)
		if says == "" && err != nil || says != "" && (err == nil ||
			!strings.Contains(err.Error(), says) || strings.Contains(err.Error(), canary)) {
			t.Errorf("%.100q says %v, want %q", text, err, says)
		}
	}
	must(t, os.WriteFile(path, []byte(file), 0o600))
	if c, err := credentials(path); err != nil || c.AccessKeyID != "AKID" ||
		c.SecretAccessKey != "a=b/c" {
		t.Errorf("a good file gives %v", err)
	}
}

// A file is read to its end, or refused without repeating it.
func FuzzCredentials(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte("aws_secret_access_key"))
	f.Add([]byte("[a\n[b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := decodeCredentials(text)
		if err != nil && c.SecretAccessKey != "" {
			t.Errorf("refused, and %q is taken", c.AccessKeyID)
		}
	})
}
