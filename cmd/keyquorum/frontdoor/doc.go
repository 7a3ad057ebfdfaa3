// Package frontdoor holds the tests of what people do with secrets and keys: secret, key, login,
// logout and run, each as a process of the built program against real clusters with real TLS. It
// knows the program by its command line alone, and is no part of the product.
package frontdoor
