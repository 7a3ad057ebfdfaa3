#!/bin/sh
# A CI job in a shell: it starts a vault in memory, seeds it, runs a program of each SDK that this
# machine has, and leaves nothing behind. Call it in the root of a checkout. The programs are taken
# from KEYQUORUM and AZURE_APP where these are set, else they are built.
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
end() {
	if [ -n "${KEYQUORUM_DEV_DIR:-}" ]; then "$keyquorum" dev stop; fi
	rm -rf "$work"
}
unset KEYQUORUM_DEV_DIR
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

build() { CGO_ENABLED=0 GOEXPERIMENT=runtimesecret go build -o "$work/" "$1"; }
keyquorum=${KEYQUORUM:-$work/keyquorum}
azure_app=${AZURE_APP:-$work/azure-app}
[ -x "$keyquorum" ] || build ./cmd/keyquorum
[ -x "$azure_app" ] || build ./examples/azure-app

environment=$("$keyquorum" dev --memory --nodes=1 --port=0 --detach --seed="$here/seed.json")
eval "$environment"

# page LANGUAGE FILE writes the program that a page shows.
page() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$here/../../docs/$2" | sed '1d;$d'; }

echo "Go:"
"$keyquorum" dev exec -- "$azure_app"

echo "JavaScript:"
if ! command -v node >/dev/null; then
	echo "skipped: there is no node"
elif ! [ -d node_modules/@azure/identity ] || ! [ -d node_modules/@azure/keyvault-keys ] ||
	! [ -d node_modules/@azure/keyvault-secrets ]; then
	echo "skipped: no node_modules here with @azure/identity, @azure/keyvault-keys, @azure/keyvault-secrets"
else
	ln -s "$PWD/node_modules" "$work/node_modules" # modules are looked for beside the program
	page js apps-javascript.md >"$work/hello.mjs"
	"$keyquorum" dev exec -- node "$work/hello.mjs" "$KEYQUORUM_VAULT_URLS"
fi

echo "Python:"
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
	echo "skipped: there is no python3"
elif ! "$python" -c 'import azure.identity, azure.keyvault.keys, azure.keyvault.secrets' 2>/dev/null; then
	echo "skipped: python3 finds no azure-identity, azure-keyvault-keys and azure-keyvault-secrets"
else
	page python apps-python.md >"$work/hello.py"
	"$keyquorum" dev exec -- "$python" "$work/hello.py" "$KEYQUORUM_VAULT_URLS"
fi

echo "The seed:"
"$keyquorum" dev exec -- "$keyquorum" secret show db-password -field=value \
	--vault "$(echo "$KEYQUORUM_VAULT_URLS" | sed 's|//[^.]*|//payments|')" >/dev/null
echo "db-password is there"
