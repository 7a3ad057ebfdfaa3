package mover

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"keyquorum/cmd/keyquorum/keyfile"
	"keyquorum/cmd/keyquorum/reference"
)

// transitSource is a mount of transit.
type transitSource struct {
	c     *vaultClient
	w     wanted
	mount string
}

func (s *transitSource) name() string { return s.c.name(s.mount) }

// A transitType is how a type of key comes out, and what it becomes.
type transitType struct {
	export string // of the path /export/…/
	read   func(exported string) (*azkeys.JSONWebKey, error)
}

const hmacType = "hmac"

// transitTypes are those that a vault takes.
var transitTypes = map[string]transitType{
	"rsa-2048":     {"encryption-key", fromPEM},
	"rsa-3072":     {"encryption-key", fromPEM},
	"rsa-4096":     {"encryption-key", fromPEM},
	"ecdsa-p256":   {"signing-key", fromPEM},
	"ecdsa-p384":   {"signing-key", fromPEM},
	"ecdsa-p521":   {"signing-key", fromPEM},
	"aes128-gcm96": {"encryption-key", symmetric()},
	"aes256-gcm96": {"encryption-key", symmetric()},
	hmacType:       {"hmac-key", symmetric(azkeys.KeyOperationSign, azkeys.KeyOperationVerify)},
}

func fromPEM(exported string) (*azkeys.JSONWebKey, error) {
	if exported == "" {
		return nil, errors.New("the source has only its public part")
	}
	text := []byte(exported)
	defer clear(text)
	return keyfile.Private(text)
}

// symmetric reads a key that may do what operations say; none: what the vault lets such a key do.
func symmetric(operations ...azkeys.KeyOperation) func(string) (*azkeys.JSONWebKey, error) {
	return func(exported string) (*azkeys.JSONWebKey, error) {
		k, err := base64.StdEncoding.DecodeString(exported)
		if err != nil {
			return nil, errors.New("the source's key is no base64")
		}
		if n := len(k); n != 16 && n != 24 && n != 32 {
			return nil, fmt.Errorf("it has %d bits, and a vault takes 128, 192 and 256", 8*n)
		}
		kty := azkeys.KeyTypeOct
		key := &azkeys.JSONWebKey{Kty: &kty, K: k}
		for _, operation := range operations {
			key.KeyOps = append(key.KeyOps, &operation)
		}
		return key, nil
	}
}

// look reads what the keys are like. None is exported.
func (s *transitSource) look(ctx context.Context, p *progress) ([]*thing, error) {
	p.begin("looking at keys", 0)
	names, err := s.c.list(ctx, s.mount, "keys")
	if err != nil {
		return nil, err
	}
	p.begin("looking at keys", len(names))
	things := make([]*thing, len(names))
	err = each(ctx, len(names), s.w.parallel, func(ctx context.Context, i int) (err error) {
		defer p.step(names[i])
		things[i], err = s.thing(ctx, names[i])
		return err
	})
	return things, err
}

func (s *transitSource) thing(ctx context.Context, name string) (*thing, error) {
	t := &thing{kind: reference.Keys, name: legalName(name),
		from: s.c.base + "/v1/" + s.c.path(s.mount, "keys", name)}
	var data transitKey
	err := s.c.get(ctx, &data, "", s.mount, "keys", name)
	if status(err) == http.StatusForbidden {
		t.obstacle = &obstacle{"the token may not read it (403)", adviceDenied}
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if t.obstacle = data.whyNot(); t.obstacle != nil {
		return t, nil
	}
	numbers, err := data.numbers()
	if err != nil {
		return nil, fatalError{fmt.Errorf("the source, %s: key %s: %w", s.c.base, shown(name), err)}
	}
	if len(numbers) == 0 {
		t.obstacle = &obstacle{"it has no version that can be exported", ""}
		return t, nil
	}
	kind := transitTypes[data.Type]
	if first := numbers[0]; first > 1 {
		t.left = append(t.left, count(int(first-1), "archived version"))
	}
	if n := len(numbers); s.w.newestOnly() && n > 1 {
		t.left = append(t.left, count(n-1, "older version"))
		numbers = numbers[n-1:]
	}
	for _, n := range numbers {
		t.versions = append(t.versions, version{
			origin: originOf(t.from, strconv.FormatInt(n, 10)), moment: n,
			read: func(ctx context.Context) (content, error) { return s.export(ctx, name, kind, n) },
		})
	}
	return t, nil
}

// A transitKey is what the server tells of a key.
type transitKey struct {
	Type       string                     `json:"type"`
	Exportable bool                       `json:"exportable"`
	Derived    bool                       `json:"derived"`
	Bytes      int                        `json:"key_size"` // of hmac
	First      int64                      `json:"min_decryption_version"`
	Latest     int64                      `json:"latest_version"`
	Keys       map[string]json.RawMessage `json:"keys"` // by version; of hmac none
}

func (k transitKey) whyNot() *obstacle {
	_, known := transitTypes[k.Type]
	switch {
	case !known:
		return &obstacle{"no vault takes a key of type " + shown(k.Type), adviceTypes}
	case k.Derived:
		return &obstacle{"it is only the root of keys that are derived", adviceTypes}
	case k.Type == hmacType && k.Bytes != 16 && k.Bytes != 24 && k.Bytes != 32:
		return &obstacle{fmt.Sprintf("%d bits: a vault takes 128, 192, 256", 8*k.Bytes), adviceTypes}
	case !k.Exportable:
		return &obstacle{"it is not exportable", adviceExportable}
	}
	return nil
}

// numbers are the versions that can be exported, the oldest first. Those before First are archived.
func (k transitKey) numbers() (numbers []int64, err error) {
	if k.Type == hmacType {
		for n := max(k.First, 1); n <= k.Latest && len(numbers) < maxThings; n++ {
			numbers = append(numbers, n)
		}
	}
	for text := range k.Keys {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no version", shown(text))
		}
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, cmp.Compare)
	return slices.Compact(numbers), nil
}

// export reads one version of a key.
func (s *transitSource) export(
	ctx context.Context, name string, kind transitType, number int64,
) (content, error) {
	var data struct {
		Keys map[string]string `json:"keys"`
	}
	version := strconv.FormatInt(number, 10)
	if err := s.c.get(ctx, &data, "", s.mount, "export", kind.export, name, version); err != nil {
		return content{}, err
	}
	exported, ok := data.Keys[version]
	if !ok {
		return content{}, fmt.Errorf("the source answered without version %s", version)
	}
	key, err := kind.read(exported)
	if err != nil {
		return content{}, fmt.Errorf("version %s at the source: %w", version, err)
	}
	return content{key: key}, nil
}
