package mover

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLegalNames(t *testing.T) {
	for want, parts := range map[string][]string{
		"apps-billing-db-password": {"apps/billing/db", "password"},
		"a-b":                      {"a", "…b!"},
		"UPPER-1-x":                {"UPPER_1", "x"},
		"a--b":                     {"a--b", ""}, // its own hyphens stay
		"":                         {"–", "ü"},
	} {
		if got := legalName(parts...); got != want {
			t.Errorf("%q is called %q, want %q", parts, got, want)
		}
	}
}

// TestNamesThatMeet: nobody is moved who would get another's name, however many they are.
func TestNamesThatMeet(t *testing.T) {
	things := []*thing{{kind: "secrets", name: "a-b", from: "1"},
		{kind: "secrets", name: "A-B", from: "2"}, {kind: "secrets", name: "a-B", from: "3"},
		{kind: "keys", name: "a-b", from: "4"}, {kind: "secrets", name: "c", from: "5"}}
	checkNames(things)
	for i, stuck := range []bool{true, true, true, false, false} {
		if (things[i].obstacle != nil) != stuck {
			t.Errorf("%s from %s: %+v", things[i].name, things[i].from, things[i].obstacle)
		}
	}
}

// TestOrigins fit into a tag, and tell whose version they are.
func TestOrigins(t *testing.T) {
	long := "https://vault.example.org/v1/secret/data/" + strings.Repeat("ä/", 300)
	for _, from := range []string{"https://a.vault.azure.net/secrets/n", long} {
		origin := originOf(from, strings.Repeat("f", 32))
		if utf8.RuneCountInString(origin) > maxTag || !isOf(origin, from) ||
			!isOf(originBase(from), from) {
			t.Errorf("%q is the origin of %q", origin, from)
		}
		if isOf(origin, from+"x") || isOf(originOf(from+"x", "1"), from) || isOf("", from) ||
			isOf(originOf(from+"/deeper", "1"), from) {
			t.Errorf("%q is taken for another's", origin)
		}
	}
}

func TestValuesOfFields(t *testing.T) {
	for field, want := range map[string]struct{ text, why string }{
		`"plain\n"`:                             {"plain\n", ""},
		`""`:                                    {"", ""},
		`5432`:                                  {"5432", ""},
		`1.50`:                                  {"1.50", ""},
		`9007199254740993`:                      {"9007199254740993", ""},
		`true`:                                  {"true", ""},
		`{ "b": 1, "a": [ 2.0 ] }`:              {`{"b":1,"a":[2.0]}`, ""},
		`null`:                                  {"", "null"},
		`"\ud800"`:                              {"", notText},
		`"\ufffd"`:                              {"", notText},
		`{"a":["\ufffd"]}`:                      {"", notText},
		`{"\ufffd":1}`:                          {"", notText},
		`"` + strings.Repeat("ü", 12_800) + `"`: {strings.Repeat("ü", 12_800), ""},
		`"` + strings.Repeat("ü", 12_801) + `"`: {"", "25602 bytes"},
		`["` + strings.Repeat("a", 25_600) + `"]`: {"", "25604 bytes"},
	} {
		v, why := valueOf(map[string]json.RawMessage{"f": json.RawMessage(field)}, "f")
		if want.why == "" && (why != "" || v.text.reveal() != want.text) ||
			want.why != "" && !strings.Contains(why, want.why) {
			t.Errorf("%.40s is another value (%s), want %.40q (%s)", field, why, want.text, want.why)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v %#v %s %q", v, v, v, v.text, v.text, v.text),
			"plain") {
			t.Errorf("a value can be printed: %+v", v)
		}
	}
	whole := map[string]json.RawMessage{"b": json.RawMessage(`"<&>"`), "a": json.RawMessage(`1.0`)}
	if v, why := valueOf(whole, ""); why != "" || v.text.reveal() != `{"a":1.0,"b":"<&>"}` {
		t.Errorf("all fields are another value (%s)", why)
	}
	if _, why := valueOf(nil, "f"); why == "" {
		t.Error("a field that is not there has a value")
	}
}

// TestVaultsOfAzureByTheirName, and others by their URL.
func TestVaultsOfAzureByTheirName(t *testing.T) {
	for from, want := range map[string]string{
		"payments":                           "https://payments.vault.azure.net",
		"https://Payments.vault.azure.cn/":   "https://payments.vault.azure.cn",
		"https://a.b.c:1,https://a.b.c:2":    "https://a.b.c:1 https://a.b.c:2",
		"payments.vault.azure.net":           "",
		"http://payments.vault.azure.net":    "",
		"https://payments.vault.azure.net/x": "",
		"":                                   "",
	} {
		places, err := azureFlags{from: from}.places()
		if got := strings.Join(places, " "); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q (%v), want %q", from, got, err, want)
		}
	}
}
