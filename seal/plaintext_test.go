package seal_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"keyquorum/seal"
)

type holding struct{ Value seal.Plaintext }

func TestPlaintextPrintsAsRedacted(t *testing.T) {
	secret := seal.Plaintext("canary")
	holder := holding{secret}
	pointer := &secret
	printed := map[string]string{"String": secret.String(), "GoString": secret.GoString()}
	for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X % x %#x %d %c %U %b %o %t %z %10s %-6.2v") {
		printed["Sprintf "+verb] = fmt.Sprintf(verb, secret)
		printed["Sprintf struct "+verb] = fmt.Sprintf(verb, holder)
		printed["Sprintf pointer "+verb] = fmt.Sprintf(verb, pointer)
		printed["Sprintf slice "+verb] = fmt.Sprintf(verb, []seal.Plaintext{secret})
	}
	printed["Sprint"], printed["Sprintln"] = fmt.Sprint(secret), fmt.Sprintln(secret)
	printed["Errorf"] = fmt.Errorf("wrong: %v", secret).Error()
	printed["json"] = encoded(t, json.Marshal, holder)
	printed["json map"] = encoded(t, json.Marshal, map[string]any{"value": secret})
	printed["xml"] = encoded(t, xml.Marshal, holder)
	printed["slog text"] = logged(holder,
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) })
	printed["slog json"] = logged(secret,
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) })
	for how, text := range printed {
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("%s prints %q", how, text)
		}
		for _, leak := range []string{"canary", "63616e", "63 61", "99 97", "Y2FuYXJ5", "99,97", "0x63"} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(leak)) {
				t.Errorf("%s prints %q", how, text)
			}
		}
	}
}

func encoded(t *testing.T, marshal func(any) ([]byte, error), v any) string {
	t.Helper()
	b, err := marshal(v)
	check(t, err)
	return string(b)
}

func logged(v any, handler func(*bytes.Buffer) slog.Handler) string {
	var out bytes.Buffer
	slog.New(handler(&out)).Info("event", "value", v)
	return out.String()
}

func TestPlaintextZero(t *testing.T) {
	secret := seal.Plaintext("canary")
	secret.Zero()
	if !bytes.Equal(secret, make([]byte, 6)) {
		t.Errorf("left %x", []byte(secret))
	}
}
