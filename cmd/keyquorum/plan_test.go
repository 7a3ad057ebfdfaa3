package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What docs/regions.md shows of the plan is what the program prints.
func TestPlanOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/regions.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?ms)^```console plan\n\\$ keyquorum ([^\n]*)\n(.*?)^```$").FindSubmatch(page)
	if shown == nil {
		t.Fatal("docs/regions.md shows no plan")
	}
	o := call(t, t.TempDir(), strings.Fields(string(shown[1]))...)
	if o.code != 0 || o.stdout != string(shown[2]) {
		t.Errorf("exit code %d\n%s%s\nthe page shows\n%s", o.code, o.stdout, o.stderr, shown[2])
	}
}

func TestPlanAsJSON(t *testing.T) {
	o := call(t, t.TempDir(), "plan", "--region", "eu-west-1, eu-west-2", "--trip",
		"eu-west-1-eu-west-2=80ms", "--voters", "3", "-all", "-format=json")
	var rows []plannedLayout
	if o.code != 0 || json.Unmarshal([]byte(o.stdout), &rows) != nil || len(rows) != 4 {
		t.Fatalf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
	}
	if best := rows[0]; best.Voters["eu-west-1"] != 3 || best.Leader != "eu-west-1" ||
		best.Writes["eu-west-2"] != 161 || best.Spare != 1 {
		t.Errorf("%+v", best)
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, row := range []struct {
		args []string
		say  string
	}{
		{[]string{"--region", "eu,us", "--trip", "eu-us=soon"}, `"soon" is no round trip`},
		{[]string{"--region", "eu,us", "--trip", "eu=80ms"}, "A-B=80ms"},
		{[]string{"--region", "eu,us", "--trip", "eu-su=80ms"}, "two regions of the plan"},
		{[]string{"--region", "eu,us,ap", "--trip", "eu-us=80ms", "--address", "https://127.0.0.1:1"},
			"give --region and all of --trip"},
		{[]string{"--region", "eu,us", "--trip", "eu-us=80ms", "--voters", "2"}, "even number"},
		{[]string{"--address", "https://127.0.0.1:1"}, "to do without it"},
	} {
		o := call(t, t.TempDir(), append([]string{"plan"}, row.args...)...)
		if o.code == 0 || !strings.Contains(o.stderr, row.say) {
			t.Errorf("%v: exit code %d, %s", row.args, o.code, o.stderr)
		}
	}
}
