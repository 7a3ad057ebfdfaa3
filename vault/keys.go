package vault

import "context"

// A PublicKey is the public half as a JWK has it; unused members are nil or "".
type PublicKey struct {
	Kty  string // "RSA", "EC", "RSA-HSM", "EC-HSM"
	Crv  string
	N, E []byte // big-endian
	X, Y []byte // padded to the field size
}

// A Key is one version of a key.
type Key struct {
	Name, Version string
	Public        PublicKey // empty in lists
	Ops           []string
	Attributes    Attributes
	Tags          map[string]string
	Deletion      *Deletion
}

// A KeySpec says what key to create.
type KeySpec struct {
	Kty            string
	Size           int    // RSA bits; 0 is the default
	Crv            string // "" is the default
	PublicExponent int
}

// A CryptoResult is what a key operation gives. Version is the version that was used.
type CryptoResult struct {
	Name, Version string
	Value         []byte
}

func (v *Vaults) CreateKey(ctx context.Context, c Caller, name string, spec KeySpec, ch Change) (Key, error) {
	panic("not built yet")
}
func (v *Vaults) GetKey(ctx context.Context, c Caller, name, version string) (Key, error) {
	panic("not built yet")
}
func (v *Vaults) UpdateKey(ctx context.Context, c Caller, name, version string, ch Change) (Key, error) {
	panic("not built yet")
}
func (v *Vaults) ListKeys(ctx context.Context, c Caller, p PageRequest) (Page[Key], error) {
	panic("not built yet")
}
func (v *Vaults) ListKeyVersions(ctx context.Context, c Caller, name string, p PageRequest) (Page[Key], error) {
	panic("not built yet")
}
func (v *Vaults) DeleteKey(ctx context.Context, c Caller, name string) (Key, error) {
	panic("not built yet")
}
func (v *Vaults) GetDeletedKey(ctx context.Context, c Caller, name string) (Key, error) {
	panic("not built yet")
}
func (v *Vaults) ListDeletedKeys(ctx context.Context, c Caller, p PageRequest) (Page[Key], error) {
	panic("not built yet")
}
func (v *Vaults) RecoverKey(ctx context.Context, c Caller, name string) (Key, error) {
	panic("not built yet")
}
func (v *Vaults) PurgeKey(ctx context.Context, c Caller, name string) error { panic("not built yet") }

// Sign signs a digest. The private key never leaves this call.
func (v *Vaults) Sign(ctx context.Context, c Caller, name, version, alg string, digest []byte) (CryptoResult, error) {
	panic("not built yet")
}
func (v *Vaults) Verify(ctx context.Context, c Caller, name, version, alg string, digest, signature []byte) (bool, error) {
	panic("not built yet")
}
func (v *Vaults) Encrypt(ctx context.Context, c Caller, name, version, alg string, plaintext []byte) (CryptoResult, error) {
	panic("not built yet")
}
func (v *Vaults) Decrypt(ctx context.Context, c Caller, name, version, alg string, ciphertext []byte) (CryptoResult, error) {
	panic("not built yet")
}
func (v *Vaults) WrapKey(ctx context.Context, c Caller, name, version, alg string, key []byte) (CryptoResult, error) {
	panic("not built yet")
}
func (v *Vaults) UnwrapKey(ctx context.Context, c Caller, name, version, alg string, wrapped []byte) (CryptoResult, error) {
	panic("not built yet")
}
