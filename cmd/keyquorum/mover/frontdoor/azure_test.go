package frontdoor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestFromAnotherCluster moves a vault between two clusters that know nothing of one another, looks
// that all is as it was, and runs again.
func TestFromAnotherCluster(t *testing.T) {
	source, to := cluster(t, "--vault=old"), cluster(t, "--vault=new")
	source.set(t, "many", "one", "--content-type=text/plain", "--tag", "owner=ops")
	source.set(t, "many", "two", "--expires=2031-01-31")
	source.set(t, "many", "three\n", "--not-before=2020-01-01", "--tag", "a=b")
	source.set(t, "single", "größer", "--tag", "imported-from=elsewhere")
	source.set(t, "retired", "gone")
	source.must(t, "secret", "set-attributes", "retired", "--enabled=false")
	source.set(t, "gap", "old")
	source.must(t, "secret", "set-attributes", "gap", "--enabled=false")
	source.set(t, "gap", "new")
	source.set(t, "crowded", "value", manyTags(15)...)
	source.must(t, "key", "create", "signer", "--kty", "EC")
	e := source.from(to)

	args := []string{"azure", "--from", source.url()}
	before := e.plan(t, args...)
	before.expect(t, map[string]string{
		"many": "to move", "single": "to move", "gap": "to move",
		"retired": "stays: its newest version is disabled",
		"crowded": "stays: 15 tags, and 14 fit",
		"signer":  "stays: its private part never leaves",
	})
	if names := e.must(t, "secret", "list", "-q"); names != "" || before.Applied ||
		before.Versions != 5 {
		t.Errorf("a plan of %d versions has written %s", before.Versions, names)
	}
	if left := before.row(t, "gap").Left; !slices.Equal(left, []string{"1 disabled version"}) {
		t.Errorf("gap leaves out %q", left)
	}
	done := e.plan(t, append(args, "--apply")...)
	if done.Summary["moved"] != 3 || done.Versions != 5 || !done.Applied {
		t.Errorf("done: %+v", done)
	}
	if crowd := e.plan(t, append(args, "--apply", "--no-tags")...); crowd.Summary["moved"] != 1 {
		t.Errorf("without tags: %+v", crowd)
	}
	sameVersions(t, source, e, "many")
	sameVersions(t, source, e, "single")
	newest := e.show(t, "secret", "many")
	if newest.Value != "three\n" || newest.Tags["a"] != "b" || newest.NotBefore == nil {
		t.Errorf("the newest version is %+v", newest)
	}
	again := e.plan(t, append(args, "--apply")...)
	again.expect(t, map[string]string{
		"many": "there", "single": "there", "gap": "there", "retired": "stays", "crowded": "stays",
		"signer": "stays",
	})

	source.set(t, "many", "four")
	source.must(t, "secret", "set-attributes", "single", "--expires=2032-01-01")
	later := e.plan(t, args...)
	later.expect(t, map[string]string{
		"many": "to move", "single": "differs: expires", "gap": "there", "retired": "stays",
		"crowded": "stays", "signer": "stays",
	})
	if r := later.row(t, "many"); r.Versions != 1 || r.There != 3 {
		t.Errorf("many: %+v", r)
	}
	e.plan(t, append(args, "--apply")...)
	if o := e.show(t, "secret", "many"); o.Value != "four" ||
		len(e.versions(t, "secret", "many")) != 4 {
		t.Errorf("after the fourth version it is %+v", o)
	}
}

func manyTags(n int) (flags []string) {
	for i := range n {
		flags = append(flags, "--tag", fmt.Sprintf("t%d=v", i))
	}
	return flags
}

// sameVersions compares every version at the destination with the one that it came from.
func sameVersions(t *testing.T, source, to environment, name string) {
	t.Helper()
	theirs := source.versions(t, "secret", name)
	byOrigin := map[string]object{}
	for _, v := range to.versions(t, "secret", name) {
		o := to.show(t, "secret", name, "--version", v.Version)
		byOrigin[o.Tags["imported-from"]] = o
	}
	if len(byOrigin) != len(theirs) {
		t.Errorf("%s has %d versions of %d", name, len(byOrigin), len(theirs))
	}
	for _, v := range theirs {
		want := source.show(t, "secret", name, "--version", v.Version)
		origin := fmt.Sprintf("%s/secrets/%s/%s", source.url(), name, v.Version)
		got := byOrigin[origin]
		delete(got.Tags, "imported-from")
		delete(want.Tags, "imported-from")
		if got.Value != want.Value || got.ContentType != want.ContentType ||
			!maps.Equal(got.Tags, want.Tags) || fmt.Sprint(got.NotBefore) != fmt.Sprint(want.NotBefore) ||
			fmt.Sprint(got.Expires) != fmt.Sprint(want.Expires) || !got.Enabled {
			t.Errorf("%s is %+v, want %+v", origin, got, want)
		}
	}
}

// TestNamesThatAreTaken are left alone, unless somebody asks for more.
func TestNamesThatAreTaken(t *testing.T) {
	source, to := cluster(t, "--vault=old"), cluster(t, "--vault=new")
	for _, name := range []string{"own", "Deleted", "rotated"} {
		source.set(t, name, "theirs")
	}
	to.set(t, "OWN", "ours")
	to.set(t, "deleted", "ours")
	to.must(t, "secret", "delete", "deleted")
	e, args := source.from(to), []string{"azure", "--from", source.url(), "--apply"}
	e.plan(t, args...)
	to.set(t, "rotated", "newer")
	p := e.plan(t, args...)
	p.expect(t, map[string]string{
		"own": "taken: by something else", "Deleted": "taken: is deleted here",
		"rotated": "differs: newer version of its own",
	})
	if v := e.show(t, "secret", "own").Value; v != "ours" {
		t.Errorf("own was overwritten with %s", v)
	}
	e.plan(t, append(args, "--add-to-taken")...)
	if v := e.show(t, "secret", "own").Value; v != "theirs" ||
		len(e.versions(t, "secret", "own")) != 2 {
		t.Errorf("own is %s", v)
	}
	if v := e.show(t, "secret", "rotated").Value; v != "newer" {
		t.Errorf("a version that was moved before was put over a newer one: %s", v)
	}
	e.plan(t, args...).row(t, "own")
	if n := len(e.versions(t, "secret", "own")); n != 2 {
		t.Errorf("own has %d versions after another run", n)
	}
}

// TestNewKeys makes keys like those that can't come out, and their policies.
func TestNewKeys(t *testing.T) {
	source, to := cluster(t, "--vault=old"), cluster(t, "--vault=new")
	source.must(t, "key", "create", "signer", "--kty", "EC", "--curve", "P-384", "--ops", "sign",
		"--tag", "a=b", "--expires=2033-01-01")
	source.must(t, "key", "create", "wrapper", "--kty", "RSA-HSM", "--size", "3072")
	source.must(t, "key", "rotation-policy", "wrapper", "--rotate-after=P90D", "--expires-in=P2Y")
	e, args := source.from(to), []string{"azure", "--from", source.url(), "--new-keys"}
	e.plan(t, args...).expect(t, map[string]string{"signer": "to move", "wrapper": "to move"})
	e.plan(t, append(args, "--apply")...)
	signer, wrapper := e.show(t, "key", "signer"), e.show(t, "key", "wrapper")
	if signer.Curve != "P-384" || !slices.Equal(signer.Operations, []string{"sign"}) ||
		signer.Tags["a"] != "b" || signer.Expires == nil {
		t.Errorf("signer is %+v", signer)
	}
	if wrapper.Type != "RSA-HSM" || wrapper.Size != 3072 {
		t.Errorf("wrapper is %+v", wrapper)
	}
	policy := e.must(t, "key", "rotation-policy", "wrapper", "-format=json")
	if !strings.Contains(policy, `"P90D"`) || !strings.Contains(policy, `"P2Y"`) {
		t.Errorf("its policy is %s", policy)
	}
	e.plan(t, append(args, "--apply")...).expect(t,
		map[string]string{"signer": "there", "wrapper": "there"})
}

// TestSourcesThatRefuse ends with one line that says what to look at, and writes nothing.
func TestSourcesThatRefuse(t *testing.T) {
	source, to := cluster(t, "--vault=old"), cluster(t, "--vault=new")
	e, from := source.from(to), []string{"import", "azure", "--from", source.url()}
	source.set(t, "there", "is something")
	missing := strings.Replace(source.url(), "old", "missing", 1)
	nobody := "https://old.vault.localhost:1"
	for _, c := range []struct {
		e    environment
		code int
		says string
		args []string
	}{
		{e, 1, "Say --from", []string{"import", "azure"}},
		{e, 1, "it is https://vault.zone", []string{"import", "azure", "--from", "http://x.y"}},
		{e, 1, "--parallel 0", append(from, "--parallel=0")},
		{e, 1, "it is all or newest", append(from, "--versions=some")},
		{e, 1, "is the source and the destination", append(from, "--vault", source.url())},
		{e, 2, "look at --from", []string{"import", "azure", "--from", missing}},
		{e, 2, "is a node running there? Look at the URL (--from)",
			[]string{"import", "azure", "--from", nobody}},
		{e.with("FROM_AZURE_CLIENT_ID", ""), 1, "who calls the source?", from},
		{e.with("FROM_AZURE_CLIENT_SECRET", "wrong"), 2, "look at FROM_AZURE_CLIENT_ID", from},
		{e.with("FROM_AZURE_AUTHORITY_HOST", to["AZURE_AUTHORITY_HOST"]), 2,
			"--from-ca-cert (FROM_KEYQUORUM_CACERT)", from},
		{e.with("FROM_KEYQUORUM_CACERT", to["KEYQUORUM_CACERT"]), 2,
			"--from-ca-cert (FROM_KEYQUORUM_CACERT)", from},
		{e.with("AZURE_CLIENT_SECRET", "wrong"), 2, "look at AZURE_CLIENT_ID", from},
	} {
		c.e.refused(t, c.code, c.says, c.args...)
	}
}
