package main

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "1000": "1000", "1024": "1KiB", "256MiB": "256MiB", "2048MiB": "2GiB", "3GiB": "3GiB",
		"": "", "-1": "", "1.5GiB": "", "256": "256", "256MB": "", "MiB": "", "99999999999GiB": "",
	} {
		var s size
		err := s.Set(text)
		if (err == nil) != (want != "") || err == nil && s.String() != want {
			t.Errorf("%q is %s, %v; want %q", text, s.String(), err, want)
		}
	}
}
