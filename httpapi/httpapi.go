// Package httpapi turns HTTP into calls of node and vault, and errors into answers. Nothing else.
package httpapi

import (
	"net/http"

	"keyquorum/node"
)

// A Zone is a domain under which each vault has a host, and the host that issues its tokens.
type Zone struct {
	Suffix string // "vault.localhost": vault demo is demo.vault.localhost
	Login  string // "login.localhost"
}

// Config of the two planes.
type Config struct {
	Zones []Zone
}

// New returns the handler for a node's API listener.
func New(n *node.Node, c Config) http.Handler { panic("not built yet") }
