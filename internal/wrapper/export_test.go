package wrapper

import "net/http"

// Through has the key of a vault be reached by a client that finds the vault and trusts it.
func Through(key Key, client *http.Client) Key {
	k := key.(keyVault)
	k.http = client
	return k
}

// DecodeAnswer reads what a helper answers.
var DecodeAnswer = decodeAnswer
