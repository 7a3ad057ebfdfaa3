package vault

import "encoding/hex"

// Paths of the domain's records (decision 20). Names in them are folded, so that two spellings are
// one path:
//
//	sys/token-keys                                  keys that sign access tokens
//	token/<64 hex>                                  an operator's token, by its SHA-256
//	app/<client id>                                 a principal
//	appname/<folded name>                           its client id
//	vaultname/<folded name>                         a vault: id and settings
//	vault/<id>/access/<oid>                         what a principal may do there
//	vault/<id>/secret/<folded name>                 an object's head; keys likewise
//	vault/<id>/secret/<folded name>/version/<32 hex>
//
// What belongs to a vault lies below vault/<id>/, what belongs to an object below its head: a purge
// removes the whole of that.
const (
	tokenKeysPath = "sys/token-keys"
	tokenDir      = "token/"
	appDir        = "app/"
	appNameDir    = "appname/"
	vaultNameDir  = "vaultname/"
)

func vaultNamePath(folded string) string    { return vaultNameDir + folded }
func vaultDir(vaultID string) string        { return "vault/" + vaultID + "/" }
func appPath(clientID string) string        { return appDir + clientID }
func appNamePath(folded string) string      { return appNameDir + folded }
func accessDir(vaultID string) string       { return "vault/" + vaultID + "/access/" }
func accessPath(vaultID, oid string) string { return "vault/" + vaultID + "/access/" + oid }
func headDir(vaultID, kind string) string   { return "vault/" + vaultID + "/" + kind + "/" }

func headPath(vaultID, kind, folded string) string {
	return "vault/" + vaultID + "/" + kind + "/" + folded
}

func versionDir(head string) string           { return head + "/version/" }
func versionPath(head, version string) string { return head + "/version/" + version }
func tokenPath(sum [32]byte) string           { return tokenDir + hex.EncodeToString(sum[:]) }

// validName says whether name may name a key or a secret: ^[0-9a-zA-Z-]{1,127}$, and not "restore",
// which the API uses as a path.
func validName(name string) bool {
	if len(name) < 1 || len(name) > 127 {
		return false
	}
	for i := range len(name) {
		if !letter(name[i]) && !digit(name[i]) && name[i] != '-' {
			return false
		}
	}
	return fold(name) != "restore"
}

// validVersion says whether version has the form of one: ^[0-9a-f]{32}$.
func validVersion(version string) bool {
	if len(version) != 32 {
		return false
	}
	for i := range len(version) {
		if !digit(version[i]) && (version[i] < 'a' || version[i] > 'f') {
			return false
		}
	}
	return true
}

// validVaultName: 3 to 24 characters, a folded letter first, a letter or digit last, no two hyphens
// in a row.
func validVaultName(name string) bool {
	if len(name) < 3 || len(name) > 24 || !letter(name[0]) || name[len(name)-1] == '-' {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '-':
			if name[i-1] == '-' {
				return false
			}
		case !digit(c) && (c < 'a' || c > 'z'):
			return false
		}
	}
	return true
}

// validAppName: 1 to 64 letters, digits, '-', '_' and '.', a letter or digit first.
func validAppName(name string) bool {
	if len(name) < 1 || len(name) > 64 || !letter(name[0]) && !digit(name[0]) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !letter(c) && !digit(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// fold maps ASCII letters to lower case; it copies only what has to change.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= 'A' && name[i] <= 'Z' {
			return foldFrom(name, i)
		}
	}
	return name
}

func foldFrom(name string, i int) string {
	b := []byte(name)
	for ; i < len(b); i++ {
		if b[i] >= 'A' && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}
