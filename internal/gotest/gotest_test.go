package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// module is a Go module of tests that end in every way that there is.
var module = map[string]string{
	"go.mod": "module tried\n\ngo 1.26\n",
	"good/good_test.go": `package good

import "testing"

func TestGood(t *testing.T)    { t.Log("of no interest") }
func TestSkipped(t *testing.T) { t.Log("well,"); t.Skip("there is no moon tonight") }
func TestParts(t *testing.T)   { t.Run("part", func(t *testing.T) { t.SkipNow() }) }
`,
	"bad/bad_test.go": `package bad

import "testing"

func TestGood(t *testing.T) { t.Log("of no interest") }
func TestBad(t *testing.T)  { t.Run("part", func(t *testing.T) { t.Error("one isn't two") }) }
`,
	"crash/crash_test.go": `package crash

import "testing"

func TestCrash(t *testing.T) { t.Log("so far"); panic("no further") }
`,
	"broken/broken_test.go": "package broken\n\nvar x int = \"text\"\n",
	"none/none.go":          "package none\n",
}

// TestRealRun runs the real go test.
func TestRealRun(t *testing.T) {
	dir := t.TempDir()
	for file, content := range module {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out bytes.Buffer
	code, err := run(t.Context(), &out, []string{"-vet=off", "./..."})
	if err != nil || code != 1 {
		t.Errorf("exit code %d, %v", code, err)
	}
	for _, want := range []string{
		`(?m)^ok  \ttried/good\t[\d.]+s$`,
		`(?m)^FAIL\ttried/bad\t[\d.]+s$`,
		`(?m)^FAIL\ttried/crash\t[\d.]+s$`,
		`(?m)^FAIL\ttried/broken \[build failed\]$`,
		`(?m)^\?   \ttried/none\t\[no test files\]$`,
		`(?m)^--- FAIL: TestBad `,
		`bad_test.go:6: one isn't two`,
		`crash_test.go:5: so far`,
		`panic: no further`,
		`broken_test.go:3:\d+: cannot use "text"`,
		`(?m)^  tried/good TestParts/part: no reason is given$`,
		`(?m)^  tried/good TestSkipped: well, there is no moon tonight$`,
		`(?m)^  tried/bad TestBad/part: one isn't two$`,
		`(?m)^  tried/crash TestCrash: so far$`,
		`(?m)^5 packages in \d+ s: 3 tests passed, 3 failed, 2 skipped$`,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("there is no %s in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "of no interest") {
		t.Errorf("what passed is told:\n%s", out.String())
	}
}

// TestProgress says the test that has run for longest in each package.
func TestProgress(t *testing.T) {
	begun := time.Now()
	var out bytes.Buffer
	r := newReport(&out, begun)
	for i, line := range []string{
		`{"Action":"start","Package":"a"}`,
		`{"Action":"start","Package":"b"}`,
		`{"Action":"run","Package":"a","Test":"TestLong"}`,
		`{"Action":"run","Package":"a","Test":"TestLong/part"}`,
		`{"Action":"run","Package":"a","Test":"TestShort"}`,
		`{"Action":"run","Package":"c","Test":"TestDone"}`,
		`{"Action":"pass","Package":"c","Test":"TestDone"}`,
		`{"Action":"pass","Package":"c"}`,
	} {
		if r.take([]byte(line), begun.Add(time.Duration(i)*time.Second)) {
			t.Errorf("%s is told", line)
		}
	}
	r.progress(begun.Add(time.Minute))
	want := "... 1 packages ended, 1 tests passed, 60 s; running: a TestLong (58 s), b (59 s)\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestReasonsAreShort has a failed test whose nodes show their logs.
func TestReasonsAreShort(t *testing.T) {
	got := shortened(reason("    a_test.go:7: one isn't two\n" + strings.Repeat("log \n", 1000)))
	if !strings.HasPrefix(got, "one isn't two log log ") || len(got) > 310 {
		t.Errorf("%q", got)
	}
}

// TestOutputIsBounded has a test say more than is kept.
func TestOutputIsBounded(t *testing.T) {
	var text []byte
	for range 5 {
		text = extended(text, strings.Repeat("x", most-1)+"\n")
	}
	if len(text) > 2*most+10 || !strings.HasPrefix(string(text), "[...]") {
		t.Errorf("%d bytes, %q", len(text), text[:10])
	}
}
