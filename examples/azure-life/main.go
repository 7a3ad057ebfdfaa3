// Command azure-life leads keys and a secret through all that can happen to them: created,
// imported, used, rotated, backed up, deleted, recovered, purged, restored. It is an ordinary Azure
// Key Vault program, with default options, and stops at the first error that the SDK's own retries
// do not absorb, or the first answer that is not what it should be.
//
// It is configured as azure-app is: AZURE_AUTHORITY_HOST, AZURE_TENANT_ID, AZURE_CLIENT_ID,
// AZURE_CLIENT_SECRET, SSL_CERT_FILE. The vault's URL is its argument. Everything that it makes has
// a new name in each round, and is purged at the end of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 1, "how often; 0: until SIGTERM, which lets the round end")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("azure-life: give the vault's URL")
	}
	if err := run(flag.Arg(0), *rounds); err != nil {
		log.Fatal("azure-life: ", err)
	}
}

func run(url string, rounds int) error {
	v, err := open(url)
	if err != nil {
		return err
	}
	stopped, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for i := 1; (rounds == 0 || i <= rounds) && stopped.Err() == nil; i++ {
		if err := v.round(); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		fmt.Printf("round %d: two keys and a secret lived\n", i)
	}
	return nil
}

// A vault is a vault by its two clients.
type vault struct {
	keys    *azkeys.Client
	secrets *azsecrets.Client
}

func open(url string) (v vault, err error) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return v, err
	}
	if v.keys, err = azkeys.NewClient(url, credential, nil); err != nil {
		return v, err
	}
	v.secrets, err = azsecrets.NewClient(url, credential, nil)
	return v, err
}

func (v vault) round() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for _, life := range []struct {
		of   string
		live func(context.Context) error
	}{
		{"a key that rotates", v.rotatingKey}, {"a key that is imported", v.importedKey},
		{"a secret", v.secret},
	} {
		if err := life.live(ctx); err != nil {
			return fmt.Errorf("%s: %w", life.of, err)
		}
	}
	return nil
}

// settled asks until the answer is another than status: Azure deletes, recovers and purges in its
// own time.
func settled(ctx context.Context, status int, ask func() error) error {
	for {
		err := ask()
		if !answers(err, status) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(2 * time.Second):
		}
	}
}

func answers(err error, status int) bool {
	var response *azcore.ResponseError
	return errors.As(err, &response) && response.StatusCode == status
}

// gone says what is wrong where something is still there.
func gone(err error) error {
	switch {
	case answers(err, http.StatusNotFound):
		return nil
	case err == nil:
		return errors.New("it is still there")
	default:
		return err
	}
}

// steps runs one after the other and says which went wrong.
func steps(all ...step) error {
	for _, s := range all {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

type step struct {
	name string
	do   func() error
}
