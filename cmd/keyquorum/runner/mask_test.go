package runner

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func masked(t *testing.T, values []string, writes ...string) string {
	t.Helper()
	m := &masks{}
	for _, v := range values {
		m.add(v)
	}
	var out bytes.Buffer
	w := &masker{to: &out, masks: m}
	for _, b := range writes {
		if n, err := w.Write([]byte(b)); n != len(b) || err != nil {
			t.Fatalf("%d bytes of %d were taken (%v)", n, len(b), err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMasking(t *testing.T) {
	for _, row := range []struct {
		name   string
		values []string
		writes []string
		want   string
	}{
		{"one write", []string{"s3cret"}, []string{"it is s3cret.\n"}, "it is ***.\n"},
		{"across writes", []string{"s3cret"}, []string{"s", "3c", "ret", "!"}, "***!"},
		{"a beginning that is none", []string{"s3cret"}, []string{"s3c", "ond"}, "s3cond"},
		{"a beginning at the end", []string{"s3cret"}, []string{"s3cre"}, "s3cre"},
		{"several lines", []string{"first\nsecond\n"}, []string{"first\r\n  second\r\n"},
			"***\r\n  ***\r\n"},
		{"a line without its indent", []string{"key:\n    s3cret \n"}, []string{"[s3cret]"}, "[***]"},
		{"in JSON", []string{"a\"b\nc<d"}, []string{`{"v":"a\"b\nc<d","w":"a\"b\nc\u003cd"}`},
			`{"v":"***","w":"***"}`},
		{"without its last line break", []string{"s3cret\n"}, []string{"[s3cret]"}, "[***]"},
		{"one within the other", []string{"abcdef", "abcdefgh"}, []string{"abcdef", "gh abcdefx"},
			"*** ***x"},
		{"one into the other", []string{"secret1", "ret1xyz"}, []string{"secret1xyz."}, "***."},
		{"too short", []string{"abc"}, []string{"abc"}, "abc"},
		{"twice", []string{"abab"}, []string{"ababab-abab"}, "***-***"},
		{"empty", []string{""}, []string{"x"}, "x"},
	} {
		if got := masked(t, row.values, row.writes...); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// FuzzMasking: nothing of a value is printed, wherever the writes end, and they make no difference.
func FuzzMasking(f *testing.F) {
	f.Add("s3cret", "another", "as3cretanothers3cre", uint64(1))
	f.Add("aaaa", "aaab", "aaaaabaaab", uint64(2))
	f.Fuzz(func(t *testing.T, a, b, text string, seed uint64) {
		text = a + text + b
		whole := masked(t, []string{a, b}, text)
		var writes []string
		for choose, rest := rand.New(rand.NewPCG(seed, 0)), text; rest != ""; {
			n := 1 + choose.IntN(len(rest))
			writes, rest = append(writes, rest[:n]), rest[n:]
		}
		if parts := masked(t, []string{a, b}, writes...); parts != whole {
			t.Errorf("in parts %q, whole %q", parts, whole)
		}
		for _, value := range []string{a, b} {
			plain := !strings.ContainsAny(value, "*\n\r") // else what stands for others could make it up
			if len(value) >= leastMasked && plain && strings.Contains(whole, value) {
				t.Errorf("%q is in %q", value, whole)
			}
		}
	})
}
