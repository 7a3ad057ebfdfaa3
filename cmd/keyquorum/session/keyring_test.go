package session

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestAMuteKeyringIsNotWaitedForForEver: the library has no time-out of its own.
func TestAMuteKeyringIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silence := make(chan bool)
		defer close(silence)
		begun := time.Now()
		_, err := patiently(func() (string, error) { <-silence; return "late", nil })
		if !errors.Is(err, errMute) || time.Since(begun) != keyringPatience {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		text, err := patiently(func() (string, error) {
			time.Sleep(keyringPatience - time.Second)
			return "in time", nil
		})
		if text != "in time" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}
