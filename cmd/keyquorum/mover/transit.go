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
	"hmac":         {"hmac-key", symmetric(azkeys.KeyOperationSign, azkeys.KeyOperationVerify)},
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

const (
	adviceExportable = "Keys that are not exportable: bao write transit/keys/NAME/config exportable=true " +
		"makes one\nso, for ever. Else make a new key here, let the old one decrypt what you then " +
		"encrypt anew,\nand verify old signatures with its public half."
	adviceTypes = "Keys of types that no vault of Azure's API has: make a new one of another type here."
)

// look reads what the keys are like. None is exported.
func (s *transitSource) look(ctx context.Context, p *progress) ([]*thing, error) {
	p.begin("looking at keys", 0)
	names, err := s.c.list(ctx, s.mount, "keys")
	if err != nil {
		return nil, err
	}
	p.begin("looking at keys", len(names))
	things := make([]*thing, len(names))
	err = each(ctx, len(names), s.w.parallel, func(ctx context.Context, i int) error {
		defer p.step(names[i])
		things[i], err = s.thing(ctx, names[i])
		return err
	})
	return things, err
}

func (s *transitSource) thing(ctx context.Context, name string) (*thing, error) {
	t := &thing{kind: reference.Keys, name: legalName(name),
		from: s.c.base + "/v1/" + s.c.path(s.mount, "keys", name)}
	var data struct {
		Type       string                     `json:"type"`
		Exportable bool                       `json:"exportable"`
		Derived    bool                       `json:"derived"`
		Latest     int64                      `json:"latest_version"`
		Keys       map[string]json.RawMessage `json:"keys"`
	}
	err := s.c.get(ctx, &data, "", s.mount, "keys", name)
	if status(err) == http.StatusForbidden {
		t.obstacle = &obstacle{"the token may not read it (403)", adviceDenied}
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	kind, known := transitTypes[data.Type]
	switch {
	case !known:
		t.obstacle = &obstacle{"no vault takes a key of type " + shown(data.Type), adviceTypes}
	case data.Derived:
		t.obstacle = &obstacle{"it is only the root of keys that are derived", adviceTypes}
	case !data.Exportable:
		t.obstacle = &obstacle{"it is not exportable", adviceExportable}
	case len(data.Keys) == 0:
		t.obstacle = &obstacle{"it has no version that can be exported", ""}
	}
	if t.obstacle != nil {
		return t, nil
	}
	numbers, err := numbersOf(data.Keys)
	if err != nil {
		return nil, fatalError{fmt.Errorf("the source, %s: key %s: %w", s.c.base, shown(name), err)}
	}
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

func numbersOf(keys map[string]json.RawMessage) (numbers []int64, err error) {
	for text := range keys {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no version", shown(text))
		}
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, cmp.Compare)
	return numbers, nil
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
