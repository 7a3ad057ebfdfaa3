// Package fakes3 stands in for an S3-compatible store, which is foreign to this project: as much of
// its REST API as a client needs that keeps files in one bucket. It is for tests.
//
// It knows its one caller by the signature's key id, and checks no signature. Trouble is a test's
// to make, by Answer.
package fakes3

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Bucket is one bucket, in the path of its server's URLs.
type Bucket struct {
	*httptest.Server        // with TLS
	Name             string // of the bucket
	KeyID            string // of its caller

	mu      sync.Mutex
	objects map[string][]byte
	uploads map[string]*upload // by id
	count   int
	answer  func(w http.ResponseWriter, r *http.Request) bool
	pages   int // objects in one
}

type upload struct {
	key   string
	parts map[int][]byte
}

// New serves a bucket until it is closed.
func New(name, keyID string) *Bucket {
	b := &Bucket{Name: name, KeyID: keyID, objects: map[string][]byte{},
		uploads: map[string]*upload{}, pages: 2}
	b.Server = httptest.NewTLSServer(b)
	return b
}

// Answer has a function see each request first, which says whether it has answered it.
func (b *Bucket) Answer(answer func(w http.ResponseWriter, r *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// Objects are the keys of what is there, in order.
func (b *Bucket) Objects() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.objects))
}

// Set puts an object there, or changes it.
func (b *Bucket) Set(key string, content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[key] = content
}

// Uploads is how many uploads in parts have not ended.
func (b *Bucket) Uploads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.uploads)
}

// Begin begins an upload in parts, which nobody goes on with.
func (b *Bucket) Begin(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin(key)
}

func (b *Bucket) begin(key string) (id string) {
	b.count++
	id = "upload-" + strconv.Itoa(b.count)
	b.uploads[id] = &upload{key, map[int][]byte{}}
	return id
}

func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	answer := b.answer
	b.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	if !strings.Contains(r.Header.Get("Authorization"), "Credential="+b.KeyID+"/") {
		Refuse(w, http.StatusForbidden, "InvalidAccessKeyId", "Who are you?")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		Refuse(w, http.StatusBadRequest, "IncompleteBody", "It is cut off.")
		return
	}
	key, mine := strings.CutPrefix(r.URL.Path, "/"+b.Name)
	if !mine {
		Refuse(w, http.StatusNotFound, "NoSuchBucket", "There is no such bucket.")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serve(w, r, strings.TrimPrefix(key, "/"), body)
}

func (b *Bucket) serve(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	q := r.URL.Query()
	id := q.Get("uploadId")
	switch {
	case key == "" && q.Has("uploads"):
		b.listUploads(w, q.Get("prefix"))
	case key == "":
		b.list(w, q.Get("prefix"), q.Get("continuation-token"))
	case q.Has("uploads"):
		write(w, "InitiateMultipartUploadResult", field{"UploadId", b.begin(key)})
	case id != "" && b.uploads[id] == nil:
		Refuse(w, http.StatusNotFound, "NoSuchUpload", "There is no such upload.")
	case id != "" && r.Method == http.MethodPut:
		number, _ := strconv.Atoi(q.Get("partNumber"))
		b.uploads[id].parts[number] = body
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, number))
	case id != "" && r.Method == http.MethodDelete:
		delete(b.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case id != "":
		b.complete(w, r, id)
	case r.Method == http.MethodPut:
		b.put(w, r, key, body)
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		content, there := b.objects[key]
		if !there {
			Refuse(w, http.StatusNotFound, "NoSuchKey", "There is no such object.")
			return
		}
		_, _ = w.Write(content)
	}
}

// put says whether the object is there now.
func (b *Bucket) put(w http.ResponseWriter, r *http.Request, key string, body []byte) bool {
	if _, there := b.objects[key]; there && r.Header.Get("If-None-Match") == "*" {
		Refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "There is one already.")
		return false
	}
	b.objects[key] = body
	return true
}

func (b *Bucket) complete(w http.ResponseWriter, r *http.Request, id string) {
	u := b.uploads[id]
	var whole []byte
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		whole = append(whole, u.parts[number]...)
	}
	if b.put(w, r, u.key, whole) {
		delete(b.uploads, id)
		write(w, "CompleteMultipartUploadResult", field{"Key", u.key})
	}
}

// list has few objects a page, so that clients have to ask for more.
func (b *Bucket) list(w http.ResponseWriter, prefix, after string) {
	var fields []any
	last, more := "", false
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		if more = len(fields) == b.pages; more {
			break
		}
		last = key
		fields = append(fields, object{xml.Name{Local: "Contents"}, key, len(b.objects[key]), ""})
	}
	fields = append(fields, field{"IsTruncated", strconv.FormatBool(more)})
	if more {
		fields = append(fields, field{"NextContinuationToken", last})
	}
	write(w, "ListBucketResult", fields...)
}

func (b *Bucket) listUploads(w http.ResponseWriter, prefix string) {
	var fields []any
	for _, id := range slices.Sorted(maps.Keys(b.uploads)) {
		if key := b.uploads[id].key; strings.HasPrefix(key, prefix) {
			fields = append(fields, object{xml.Name{Local: "Upload"}, key, 0, id})
		}
	}
	write(w, "ListMultipartUploadsResult", fields...)
}

// Refuse answers with an error as S3 has it.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: message})
}

type field struct{ name, text string }

type object struct {
	XMLName  xml.Name
	Key      string
	Size     int
	UploadID string `xml:"UploadId,omitempty"`
}

// write answers with an element of fields and objects.
func write(w http.ResponseWriter, name string, content ...any) {
	w.Header().Set("Content-Type", "application/xml")
	e := xml.NewEncoder(w)
	outer := xml.StartElement{Name: xml.Name{Local: name}}
	_ = e.EncodeToken(outer)
	for _, c := range content {
		if f, is := c.(field); is {
			_ = e.EncodeElement(f.text, xml.StartElement{Name: xml.Name{Local: f.name}})
			continue
		}
		_ = e.Encode(c)
	}
	_ = e.EncodeToken(outer.End())
	_ = e.Flush()
}
