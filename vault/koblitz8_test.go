package vault

import (
	"encoding/hex"
	"testing"
)

// The key with the scalar 1, whose public key is the base point (SEC 2 section 2.4.1), is what
// OpenSSL writes for it.
func TestKoblitzKeyIsSpeltAsOpenSSLDoes(t *testing.T) {
	scalar := make([]byte, 32)
	scalar[31] = 1
	m, err := parseKoblitz(scalar)
	if err != nil {
		t.Fatal(err)
	}
	der, err := exported(m)
	if err != nil {
		t.Fatal(err)
	}
	const want = "308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420" +
		"0000000000000000000000000000000000000000000000000000000000000001" + "a14403420004" +
		"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
		"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
	if hex.EncodeToString(der) != want {
		t.Errorf("%x", []byte(der))
	}
	back, ok := parseKoblitz8(der)
	if !ok || hex.EncodeToString(back.(koblitzKey).PrivateKey.Bytes()) != hex.EncodeToString(scalar) {
		t.Error("it does not come back")
	}
	for i := range der[:33] { // every byte up to the scalar matters, or leads to no key
		changed := append([]byte{}, der...)
		changed[i] ^= 1
		if _, ok := parseKoblitz8(changed); ok {
			t.Errorf("byte %d changed, and it is still read", i)
		}
	}
}
