package uuid_test

import (
	"regexp"
	"testing"

	"keyquorum/internal/uuid"
)

func TestNew(t *testing.T) {
	form := regexp.MustCompile("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
	a, b := uuid.New(), uuid.New()
	if a == b || !form.MatchString(a) || !form.MatchString(b) {
		t.Errorf("%s and %s", a, b)
	}
}
