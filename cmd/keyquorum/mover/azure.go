package mover

import (
	"errors"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

const azureHelp = `Move secrets out of a vault that speaks Azure Key Vault's API: Azure itself, or
another Keyquorum. The source is its URL, or the name of a vault of Azure's
(NAME.vault.azure.net).

Two callers are needed. The destination's is that of AZURE_CLIENT_ID and the
other variables, as for keyquorum secret. The source's has the same variables
with FROM_ in front:

  FROM_AZURE_TENANT_ID        adfs, with another Keyquorum
  FROM_AZURE_CLIENT_ID
  FROM_AZURE_CLIENT_SECRET    or FROM_AZURE_CLIENT_CERTIFICATE_PATH (PEM)
  FROM_AZURE_AUTHORITY_HOST   default Microsoft's
  FROM_KEYQUORUM_CACERT       authority to trust; default the system's

With --from-credential=azure-cli it is whoever has done az login. It needs get
and list on secrets, and list on keys.

A secret keeps its name, its content type, its times and its tags; its versions
get new ids. Versions that are disabled can't be read, so they stay behind, and
so does a secret whose newest version is disabled. Keys do not come out of such
a vault: the plan names them and says what to do. With --new-keys a new key of
the same kind is made for each, with its rotation policy.`

// fromPrefix stands before the names of the variables that say who calls the source.
const fromPrefix = "FROM_"

// azureFlags are those of `import azure` alone.
type azureFlags struct {
	from       string
	caCert     string
	credential string
	newKeys    bool
}

const (
	byEnvironment = "environment"
	byAzureCLI    = "azure-cli"
)

func azureCommand(settings *session.Settings) *cobra.Command {
	var w wanted
	var f azureFlags
	c := &cobra.Command{
		Use: "azure --from URL|NAME", Args: console.Arguments(0, 0), Long: azureHelp,
		Short: "Move secrets from Azure Key Vault, or from another Keyquorum",
		Example: "  keyquorum import azure --from payments --from-credential=azure-cli \\\n" +
			"      --vault payments\n" +
			"  keyquorum import azure --from https://payments.vault.other.org:8200 \\\n" +
			"      --from-ca-cert other-ca.pem --vault payments --apply",
		DisableFlagsInUseLine: true,
	}
	c.Flags().StringVar(&f.from, "from", "",
		"vault to move from: its URL, or the name of one of Azure's")
	c.Flags().StringVar(&f.caCert, "from-ca-cert", "",
		"PEM file to trust for the source (else FROM_KEYQUORUM_CACERT, else the system's roots)")
	console.ChoiceFlag(c, &f.credential, "from-credential",
		"who calls the source: the FROM_AZURE_… variables, or whoever has done az login",
		byEnvironment, byAzureCLI)
	c.Flags().BoolVar(&f.newKeys, "new-keys", false,
		"make a new key of the same kind for each key there")
	w.bind(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return w.run(c, settings, func() (source, error) { return f.open(w) })
	}
	return c
}

func (f azureFlags) open(w wanted) (source, error) {
	places, err := f.places()
	if err != nil {
		return nil, err
	}
	caCert := f.caCert
	if caCert == "" {
		caCert = os.Getenv(fromPrefix + "KEYQUORUM_CACERT")
	}
	vault, err := session.Other{Flag: "--from", CACertFlag: "--from-ca-cert", Prefix: fromPrefix,
		Places: places, CACert: caCert, Credential: f.caller}.Vault()
	if err != nil {
		return nil, err
	}
	return newAzureSource(vault, w, f.newKeys)
}

// places are the source's URLs, one for each of its nodes where several are given.
func (f azureFlags) places() (reference.Places, error) {
	switch {
	case f.from == "":
		return nil, errors.New("from where? Say --from with the URL of a vault, " +
			"or with the name of one of Azure's")
	case reference.IsVaultName(f.from):
		return reference.ParsePlaces("https://" + f.from + ".vault.azure.net")
	}
	places, err := reference.ParsePlaces(f.from)
	if err != nil {
		return nil, fmt.Errorf("--from: %w; or the name of one of Azure's", err)
	}
	return places, nil
}

// caller is who calls the source.
func (f azureFlags) caller(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	if f.credential == byAzureCLI {
		return azidentity.NewAzureCLICredential(nil)
	}
	get := func(name string) string { return os.Getenv(fromPrefix + "AZURE_" + name) }
	if host := get("AUTHORITY_HOST"); host != "" {
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: host}
	}
	tenant, id := get("TENANT_ID"), get("CLIENT_ID")
	secret, certificate := get("CLIENT_SECRET"), get("CLIENT_CERTIFICATE_PATH")
	switch {
	case tenant == "" || id == "" || secret == "" && certificate == "":
		return nil, errors.New("who calls the source? Set FROM_AZURE_TENANT_ID (adfs, with a " +
			"Keyquorum), FROM_AZURE_CLIENT_ID and FROM_AZURE_CLIENT_SECRET, " +
			"or say --from-credential=azure-cli")
	case secret != "":
		return azidentity.NewClientSecretCredential(tenant, id, secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
	}
	return byCertificate(tenant, id, certificate, options)
}

func byCertificate(
	tenant, id, file string, options azcore.ClientOptions,
) (azcore.TokenCredential, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("FROM_AZURE_CLIENT_CERTIFICATE_PATH: %w", err)
	}
	defer clear(text)
	chain, key, err := azidentity.ParseCertificates(text, nil)
	if err != nil {
		return nil, errors.New("FROM_AZURE_CLIENT_CERTIFICATE_PATH: " +
			"the file holds no certificate with a key that is not encrypted")
	}
	return azidentity.NewClientCertificateCredential(tenant, id, chain, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: options})
}
