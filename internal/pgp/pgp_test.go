package pgp_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"keyquorum/internal/pgp"
)

// entity has a key on a curve, or an RSA key where c has its bits.
func entity(t *testing.T, c packet.Config) *openpgp.Entity {
	t.Helper()
	c.Algorithm = packet.PubKeyAlgoEdDSA
	if c.RSABits != 0 {
		c.Algorithm = packet.PubKeyAlgoRSA
	}
	e, err := openpgp.NewEntity("holder", "", "holder@example.org", &c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func encoded(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestOnlyTheRecipientReads(t *testing.T) {
	e, other := entity(t, packet.Config{}), entity(t, packet.Config{})
	r, err := pgp.Parse(encoded(t, e.Serialize)+"\n", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if r.Fingerprint() != fmt.Sprintf("%x", e.PrimaryKey.Fingerprint) {
		t.Errorf("fingerprint %s", r.Fingerprint())
	}
	message, err := r.Encrypt([]byte("a share"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(message, []byte("a share")) {
		t.Error("it is in the clear")
	}
	opened, err := openpgp.ReadMessage(bytes.NewReader(message), openpgp.EntityList{e}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(opened.UnverifiedBody); err != nil || string(plain) != "a share" {
		t.Errorf("%q, %v", plain, err)
	}
	_, err = openpgp.ReadMessage(bytes.NewReader(message), openpgp.EntityList{other}, nil, nil)
	if err == nil {
		t.Error("another key opens it")
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	e := entity(t, packet.Config{})
	private := encoded(t, func(w io.Writer) error { return e.SerializePrivate(w, nil) })
	two := encoded(t, func(w io.Writer) error {
		if err := e.Serialize(w); err != nil {
			return err
		}
		return entity(t, packet.Config{}).Serialize(w)
	})
	short := entity(t, packet.Config{KeyLifetimeSecs: 60})
	later := func() time.Time { return time.Now().Add(time.Hour) }
	for name, row := range map[string]struct {
		text string
		now  func() time.Time
	}{
		"nothing": {"", time.Now}, "no base64": {"!", time.Now}, "no key": {"AAAA", time.Now},
		"a private key": {private, time.Now}, "two keys": {two, time.Now},
		"one that is over":     {encoded(t, short.Serialize), later},
		"one of RSA-1024":      {encoded(t, entity(t, packet.Config{RSABits: 1024}).Serialize), time.Now},
		"half of one":          {encoded(t, e.Serialize)[:80], time.Now},
		"one with other bytes": {"/////" + encoded(t, e.Serialize)[5:], time.Now},
	} {
		if _, err := pgp.Parse(row.text, row.now); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestLongRSAKeys(t *testing.T) {
	e := entity(t, packet.Config{RSABits: 2048})
	if _, err := pgp.Parse(encoded(t, e.Serialize), time.Now); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x99, 1, 0, 4})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = pgp.Parse(base64.StdEncoding.EncodeToString(b), time.Now)
	})
}
