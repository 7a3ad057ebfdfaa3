package azure_test

import (
	"testing"

	"keyquorum/httpapi/azure"
	"keyquorum/httpapi/throttle"
)

// What each request pays for being counted, and for a bucket that is never empty.
func BenchmarkCounting(b *testing.B) {
	b.ReportAllocs()
	request := azure.Counting(throttle.Limit{Rate: 1e9, Burst: 1 << 30})
	for b.Loop() {
		request()
	}
}

func TestCountingTakesNoMemory(t *testing.T) {
	if n := testing.AllocsPerRun(100,
		azure.Counting(throttle.Limit{Rate: 1e9, Burst: 1 << 30})); n != 0 {
		t.Errorf("counting and throttling a request takes %v allocations", n)
	}
}
