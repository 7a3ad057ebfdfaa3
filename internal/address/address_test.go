package address_test

import (
	"strings"
	"testing"

	"keyquorum/internal/address"
)

func TestAddresses(t *testing.T) {
	for _, row := range []struct {
		s                      string
		listen, reachable, url string // what the refusal says; "" where it is taken
	}{
		{"127.0.0.1:8201", "", "", "is no URL"},
		{"node1.example.org:8201", "", "", "is no URL"},
		{"node_1:1", "", "", "is no URL"},
		{"[::1]:8201", "", "", "is no URL"},
		{"[fe80::1%eth0]:8201", "", "", "is no URL"},
		{":8201", "", "every address of a machine", "is no URL"},
		{"0.0.0.0:8201", "", "every address of a machine", "is no URL"},
		{"[::]:8201", "", "every address of a machine", "is no URL"},
		{"[::ffff:0.0.0.0]:8201", "", "every address of a machine", "is no URL"},
		{"224.0.0.1:8201", "", "no machine's", "is no URL"},
		{"127.0.0.1:0", "", "port 0", "is no URL"},
		{"", "port is missing", "port is missing", "is no URL"},
		{"127.0.0.1", "127.0.0.1:8201", "127.0.0.1:8201", "is no URL"},
		{"127.0.0.1:", "number", "number", "is no URL"},
		{"::1:8201", "in brackets", "in brackets", "is no URL"},
		{"[::1", "not closed", "not closed", "is no URL"},
		{"[::1:8201]", "port is missing", "port is missing", "is no URL"},
		{"[example.org:1]:8201", "no IPv6", "no IPv6", "is no URL"},
		{"127.0.0.1:http", "number", "number", "is no URL"},
		{"127.0.0.1:65536", "number", "number", "is no URL"},
		{"127.0.0.1:-1", "number", "number", "is no URL"},
		{"a host:8201", "letters", "letters", "is no URL"},
		{"host/path:8201", "letters", "letters", "is no URL"},
		{"http://host:8201", "leave http:// out, as in host:8201", "leave http:// out",
			"it is https://host:8201"},
		{"https://host:8201", "leave https:// out, as in host:8201", "leave https:// out", ""},
		{"https://host", "leave https:// out", "leave https:// out", ""},
		{"https://host:8201/", "leave https:// out", "leave https:// out", ""},
		{"https://[::1]:8201", "leave https:// out", "leave https:// out", ""},
		{"https://host:8201/v1", "leave https:// out", "leave https:// out", "alone"},
		{"https://me@host:8201", "leave https:// out", "leave https:// out", "alone"},
		{"https://host?x=1", "leave https:// out", "leave https:// out", "alone"},
		{"https://", "leave https:// out", "leave https:// out", "every address of a machine"},
		{"https://0.0.0.0:8200", "leave https:// out", "leave https:// out",
			"every address of a machine"},
		{"https://host:0", "leave https:// out", "leave https:// out", "port 0"},
		{"https://host:x", "leave https:// out", "leave https:// out", "is no URL"},
		{strings.Repeat("a", 301) + ":1", "at most", "at most", "at most"},
	} {
		for _, check := range []struct {
			name, want string
			err        error
		}{
			{"to listen at", row.listen, address.Listen(row.s)},
			{"to be reached at", row.reachable, address.Reachable(row.s)},
			{"as a URL", row.url, address.URL(row.s)},
		} {
			switch {
			case check.want == "" && check.err != nil:
				t.Errorf("%q %s: %v", row.s, check.name, check.err)
			case check.want != "" && (check.err == nil || !strings.Contains(check.err.Error(), check.want)):
				t.Errorf("%q %s: %v, want %q", row.s, check.name, check.err, check.want)
			}
		}
	}
}
