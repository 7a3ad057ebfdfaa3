// Command azure-app is an ordinary Azure Key Vault program: nothing in it knows of Keyquorum. It
// writes a secret and a key through the first vault URL it is given, then reads and verifies both
// through every other one. Pointed at the nodes of one cluster, it shows that what one node
// acknowledged all nodes serve.
//
// It is configured by the environment alone, as Microsoft documents it for DefaultAzureCredential:
// AZURE_AUTHORITY_HOST, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, and SSL_CERT_FILE
// for the authority to trust. Vault URLs are its arguments, or come from KEYQUORUM_VAULT_URLS,
// separated by commas. With -read it only reads the secret through each, which is all that an
// application without write permissions may do.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

const (
	secretName = "azure-app-greeting"
	keyName    = "azure-app-signer"
)

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	onlyRead := flag.Bool("read", false, "only read the secret that an earlier run has written")
	flag.Parse()
	if err := run(ctx, flag.Args(), *onlyRead); err != nil {
		log.Fatal("azure-app: ", err)
	}
}

func run(ctx context.Context, urls []string, onlyRead bool) error {
	if len(urls) == 0 {
		urls = strings.FieldsFunc(os.Getenv("KEYQUORUM_VAULT_URLS"),
			func(r rune) bool { return r == ',' || r == ' ' })
	}
	if len(urls) == 0 {
		return errors.New("give vault URLs as arguments or in KEYQUORUM_VAULT_URLS")
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return err
	}
	if onlyRead {
		return read(ctx, urls, credential)
	}
	written, err := write(ctx, urls[0], credential)
	if err != nil {
		return fmt.Errorf("through %s: %w", urls[0], err)
	}
	for _, url := range urls[1:] {
		if err := written.check(ctx, url, credential); err != nil {
			return fmt.Errorf("through %s: %w", url, err)
		}
	}
	fmt.Printf("done: written through one URL, read and verified through %d\n", len(urls)-1)
	return nil
}

// read shows that the secret is there, not what it says.
func read(ctx context.Context, urls []string, credential azcore.TokenCredential) error {
	for _, url := range urls {
		secrets, _, err := clients(url, credential)
		if err != nil {
			return err
		}
		got, err := secrets.GetSecret(ctx, secretName, "", nil)
		if err != nil {
			return fmt.Errorf("through %s: %w", url, err)
		}
		fmt.Printf("%s: read secret %s, version %s\n", url, secretName, got.ID.Version())
	}
	return nil
}

// work is what was written: the secret with its version, and a signature by the key.
type work struct {
	secret, secretVersion string
	keyVersion            string
	digest, signature     []byte
}

func write(ctx context.Context, url string, credential azcore.TokenCredential) (w work, err error) {
	secrets, keys, err := clients(url, credential)
	if err != nil {
		return w, err
	}
	w.secret = "hello " + rand.Text()
	set, err := secrets.SetSecret(ctx, secretName, azsecrets.SetSecretParameters{Value: &w.secret},
		nil)
	if err != nil {
		return w, err
	}
	w.secretVersion = set.ID.Version()
	fmt.Printf("%s: set secret %s, version %s\n", url, secretName, w.secretVersion)

	kind, curve := azkeys.KeyTypeEC, azkeys.CurveNameP256
	created, err := keys.CreateKey(ctx, keyName, azkeys.CreateKeyParameters{Kty: &kind, Curve: &curve},
		nil)
	if err != nil {
		return w, err
	}
	w.keyVersion = created.Key.KID.Version()
	fmt.Printf("%s: created key %s, version %s\n", url, keyName, w.keyVersion)

	digest := sha256.Sum256([]byte(w.secret))
	w.digest = digest[:]
	algorithm := azkeys.SignatureAlgorithmES256
	signed, err := keys.Sign(ctx, keyName, w.keyVersion,
		azkeys.SignParameters{Algorithm: &algorithm, Value: w.digest}, nil)
	if err != nil {
		return w, err
	}
	w.signature = signed.Result
	fmt.Printf("%s: signed with it (ES256)\n", url)
	return w, nil
}

// check reads the newest secret, without naming a version, and verifies the signature.
func (w work) check(ctx context.Context, url string, credential azcore.TokenCredential) error {
	secrets, keys, err := clients(url, credential)
	if err != nil {
		return err
	}
	got, err := secrets.GetSecret(ctx, secretName, "", nil)
	if err != nil {
		return err
	}
	if *got.Value != w.secret || got.ID.Version() != w.secretVersion {
		return fmt.Errorf("secret %s is version %s, not the %s that was written", secretName,
			got.ID.Version(), w.secretVersion)
	}
	fmt.Printf("%s: read the same secret\n", url)

	algorithm := azkeys.SignatureAlgorithmES256
	verified, err := keys.Verify(ctx, keyName, w.keyVersion,
		azkeys.VerifyParameters{Algorithm: &algorithm, Digest: w.digest, Signature: w.signature}, nil)
	if err != nil {
		return err
	}
	if !*verified.Value {
		return errors.New("the signature does not verify")
	}
	fmt.Printf("%s: verified the signature\n", url)
	return nil
}

func clients(url string, credential azcore.TokenCredential) (*azsecrets.Client, *azkeys.Client,
	error) {
	secrets, err := azsecrets.NewClient(url, credential, nil)
	if err != nil {
		return nil, nil, err
	}
	keys, err := azkeys.NewClient(url, credential, nil)
	return secrets, keys, err
}
