package httpapi

import "keyquorum/vault"

// valueRequest is the body of a restore: what a backup answered.
type valueRequest struct{ value []byte }

func (q *valueRequest) member(name, value []byte) error {
	if string(name) == "value" {
		return binaryValue("value", value, &q.value)
	}
	return nil
}

func backupKey(c *call, _ *none) ([]byte, error) {
	return c.vaults.BackupKey(c.ctx, c.caller, c.params[0])
}

func restoreKey(c *call, q *valueRequest) (vault.Key, error) {
	return c.vaults.RestoreKey(c.ctx, c.caller, q.value)
}

func backupSecret(c *call, _ *none) ([]byte, error) {
	return c.vaults.BackupSecret(c.ctx, c.caller, c.params[0])
}

func restoreSecret(c *call, q *valueRequest) (vault.Secret, error) {
	return c.vaults.RestoreSecret(c.ctx, c.caller, q.value)
}

// writeValue answers with bytes; they are cleared when they have been copied.
func writeValue(c *call, value *[]byte) error {
	*c.out = append(appendBinary(append(*c.out, `{"value":`...), *value), '}')
	clear(*value)
	return nil
}

// countRequest is the body of a request for random bytes.
type countRequest struct{ count int }

func (q *countRequest) member(name, value []byte) error {
	if string(name) == "count" {
		return smallInt("count", value, &q.count)
	}
	return nil
}

func randomBytes(c *call, q *countRequest) ([]byte, error) {
	return c.vaults.RandomBytes(c.ctx, c.caller, q.count)
}
