package testcluster_test

import (
	"testing"
	"testing/synctest"

	"keyquorum/testcluster"
)

// bubble runs a test on fake time.
func bubble(t *testing.T, n int, test func(t *testing.T, c *testcluster.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, testcluster.New(t, n)) })
}
