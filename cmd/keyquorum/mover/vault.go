package mover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/session"
)

const vaultHelp = `Move secrets and keys out of one mount of a HashiCorp Vault or an OpenBao: KV of
version 1 or 2, or transit. Which of them a mount is, the server is asked.

The source's token is in BAO_TOKEN or VAULT_TOKEN, and in no flag. BAO_ADDR,
BAO_CACERT and BAO_NAMESPACE count too, and the same with VAULT_; with FROM_ in
front, as in FROM_VAULT_TOKEN, they go before the others. The token needs read
and list below the mount, for transit read on export/* too. The destination's
caller is that of AZURE_CLIENT_ID and the other variables, as
for keyquorum secret; KEYQUORUM_CACERT is for the destination alone.

KV: each field of a secret becomes a secret, called by its path below --path
and by the field, where whatever is no letter, digit or hyphen becomes a
hyphen: field password of apps/db is apps-db-password. With --json each path
becomes one secret that holds the fields as JSON. Versions of KV v2 come
oldest first; those that were deleted or destroyed can't be read. Custom
metadata becomes tags. The plan reads the values, since fields and sizes can't
be seen without, and keeps none.

transit: exportable keys come with all versions that can be exported: RSA, EC
on P-256, P-384 and P-521, AES of 128 and 256 bits, HMAC of 128, 192 and 256.
The plan names the others.`

// vaultFlags are those of `import vault` alone.
type vaultFlags struct {
	address string
	caCert  string
	mount   string
	path    string
	engine  string
	whole   bool
}

// What a mount can be; asked is to be asked for.
const (
	asked   = "ask"
	kv1     = "kv-v1"
	kv2     = "kv-v2"
	transit = "transit"
)

func vaultCommand(settings *session.Settings) *cobra.Command {
	var w wanted
	var f vaultFlags
	c := &cobra.Command{
		Use: "vault --mount MOUNT", Args: console.Arguments(0, 0), Long: vaultHelp,
		Short: "Move secrets and keys from HashiCorp Vault or OpenBao",
		Example: "  keyquorum import vault --address https://bao.example.org:8200 \\\n" +
			"      --mount secret --path apps/billing --vault billing\n" +
			"  keyquorum import vault --mount transit --vault billing --apply",
		DisableFlagsInUseLine: true,
	}
	flags := c.Flags()
	flags.StringVar(&f.address, "address", "", "server to move from (else BAO_ADDR, VAULT_ADDR)")
	flags.StringVar(&f.caCert, "from-ca-cert", "",
		"PEM file to trust for the source (else BAO_CACERT, VAULT_CACERT, else the system's roots)")
	flags.StringVar(&f.mount, "mount", "", "mount to move, such as secret or transit")
	flags.StringVar(&f.path, "path", "", "of KV, move what is below this path; names begin after it")
	flags.BoolVar(&f.whole, "json", false,
		"of KV, make one secret of each path, with its fields as JSON")
	console.ChoiceFlag(c, &f.engine, "engine",
		"what the mount is, where the token may not ask", asked, kv1, kv2, transit)
	w.bind(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return w.run(c, settings, func() (source, error) { return f.open(c.Context(), w) })
	}
	return c
}

func (f vaultFlags) open(ctx context.Context, w wanted) (source, error) {
	mount, path := strings.Trim(f.mount, "/"), strings.Trim(f.path, "/")
	if mount == "" {
		return nil, errors.New("which mount? Say --mount, as in --mount secret; bao secrets list shows " +
			"what there is")
	}
	for _, name := range strings.Split(mount+"/"+path, "/") {
		if name == "." || name == ".." {
			return nil, fmt.Errorf("--mount %q, --path %q: no part of it is %s", f.mount, f.path, name)
		}
	}
	client, err := newVaultClient(f.address, f.caCert)
	if err != nil {
		return nil, err
	}
	engine := f.engine
	if engine == asked {
		if engine, err = client.engine(ctx, mount); err != nil {
			return nil, err
		}
	}
	if engine == transit {
		if path != "" || f.whole {
			return nil, fmt.Errorf("%s is a transit mount: --path and --json are for KV", mount)
		}
		return &transitSource{c: client, w: w, mount: mount}, nil
	}
	return &kvSource{c: client, w: w, mount: mount, path: path, whole: f.whole,
		versioned: engine == kv2}, nil
}

// engine asks what a mount is, by the call that bao kv and vault kv make first.
func (c *vaultClient) engine(ctx context.Context, mount string) (string, error) {
	var data struct {
		Path    string            `json:"path"`
		Type    string            `json:"type"`
		Options map[string]string `json:"options"`
	}
	err := c.get(ctx, &data, "", "sys", "internal", "ui", "mounts", mount)
	if s := status(err); s == http.StatusForbidden || s == http.StatusNotFound ||
		s == http.StatusBadRequest {
		return "", fmt.Errorf("%w; is there no mount %s, or may the token not see it? bao secrets list "+
			"shows them; or say with --engine what it is", err, mount)
	}
	if err != nil {
		return "", err
	}
	if found := strings.Trim(data.Path, "/"); found != mount {
		return "", fmt.Errorf("the mount is %s: say --mount %s --path %s", shown(found), shown(found),
			strings.TrimPrefix(mount, found+"/"))
	}
	switch {
	case data.Type == transit:
		return transit, nil
	case data.Type == "kv" && data.Options["version"] == "2":
		return kv2, nil
	case data.Type == "kv", data.Type == "generic":
		return kv1, nil
	}
	return "", fmt.Errorf("mount %s is of type %s: kv and transit can be moved", mount,
		shown(data.Type))
}

// name is the source in what is printed.
func (c *vaultClient) name(mount string) string { return c.base + "/v1/" + c.path(mount) }

// path is a path with the namespace that it is in.
func (c *vaultClient) path(parts ...string) string {
	if namespace := strings.Trim(c.namespace, "/"); namespace != "" {
		parts = append([]string{namespace}, parts...)
	}
	return vaultPath(parts...)
}
