package vault

import (
	"context"
	"crypto/rand"
)

// maxRandom is Azure's bound of what one call gives, in bytes.
const maxRandom = 128

// randomBytes is for whoever may do anything with keys. Azure's access policies have no permission
// for it; in a Managed HSM those roles have it that use keys.
var randomBytes = verb{operation: "rng", unnamed: true, any: everyKeys}

// RandomBytes gives 1 to 128 bytes of the operating system's generator.
func (v *Vaults) RandomBytes(ctx context.Context, c Caller, count int) ([]byte, error) {
	return perform(ctx, v, c, randomBytes, target{}, func(d *decision) ([]byte, error) {
		if count < 1 || count > maxRandom {
			return nil, badParameter("Property count must be from 1 to 128.")
		}
		b := make([]byte, count)
		rand.Read(b) // never fails
		return b, nil
	})
}
