package wrapper

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// A keyVault is a key of another Keyquorum, or of Azure Key Vault. It wraps with the key's current
// version, and unwraps with the version that has wrapped.
type keyVault struct {
	place
	name      string
	algorithm azkeys.EncryptionAlgorithm

	http *http.Client // of tests; nil: its own
}

// algorithms wrap 32 bytes, with RSA keys and with symmetric ones.
var algorithms = []azkeys.EncryptionAlgorithm{
	azkeys.EncryptionAlgorithmRSAOAEP256, azkeys.EncryptionAlgorithmA256KW,
}

// newKeyVault reads https://VAULT/keys/NAME, with the options credential, ca and alg.
func newKeyVault(where string) (Key, error) {
	p, err := parsePlace(where, "credential", "ca", "alg")
	if err != nil {
		return nil, err
	}
	if len(p.segments) != 2 || p.segments[0] != "keys" || p.base.Scheme != "https" {
		return nil, errors.New("a key of a vault is https://VAULT/keys/NAME")
	}
	k := keyVault{place: p, name: p.segments[1], algorithm: algorithms[0]}
	if name := p.options.Get("alg"); name != "" {
		k.algorithm = azkeys.EncryptionAlgorithm(name)
	}
	if !slices.Contains(algorithms, k.algorithm) {
		return nil, fmt.Errorf("alg=%s: it is one of %v", k.algorithm, algorithms)
	}
	return k, nil
}

func (keyVault) Kind() string { return "keyvault" }

func (k keyVault) About() string {
	return fmt.Sprintf("%s/keys/%s %s", k.base, k.name, k.algorithm)
}

func (k keyVault) Files() []string { return k.files("credential") }

func (k keyVault) Check() error {
	if _, err := k.client(); err != nil {
		return err
	}
	_, err := k.credential(azcore.ClientOptions{})
	return err
}

// wrappedByVault is what is kept of a wrapping, in JSON.
type wrappedByVault struct {
	Algorithm azkeys.EncryptionAlgorithm `json:"alg"`
	Version   string                     `json:"version"` // of the key
	Value     []byte                     `json:"value"`
}

func (k keyVault) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	client, done, err := k.open()
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := client.WrapKey(ctx, k.name, "", azkeys.KeyOperationParameters{
		Algorithm: &k.algorithm, Value: key}, nil)
	if err != nil {
		return nil, brief(err)
	}
	if r.KID == nil {
		return nil, errors.New("the vault does not say which version of the key has wrapped")
	}
	return json.Marshal(wrappedByVault{k.algorithm, r.KID.Version(), r.Result})
}

func (k keyVault) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	var w wrappedByVault
	if err := json.Unmarshal(wrapped, &w); err != nil || !slices.Contains(algorithms, w.Algorithm) ||
		w.Version == "" {
		return nil, errNotOurs
	}
	client, done, err := k.open()
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := client.UnwrapKey(ctx, k.name, w.Version, azkeys.KeyOperationParameters{
		Algorithm: &w.Algorithm, Value: w.Value}, nil)
	if err != nil {
		return nil, brief(err)
	}
	return unwrapped(r.Result)
}

// open makes a client with the credential as it is now. done closes its connections.
func (k keyVault) open() (client *azkeys.Client, done func(), err error) {
	transport := k.http
	if transport == nil {
		if transport, err = k.client(); err != nil {
			return nil, nil, err
		}
	}
	options := azcore.ClientOptions{Transport: transport}
	credential, err := k.credential(options)
	if err != nil {
		return nil, nil, err
	}
	client, err = azkeys.NewClient(k.base.String(), credential,
		&azkeys.ClientOptions{ClientOptions: options})
	return client, transport.CloseIdleConnections, err
}

// credential is that of the file, of the environment, or of the machine's managed identity.
func (k keyVault) credential(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	get, from := os.Getenv, "the environment"
	if file := k.options.Get("credential"); file != "" {
		said, err := readVariables(file)
		if err != nil {
			return nil, err
		}
		get, from = func(name string) string { return said[name] }, file
	}
	tenant, id, secret := get("AZURE_TENANT_ID"), get("AZURE_CLIENT_ID"), get("AZURE_CLIENT_SECRET")
	if host := get("AZURE_AUTHORITY_HOST"); host != "" {
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: host}
	}
	switch {
	case tenant != "" && id != "" && secret != "":
		return azidentity.NewClientSecretCredential(tenant, id, secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
	case from == "the environment" && secret == "":
		return azidentity.NewManagedIdentityCredential(
			&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options})
	}
	return nil, fmt.Errorf("%s lacks one of AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET", from)
}

// readVariables reads lines NAME=VALUE.
func readVariables(file string) (map[string]string, error) {
	text, err := readSecret(file)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	said := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			said[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return said, lines.Err()
}

// brief is what a vault, or who gives tokens for it, has refused: the SDK shows whole answers.
func brief(err error) error {
	var refused *azcore.ResponseError
	var unknown *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &unknown) && unknown.RawResponse != nil:
		return fmt.Errorf("no token for the vault: the login service has answered %s",
			unknown.RawResponse.Status)
	case errors.As(err, &refused):
		return fmt.Errorf("the vault has answered %d %s %s", refused.StatusCode,
			http.StatusText(refused.StatusCode), refused.ErrorCode)
	}
	return err
}
