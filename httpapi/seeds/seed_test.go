package seeds_test

import (
	"strings"
	"testing"

	"keyquorum/httpapi/seeds"
)

// What a seed is written as is read as the same seed.
func TestSeedsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		"https://10.0.0.1:8200":                  "leader_api_addr=https://10.0.0.1:8200",
		"leader_api_addr=https://10.0.0.1:8200/": "leader_api_addr=https://10.0.0.1:8200",
		"https://a.test:1 leader_ca_cert_file=/etc/ca.pem leader_tls_servername=b.test": "" +
			"leader_api_addr=https://a.test:1 leader_ca_cert_file=/etc/ca.pem leader_tls_servername=b.test",
		"dns_name=nodes.test":                     "dns_name=nodes.test",
		"dns_name=nodes.test auto_join_port=8210": "dns_name=nodes.test auto_join_port=8210",
		"dns_name=_kq._tcp.nodes.test leader_tls_servername=nodes.test": "" +
			"dns_name=_kq._tcp.nodes.test leader_tls_servername=nodes.test",
	} {
		seed, err := seeds.Parse(text)
		if err != nil || seed.String() != want {
			t.Errorf("%s is %s, %v", text, seed, err)
			continue
		}
		if again, err := seeds.Parse(seed.String()); err != nil || again != seed {
			t.Errorf("%s is read as %+v, %v", seed, again, err)
		}
	}
}

func TestSeedsThatAreNone(t *testing.T) {
	for text, says := range map[string]string{
		"":                                          "leader_api_addr or dns_name",
		"http://10.0.0.1:8200":                      "leader_api_addr: ",
		"https://10.0.0.1/path":                     "leader_api_addr: ",
		"https://a.test:1 dns_name=b.test":          "and not both",
		"https://a.test:1 https://b.test:1":         "leader_api_addr is said twice",
		"https://a.test:1 auto_join_port=1":         "auto_join_port is for dns_name",
		"dns_name=b.test auto_join_port=65536":      "is no port",
		"dns_name=b.test auto_join_port=0":          "is no port",
		"dns_name=10.0.0.1":                         "is no DNS name",
		"dns_name=https://b.test":                   "is no DNS name",
		"dns_name=_kq._tcp.b.test":                  "say with leader_tls_servername",
		"dns_name=_kq._tcp.b.test auto_join_port=1": "SRV records have their ports",
		"dns=b.test":                                `there is no "dns": a place to join has leader_api_addr, dns_name`,
	} {
		if seed, err := seeds.Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is %+v, %v; want %q", text, seed, err, says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("https://10.0.0.1:8200 leader_ca_cert_file=ca.pem")
	f.Add("dns_name=_kq._tcp.nodes.test leader_tls_servername=nodes.test")
	f.Fuzz(func(t *testing.T, text string) {
		seed, err := seeds.Parse(text)
		if err != nil {
			return
		}
		if again, err := seeds.Parse(seed.String()); err != nil || again != seed {
			t.Errorf("%q is %+v, and read again %+v, %v", text, seed, again, err)
		}
	})
}
