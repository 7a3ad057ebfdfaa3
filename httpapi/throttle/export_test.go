package throttle

// What tests from outside may look at.

const MaxBuckets = maxBuckets

// Len is how many buckets are kept.
func (b *Buckets) Len() int { return len(b.young) + len(b.old) }
