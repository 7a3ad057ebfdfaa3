package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"keyquorum/node/archive"
)

var content = bytes.Repeat([]byte("the state of a cluster\n"), 30)

var meta = archive.Meta{
	Cluster: "00112233445566778899aabbccddeeff", Index: 7, Generation: 1,
	Digest: strings.Repeat("ab", 32),
	Taken:  time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Program: "0.1.0",
}

func state(w io.Writer) error {
	_, err := w.Write(content)
	return err
}

func sealed(sums []byte) ([]byte, error) { return append([]byte("sealed: "), sums...), nil }

func written(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := archive.Write(&b, meta, state, sealed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (a archive.Archive, got []byte, err error) {
	a, err = archive.Read(bytes.NewReader(b), 1<<30, func(_ archive.Meta, r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	return a, got, err
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	a, got, err := read(written(t))
	if err != nil {
		t.Fatal(err)
	}
	want := meta
	want.Version, want.Size = archive.Version, int64(len(content))
	if a.Meta != want || !bytes.Equal(got, content) {
		t.Errorf("read %+v and %d bytes", a.Meta, len(got))
	}
	if string(a.Sealed) != "sealed: "+string(a.Sums) {
		t.Errorf("the sealed sums are %q", a.Sealed)
	}
}

// The names and their order are what Vault's and OpenBao's clients look for.
func TestMembersAreAsClientsExpect(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(written(t)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if got := strings.Join(names, " "); got != "meta.json state.bin SHA256SUMS SHA256SUMS.sealed" {
		t.Errorf("the members are %s", got)
	}
}

// What fails while the state is written, or sealed, leaves no file that passes for whole.
func TestFailureIsNoArchive(t *testing.T) {
	fails := errors.New("the disk is full")
	calls := 0
	var b bytes.Buffer
	err := archive.Write(&b, meta, func(w io.Writer) error {
		if calls++; calls == 2 {
			return fails
		}
		return state(w)
	}, sealed)
	if !errors.Is(err, fails) {
		t.Errorf("written: %v", err)
	}
	if _, _, err := read(b.Bytes()); err == nil {
		t.Error("half an archive is read")
	}
	err = archive.Write(&b, meta, state, func([]byte) ([]byte, error) { return nil, fails })
	if !errors.Is(err, fails) {
		t.Errorf("sealed: %v", err)
	}
}

// A file that is cut anywhere, and one with any byte changed, is refused. The header of a gzip has
// bytes that mean nothing (RFC 1952, MTIME, XFL and OS).
func TestDamageIsFound(t *testing.T) {
	whole := written(t)
	for n := range whole {
		if _, _, err := read(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes pass for whole", n, len(whole))
		}
	}
	for i := range whole {
		if i >= 4 && i < 10 {
			continue
		}
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		if a, got, err := read(b); err == nil && !(a.Meta.Size == int64(len(got)) &&
			bytes.Equal(got, content) && string(a.Sealed) == "sealed: "+string(a.Sums)) {
			t.Fatalf("byte %d of %d is changed, and nobody notices", i, len(whole))
		}
	}
	if _, _, err := read(append(bytes.Clone(whole), 0)); err == nil {
		t.Error("something behind the end is passed over")
	}
	if _, _, err := read(append(bytes.Clone(whole), whole...)); err == nil {
		t.Error("a second archive behind the first is passed over")
	}
}

// file is a member of a tar that somebody made.
type file struct {
	name, body string
	kind       byte // 0: a regular file
	size       int64
}

func tarOf(t *testing.T, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.body)), Typeflag: f.kind, Mode: 0o600}
		if f.kind == tar.TypeSymlink {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		if f.size > 0 {
			h.Size = f.size
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if f.kind != tar.TypeSymlink {
			_, _ = io.WriteString(w, f.body)
		}
	}
	_ = w.Close() // complains of a size that was a lie
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestForeignArchives(t *testing.T) {
	const ids = `"cluster":"00112233445566778899aabbccddeeff","digest":"` +
		`abababababababababababababababababababababababababababababababab"`
	good := `{"version":1,"size":3,` + ids + `}`
	for _, c := range []struct {
		name  string
		says  string
		files []file
	}{
		{"nothing", "incomplete", nil},
		{"a path", `has "../meta.json" where meta.json should be`,
			[]file{{name: "../meta.json", body: good}}},
		{"an absolute path", "where meta.json should be", []file{{name: "/etc/meta.json", body: good}}},
		{"a link", "where meta.json should be", []file{{name: "meta.json", kind: tar.TypeSymlink}}},
		{"another order", "where meta.json should be", []file{{name: "state.bin", body: "abc"}}},
		{"a newer version", "version 2", []file{{name: "meta.json", body: `{"version":2}`}}},
		{"an unknown member", "can't be read", []file{{name: "meta.json", body: `{"version":1,"x":1}`}}},
		{"what hides a terminal's lines", "no node writes",
			[]file{{name: "meta.json", body: `{"version":1,"program":"\u001b[2J",` + ids + `}`}}},
		{"no cluster", "no node writes", []file{{name: "meta.json", body: `{"version":1}`}}},
		{"no JSON", "can't be read", []file{{name: "meta.json", body: "hello"}}},
		{"a huge meta.json", "at most", []file{{name: "meta.json", body: strings.Repeat(" ", 1<<20)}}},
		{"another size", "should have 3", []file{{name: "meta.json", body: good},
			{name: "state.bin", body: "abcd"}}},
		{"no sums", "incomplete",
			[]file{{name: "meta.json", body: good}, {name: "state.bin", body: "abc"}}},
		{"wrong sums", "checksums",
			[]file{{name: "meta.json", body: good}, {name: "state.bin", body: "abc"},
				{name: "SHA256SUMS", body: "abc"}}},
	} {
		if _, _, err := read(tarOf(t, c.files...)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A small file that says that it holds much is refused before anything of it is read.
func TestBombIsRefusedUnread(t *testing.T) {
	b := tarOf(t, file{name: "meta.json", body: `{"version":1,"size":10737418240,` +
		`"cluster":"00112233445566778899aabbccddeeff","digest":"` + strings.Repeat("ab", 32) + `"}`},
		file{name: "state.bin", body: "abc", size: 10 << 30})
	_, err := archive.Read(bytes.NewReader(b), 1<<20, func(archive.Meta, io.Reader) error {
		t.Error("the state is read")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "at most 1048576") {
		t.Errorf("it says %v", err)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := archive.Write(&b, meta, func(w io.Writer) error {
		_, err := w.Write([]byte("abc"))
		return err
	}, sealed); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{})
	f.Add(b.Bytes()[:len(b.Bytes())/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := archive.Read(bytes.NewReader(b), 1<<20, func(m archive.Meta, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			if n > 1<<20 {
				t.Errorf("%d bytes were read", n)
			}
			return err
		})
		if err == nil && (len(a.Sealed) == 0 || a.Meta.Version != archive.Version) {
			t.Errorf("read %+v", a)
		}
	})
}
