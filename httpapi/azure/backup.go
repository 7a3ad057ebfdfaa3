package azure

import (
	"context"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// valueRequest is the body of a restore: what a backup answered.
type valueRequest struct{ value []byte }

func (q *valueRequest) Member(name, value []byte) error {
	if string(name) == "value" {
		return binaryValue("value", value, &q.value)
	}
	return wire.ErrUnknownMember
}

func backupKey(c *call, _ *exchange.None) ([]byte, error) {
	return c.backup(c.Vaults.BackupKey)
}

func restoreKey(c *call, q *valueRequest) (vault.Key, error) {
	return c.Vaults.RestoreKey(c.Ctx, c.caller, q.value)
}

func backupSecret(c *call, _ *exchange.None) ([]byte, error) {
	return c.backup(c.Vaults.BackupSecret)
}

// maxBackups is how many backups are made at once: each may take some 20 MiB of memory several
// times over, and nobody knows before it is made. One that turns out small leaves its place at
// once, a large one when it is answered.
const maxBackups = 2

func (c *call) backup(make func(context.Context, vault.Caller, string) ([]byte, error)) ([]byte,
	error) {
	select {
	case c.plane.backups <- struct{}{}:
		c.Occupy(c.plane.backups)
	case <-c.Ctx.Done():
		f := wire.Unavailable("Too many backups are being made.")
		f.Early = true
		return nil, f
	}
	blob, err := make(c.Ctx, c.caller, c.Params[0])
	if len(blob) <= exchange.SmallBody {
		c.LeaveRoom()
	}
	return blob, err
}

func restoreSecret(c *call, q *valueRequest) (vault.Secret, error) {
	return c.Vaults.RestoreSecret(c.Ctx, c.caller, q.value)
}

// writeValue answers with bytes; they are cleared when they have been copied.
func writeValue(c *call, value *[]byte) error {
	*c.Out = append(wire.AppendBinary(append(*c.Out, `{"value":`...), *value), '}')
	clear(*value)
	return nil
}

// countRequest is the body of a request for random bytes.
type countRequest struct{ count int }

func (q *countRequest) Member(name, value []byte) error {
	if string(name) == "count" {
		return smallInt("count", value, &q.count)
	}
	return wire.ErrUnknownMember
}

func randomBytes(c *call, q *countRequest) ([]byte, error) {
	return c.Vaults.RandomBytes(c.Ctx, c.caller, q.count)
}
