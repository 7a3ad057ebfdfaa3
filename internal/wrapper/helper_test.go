package wrapper_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/internal/wrapper"
)

// helped is a key in a token whose helper is a shell script.
func helped(t *testing.T, script string, options ...string) wrapper.Key {
	t.Helper()
	path := file(t, "helper", "#!/bin/sh\n"+script+"\n")
	check(t, os.Chmod(path, 0o700))
	return parse(t, "hsm=pkcs11:token=keys;object=root;id=%01%ff?module-path="+path+
		"&pin-source=file:"+file(t, "pin", "1234")+"&helper="+path+strings.Join(options, ""))
}

// What a helper answers is taken if it is one object with a key of 32 bytes. Otherwise the error
// says what happened.
func TestAnswersOfAHelper(t *testing.T) {
	data := func(n int) string {
		return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xA7}, n))
	}
	good := fmt.Sprintf(`{"data":%q}`, data(32))
	for _, c := range []struct{ script, says string }{
		{"echo '" + good + "'", ""},
		{"yes complaint | head -c 1000000 >&2; echo '" + good + "'", ""},
		{"cat >/dev/null; echo '" + good + "'", ""},
		{"exec 0<&-; echo '" + good + "'", ""}, // it reads no request
		{"", "gives no answer"},
		{"echo hello", "gives no answer"},
		{"echo '" + good + good + "'", "gives no answer"},
		{"echo '" + good[:20] + "'", "gives no answer"},
		{`echo '{"data":"AAA=","error":"both"}'`, "gives no answer"},
		{`echo '{"pin":true}'`, "gives no answer"},
		{`echo '{"data":"AAA=","more":1}'`, "gives no answer"},
		{fmt.Sprintf(`echo '{"data":%q}'`, data(31)), "is no wrapping key"},
		{`printf %s '{"error":"the token\n\u0007sleeps"}'`, "the token sleeps"},
		{"while :; do echo 0123456789012345678901234567890123456789; done", "more than 65536 bytes"},
		{"echo 'lib not found' >&2; exit 3", "exit status 3 lib not found"},
		{"kill -SEGV $$", "signal: segmentation fault"},
	} {
		opened, err := helped(t, c.script).Unwrap(t.Context(), secret)
		switch {
		case c.says == "" && (err != nil || !bytes.Equal(opened, secret)):
			t.Errorf("%s: %x, %v", c.script, opened, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, which does not say %q", c.script, err, c.says)
		case c.says != "" && (len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %q", c.script, err)
		}
	}
}

// Whoever asks by himself is told when not to ask again.
func TestRefusedPINIsFinal(t *testing.T) {
	for script, want := range map[string]bool{
		`echo '{"error":"no","pin":true}'`: true, `echo '{"error":"no"}'`: false, "exit 1": false,
	} {
		_, err := helped(t, script).Unwrap(t.Context(), secret)
		var final interface{ Final() bool }
		if got := errors.As(err, &final) && final.Final(); got != want || err == nil {
			t.Errorf("%s: %v, final: %v", script, err, got)
		}
	}
}

// The helper gets its request, one argument, and the environment that the configuration names.
func TestWhatAHelperGets(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "s.secret")
	dir := t.TempDir()
	script := fmt.Sprintf("cd %s; cat >request; cat /proc/$$/environ >environ; "+
		"cat /proc/$$/cmdline >cmdline; echo '{\"data\":\"AAA=\"}'", dir)
	key := helped(t, script, "&env=A_CONF=/etc/a%20b.conf&env=B=")
	wrapped, err := key.Wrap(t.Context(), secret)
	if err != nil || !bytes.Equal(wrapped, []byte{0, 0}) {
		t.Fatalf("wrapped %x, %v", wrapped, err)
	}
	got := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		return string(b)
	}
	if e := got("environ"); e != "A_CONF=/etc/a b.conf\x00B=\x00" {
		t.Errorf("its environment is %q", e)
	}
	_, err = helped(t, script).Wrap(t.Context(), secret)
	check(t, err)
	if e := got("environ"); e != "" {
		t.Errorf("where none is named its environment is %q", e)
	}
	if _, args, _ := strings.Cut(got("cmdline"), "helper\x00"); args != "use\x00" {
		t.Errorf("its arguments are %q", args)
	}
	var q map[string]any
	check(t, json.Unmarshal([]byte(got("request")), &q))
	if q["do"] != "wrap" || q["token"] != "keys" || q["object"] != "root" || q["id"] != "Af8=" ||
		q["data"] != base64.StdEncoding.EncodeToString(secret) ||
		strings.Contains(got("request"), "1234") || len(q) != 7 {
		t.Errorf("its request is %v", q)
	}
	if about := key.About(); about != "token=keys;object=root;id=01ff" {
		t.Errorf("about: %s", about)
	}
}

// A helper that hangs is killed with the end of the context, and what it has begun with it.
func TestHelperThatHangs(t *testing.T) {
	dir := t.TempDir()
	key := helped(t, fmt.Sprintf("sleep 1000 & cd %s; echo $$ $! >new; mv new pids; wait", dir))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := key.Unwrap(ctx, secret)
		failed <- err
	}()
	var pids string
	await(t, "it hangs", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "pids"))
		pids = string(b)
		return err == nil
	})
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("it was killed: %v", err)
	}
	for _, pid := range strings.Fields(pids) {
		await(t, pid+" is gone", func() bool { return isGone(pid) })
	}
}

// isGone says whether a process has ended, also if nobody has asked yet how.
func isGone(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	_, state, _ := strings.Cut(string(b), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}

func TestCheckOfAHelper(t *testing.T) {
	key := helped(t, "exit 1")
	check(t, key.Check()) // which does not run it
	pin := key.Files()[0]
	helper := parse(t, "a=pkcs11:token=k;id=%01?module-path="+pin+"&pin-source="+pin+"&helper="+pin)
	for _, c := range []struct {
		mode os.FileMode
		says string
	}{{0o600, "is no program"}, {0o702, "can change"}, {0o700, ""}} {
		check(t, os.Chmod(pin, c.mode))
		err := helper.Check()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("mode %o: %v", c.mode, err)
		}
	}
	for _, gone := range []string{"module-path=/none&pin-source=" + pin + "&helper=" + pin,
		"module-path=" + pin + "&pin-source=/none&helper=" + pin,
		"module-path=" + pin + "&pin-source=" + pin + "&helper=/none",
		"module-path=" + pin + "&pin-source=" + pin} {
		if err := parse(t, "a=pkcs11:token=k;id=%01?"+gone).Check(); err == nil ||
			!strings.Contains(err.Error(), "no such file") {
			t.Errorf("%s: %v", gone, err)
		}
	}
}

func TestParseToken(t *testing.T) {
	const files = "?module-path=/l&pin-source=/p"
	for _, where := range []string{
		files, "token=a" + files, "object=a" + files, "token=a;object=b",
		"token=a;object=b?pin-source=/p", "token=a;object=b?module-path=l&pin-source=/p",
		"token=a;object=b?module-path=/l&pin-source=p", "token=a;object=b;model=c" + files,
		"token=a;token=a;object=b" + files, "token=;object=b" + files, "token=%zz;object=b" + files,
		"token=%00;object=b" + files, "token=a;object=" + strings.Repeat("b", 65) + files,
		"token=a;object=b" + files + "&pin-value=1234",
		"token=a;object=b" + files + "&helper=h", "token=a;object=b" + files + "&env=A",
		"token=a;object=b" + files + "&env==A",
	} {
		_, key, err := wrapper.Parse("a=pkcs11:" + where)
		if err == nil || key != nil || strings.Contains(err.Error(), "1234") {
			t.Errorf("%q is taken, or shown: %v", where, err)
		}
	}
	about := parse(t, "a=pkcs11:token=%c3%bc%20b;serial=07;id=%00"+files).About()
	if about != "token=%C3%BC%20b;serial=07;id=00" {
		t.Errorf("about: %s", about)
	}
}

// Whatever a helper answers, it is a key or an error of one printable line.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"data":"AAA="}`, `{"error":"no","pin":true}`, `{"data":null}`,
		"{}", `{"error":"\ud800"}`, `{"data":"AA==","error":""}{}`} {
		f.Add([]byte(seed))
	}
	strange := func(c rune) bool { return c < ' ' || c > '~' }
	f.Fuzz(func(t *testing.T, b []byte) {
		data, err := wrapper.DecodeAnswer(b)
		switch {
		case (err == nil) != (len(data) > 0):
			t.Errorf("%q: %x, %v", b, data, err)
		case err != nil && (err.Error() == "" || len(err.Error()) > 500):
			t.Errorf("%q: %q", b, err)
		case err != nil && strings.ContainsFunc(err.Error(), strange):
			t.Errorf("%q: %q", b, err)
		case err == nil && !json.Valid(bytes.TrimSpace(b)):
			t.Errorf("%q is taken", b)
		}
	})
}
