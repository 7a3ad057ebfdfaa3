package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// A document is a small JSON file that ends in its own checksum: the SHA-256 of itself with an
// empty check. It guards against disks and hands, not against an attacker, who can make it anew.
type document interface {
	checksum() *string // the field "check", last in the file
}

var (
	errDamaged   = errors.New("damaged: its checksum does not match")
	errNotStrict = errors.New("not in the form that this program writes")
)

// encodeDocument sets the checksum and returns the one encoding of doc: a JSON object and a
// newline.
func encodeDocument(doc document) []byte {
	*doc.checksum() = ""
	sum := sha256.Sum256(marshalLine(doc))
	*doc.checksum() = hex.EncodeToString(sum[:])
	return marshalLine(doc)
}

func marshalLine(doc document) []byte {
	b, err := json.Marshal(doc)
	if err != nil { // structs of strings, numbers and booleans
		panic("storage: encoding a document: " + err.Error())
	}
	return append(b, '\n')
}

// decodeDocument reads into an empty doc. What it accepts encodes back to the same bytes. A format
// above newest is told apart first, because a newer release may have added fields.
func decodeDocument(b []byte, doc document, newest int) error {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("%w (%w)", errNotStrict, err)
	}
	if head.Format > newest {
		return fmt.Errorf("of format %d, and this release reads up to %d: a newer release wrote it",
			head.Format, newest)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(doc); err != nil {
		return fmt.Errorf("%w (%w)", errNotStrict, err)
	}
	found := *doc.checksum()
	if again := encodeDocument(doc); found != *doc.checksum() {
		return errDamaged
	} else if !bytes.Equal(again, b) {
		return errNotStrict
	}
	return nil
}

// isHex says whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
