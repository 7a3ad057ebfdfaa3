package seal_test

import (
	"errors"
	"strings"
	"testing"

	"keyquorum/seal"
)

func TestRecordRoundTrip(t *testing.T) {
	for _, c := range [][2]int{{1, 1}, {5, 3}, {255, 255}} {
		record, _, _ := mustInit(t, c[0], c[1])
		got, err := seal.DecodeRecord(record.Encode())
		check(t, err)
		if got != record {
			t.Errorf("%d of %d: decoded %+v, want %+v", c[1], c[0], got, record)
		}
		if got.ClusterID != clusterA || got.Shares != c[0] || got.Threshold != c[1] || got.Generation != 1 {
			t.Errorf("decoded %+v", got)
		}
	}
}

// A seal record stands in the clear and an attacker may write it. Whatever byte is changed: it does not decode, or it
// takes no share, or the root key does not come out. Nothing else may happen.
func TestEveryFlippedByteOfARecordIsFound(t *testing.T) {
	record, shares, _ := mustInit(t, 2, 2)
	encoded := record.Encode()
	for i := range encoded {
		altered := record.Encode()
		altered[i] ^= 1 << (i % 8)
		if err := openRecord(altered, shares); err == nil {
			t.Fatalf("byte %d altered, and the root key came out", i)
		}
	}
	if err := openRecord(encoded, shares); err != nil {
		t.Fatalf("unaltered: %v", err)
	}
}

func openRecord(encoded []byte, shares []seal.Plaintext) error {
	record, err := seal.DecodeRecord(encoded)
	if err != nil {
		return err
	}
	c := seal.NewCeremony(record)
	for _, s := range shares {
		if _, err := c.Add(s); err != nil {
			return err
		}
	}
	_, err = c.Open()
	return err
}

func TestAlteredWrappingIsToldFromOtherKey(t *testing.T) {
	record, shares, _ := mustInit(t, 2, 2)
	wrapped := len(record.Encode()) - 104
	for _, c := range []struct {
		at   int
		want error
	}{
		{5, seal.ErrWrongKey},  // the cluster id is part of the key-encryption key
		{28, seal.ErrWrongKey}, // so is the generation
		{29, seal.ErrTampered}, // the number of shares is associated data only
		{wrapped, seal.ErrWrongKey},
		{wrapped + 32, seal.ErrTampered},
	} {
		altered := record.Encode()
		altered[c.at] += 2
		if err := openRecord(altered, shares); !errors.Is(err, c.want) {
			t.Errorf("byte %d altered: %v, want %v", c.at, err, c.want)
		}
	}
}

func TestDecodeRecordSaysWhatIsWrong(t *testing.T) {
	record, _, _ := mustInit(t, 3, 2)
	good := record.Encode()
	with := func(at int, b ...byte) []byte {
		altered := record.Encode()
		copy(altered[at:], b)
		return altered
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"empty":           {nil, "not a seal record"},
		"other magic":     {with(0, 'X'), "not a seal record"},
		"newer version":   {with(4, 2), "version 2"},
		"short":           {good[:len(good)-1], "bytes where"},
		"long":            {append(record.Encode(), 0), "bytes where"},
		"threshold zero":  {with(30, 0), "threshold 0 of 3"},
		"threshold high":  {with(30, 4), "threshold 4 of 3"},
		"no shares":       {with(29, 0), "threshold 2 of 0"},
		"generation zero": {with(21, make([]byte, 8)...), "generation 0"},
		"identity":        {with(31, make([]byte, 32)...), "commitment 0 is not a point"},
		"not a point":     {with(63, 1), "commitment 1"},
	} {
		_, err := seal.DecodeRecord(c.bytes)
		if name == "not a point" && err == nil {
			continue // one byte in 256 leaves the point as it is
		}
		if !errors.Is(err, seal.ErrRecord) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
