package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// benchKeys are the keys of a bed.
type benchKeys struct {
	*bed
	h *harness
}

// prepareKeys makes a key of every kind that is measured.
func (b *bed) prepareKeys(h *harness) benchKeys {
	k := benchKeys{b, h}
	k.create("p256", `{"kty":"EC","crv":"P-256"}`)
	k.create("p384", `{"kty":"EC","crv":"P-384"}`)
	for _, bits := range rsaSizes {
		k.create(fmt.Sprint("rsa", bits), fmt.Sprintf(`{"kty":"RSA","key_size":%d}`, bits))
	}
	k.create("oct", `{"kty":"oct","key_size":256}`)
	return k
}

func (k benchKeys) create(name, body string) {
	k.ask(k.h, request{method: "POST", target: "/keys/" + name + "/create" + apiVersion,
		token: k.token, body: []byte(body)})
}

// operation is what key operations take and give.
type operation struct {
	Alg   string `json:"alg,omitempty"`
	Value string `json:"value"`
	IV    string `json:"iv,omitempty"`
	Tag   string `json:"tag,omitempty"`
}

func (k benchKeys) operate(key, verb string, o operation) func(int) request {
	r := request{method: "POST", target: "/keys/" + key + "/" + verb + apiVersion, token: k.token,
		body: must(json.Marshal(o))}
	return func(int) request { return r }
}

// sign signs a digest of size bytes.
func (k benchKeys) sign(key, alg string, size int) func(int) request {
	return k.operate(key, "sign", operation{Alg: alg, Value: zeros(size)})
}

func (k benchKeys) encrypt(key, alg string, size int) func(int) request {
	return k.operate(key, "encrypt", operation{Alg: alg, Value: zeros(size)})
}

// decrypt decrypts what encrypt gave once.
func (k benchKeys) decrypt(key, alg string, size int) func(int) request {
	var o operation
	k.h.must(json.Unmarshal(k.ask(k.h, k.encrypt(key, alg, size)(0)), &o))
	o.Alg = alg
	return k.operate(key, "decrypt", o)
}

// zeros are so many bytes in base64url.
func zeros(size int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, size)) }

func (a *arena) signatures(k benchKeys, crypto cryptoPrices, v *verdicts) {
	t := newRequestTable("Signatures, one node")
	es256 := k.sign("p256", "ES256", 32)
	for _, n := range a.plan.clients {
		cells := []*cell{
			a.onCeiling(n, es256), a.onOne("ES256", n, es256),
			a.onOne("ES384", n, k.sign("p384", "ES384", 48)),
		}
		for _, bits := range rsaSizes {
			cells = append(cells, a.onOne(fmt.Sprintf("RSA-%d, RS256", bits), n,
				k.sign(fmt.Sprint("rsa", bits), "RS256", 32)))
		}
		compare(a.h, a.plan, cells...)
		t.add(cells...)
		if n == 16 {
			v.sign(&cells[0].seen, &cells[1].seen, crypto)
		}
	}
	t.print()
}

func (a *arena) ciphers(k benchKeys) {
	t := newRequestTable("Encryption and decryption, one node: AES of 1 KiB, RSA of a 32-byte key")
	for _, n := range a.plan.clients {
		encrypt := k.encrypt("oct", "A256GCM", 1024)
		cells := []*cell{
			a.onCeiling(n, encrypt), a.onOne("A256GCM, encrypt", n, encrypt),
			a.onOne("A256GCM, decrypt", n, k.decrypt("oct", "A256GCM", 1024)),
			a.onOne("RSA-2048, RSA-OAEP-256, decrypt", n, k.decrypt("rsa2048", "RSA-OAEP-256", 32)),
		}
		compare(a.h, a.plan, cells...)
		t.add(cells...)
	}
	t.print()
}
