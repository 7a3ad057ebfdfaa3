package console

import "time"

// TimeText is how a time is printed: RFC 3339, UTC.
func TimeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// TimeOrNot is a cell for a time that there may not be.
func TimeOrNot(t *time.Time) string {
	if t == nil {
		return ""
	}
	return TimeText(*t)
}
