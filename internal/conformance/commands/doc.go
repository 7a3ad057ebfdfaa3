// Package commands tests the operator plane with the two clients that bao and vault are built on,
// OpenBao's and HashiCorp's Go modules. It has no code of its own.
//
// There is a list of what their commands call, in order, and of what each call must be answered
// (rows_*_test.go). Every row is played at the leader and at a follower, with the token, with a
// wrong one and with none, and at the same nodes when they are sealed. What Keyquorum does not have
// is in the list too: it must be refused in words. make conformance prints the list as a table, and
// docs/vault-commands.md has it.
package commands
