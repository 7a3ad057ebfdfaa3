package debug

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// A bundle is the file as it is written: a gzip of a tar with one folder. It keeps what is in it,
// and what is not, for the index. Files are put into it by several at once.
type bundle struct {
	mu      sync.Mutex
	packed  *gzip.Writer
	tar     *tar.Writer
	folder  string
	secrets [][]byte // struck out wherever they stand
	left    int      // bytes that the bundle may yet take
	files   []file
	missing []missing
	err     error // the first, of the file
}

type file struct {
	Name  string `json:"name"`
	What  string `json:"what"`
	Bytes int    `json:"bytes"`
}

// missing is what could not be had.
type missing struct {
	Name string `json:"name"`
	What string `json:"what"`
	Why  string `json:"why"`
}

func newBundle(w io.Writer, folder string) *bundle {
	packed := gzip.NewWriter(w)
	return &bundle{packed: packed, tar: tar.NewWriter(packed), folder: folder, left: maxBundle}
}

// strikeOut has a text stand in no file that is added from now on, however it is spelt there. The
// longest go first: a part of one that is gone would hide the rest of it.
func (b *bundle) strikeOut(text string) {
	for _, spelt := range spellings(text) {
		b.secrets = append(b.secrets, []byte(spelt))
	}
	slices.SortFunc(b.secrets, func(x, y []byte) int { return cmp.Compare(len(y), len(x)) })
}

// put adds a file, or says why it is missing.
func (b *bundle) put(name, what string, content []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && (len(content) > maxFile || len(content) > b.left) {
		err = fmt.Errorf("it is too long for a bundle: %d bytes", len(content))
	}
	if err != nil {
		b.missing = append(b.missing, missing{name, what, err.Error()})
		return
	}
	b.add(name, what, content)
}

// putJSON adds a value as JSON.
func (b *bundle) putJSON(name, what string, v any, err error) {
	content, failed := json.MarshalIndent(v, "", "  ")
	b.put(name, what, append(content, '\n'), errors.Join(err, failed))
}

func (b *bundle) add(name, what string, content []byte) {
	if b.err != nil {
		return
	}
	for _, secret := range b.secrets {
		content = bytes.ReplaceAll(content, secret, []byte("(struck out)"))
	}
	b.err = b.tar.WriteHeader(&tar.Header{Name: b.folder + "/" + name, Mode: 0o600,
		Size: int64(len(content)), ModTime: time.Now().Truncate(time.Second), Typeflag: tar.TypeReg})
	if b.err == nil {
		_, b.err = b.tar.Write(content)
	}
	b.left -= len(content)
	b.files = append(b.files, file{name, what, len(content)})
}

// An index says what is in a bundle. It is its last file.
type index struct {
	Program  string    `json:"program"` // version of the command that made it
	Taken    time.Time `json:"taken"`
	Duration string    `json:"duration"`
	Interval string    `json:"interval"`
	Asked    string    `json:"asked"` // the node that was asked for the others
	Files    []file    `json:"files"`
	Missing  []missing `json:"missing"`
}

// close adds the index, and ends the file. Nobody puts anything into it any more.
func (b *bundle) close(i index) error {
	slices.SortFunc(b.files, func(x, y file) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(b.missing, func(x, y missing) int { return cmp.Compare(x.Name, y.Name) })
	i.Files = append([]file{}, b.files...)
	i.Missing = append([]missing{}, b.missing...)
	content, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	b.add("index.json", "what is in the bundle, and what is not", append(content, '\n'))
	return errors.Join(b.err, b.tar.Close(), b.packed.Close())
}
