package session

import (
	"errors"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// credential is who calls: what Azure's environment variables say, in the order in which the SDKs
// read them, else whoever has logged in. Nothing else is tried, so that nobody waits for what is
// not there.
func (s *Session) credential(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	switch {
	case os.Getenv("AZURE_CLIENT_SECRET") != "" || os.Getenv("AZURE_CLIENT_CERTIFICATE_PATH") != "":
		if os.Getenv("AZURE_CLIENT_ID") == "" || os.Getenv("AZURE_TENANT_ID") == "" {
			return nil, errors.New(
				"the environment names an application's secret, and not all of the rest: " +
					"set AZURE_CLIENT_ID and AZURE_TENANT_ID too (adfs, with a Keyquorum)",
			)
		}
		return azidentity.NewEnvironmentCredential(
			&azidentity.EnvironmentCredentialOptions{ClientOptions: options},
		)
	case os.Getenv("AZURE_FEDERATED_TOKEN_FILE") != "":
		return azidentity.NewWorkloadIdentityCredential(
			&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: options})
	case os.Getenv("IDENTITY_ENDPOINT") != "" || os.Getenv("MSI_ENDPOINT") != "":
		managed := azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
		if id := os.Getenv("AZURE_CLIENT_ID"); id != "" {
			managed.ID = azidentity.ClientID(id)
		}
		return azidentity.NewManagedIdentityCredential(&managed)
	case s.login != nil:
		return s.login.credential(options)
	}
	return nil, errors.New(
		"who calls? Set AZURE_AUTHORITY_HOST, AZURE_TENANT_ID, AZURE_CLIENT_ID and " +
			"AZURE_CLIENT_SECRET, or run keyquorum login",
	)
}

// credential is that of whoever has logged in.
func (l *Login) credential(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	if l.Authority != "" {
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: l.Authority}
	}
	return azidentity.NewClientSecretCredential(l.Tenant, l.ClientID, l.Secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
}
