package throttle_test

import (
	"fmt"
	"testing"
	"time"

	"keyquorum/httpapi/throttle"
)

// However many applications and vaults there are, a bounded number of buckets is kept; one in use
// is not forgotten.
func TestBucketsAreBounded(t *testing.T) {
	b := throttle.New(throttle.Limit{Rate: 0.001, Burst: 3})
	now := time.Now()
	take := func(application string) bool {
		return b.Take(throttle.Who{OID: application, Vault: "v"}, now,
			func(string) bool { return true })
	}
	for range 3 {
		take("busy")
	}
	for i := range 3 * throttle.MaxBuckets {
		take(fmt.Sprint("app", i))
		if i%1000 == 0 && take("busy") {
			t.Fatalf("after %d others a bucket in use was forgotten", i)
		}
	}
	if n := b.Len(); n > 2*throttle.MaxBuckets {
		t.Errorf("%d buckets are kept", n)
	}
}
