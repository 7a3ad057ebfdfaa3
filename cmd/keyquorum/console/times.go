package console

import (
	"fmt"
	"time"
)

// TimeText is how a time is printed: RFC 3339, UTC.
func TimeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// TimeOrNot is a cell for a time that there may not be.
func TimeOrNot(t *time.Time) string {
	if t == nil {
		return ""
	}
	return TimeText(*t)
}

// DayOrNot is a cell for a time of which the day is enough, and that there may not be.
func DayOrNot(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// Ago is a time as people say it, seen from now: "3 minutes ago", "in 2 days"; "" for none.
func Ago(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	d := now.Sub(*t)
	if d < 0 {
		return "in " + span(-d)
	}
	if d < time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span is a length of time in its largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"day", day}, {"hour", time.Hour},
		{"minute", time.Minute}} {
		if d >= unit.length {
			return plural(int(d.Round(unit.length)/unit.length), unit.name)
		}
	}
	return plural(int(d/time.Second), "second")
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// ParseTime reads a time as it is typed: RFC 3339, a date, or a length of time from now (30d,
// 720h).
func ParseTime(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	var days int
	var unit string
	if n, _ := fmt.Sscanf(text, "%d%s", &days, &unit); n == 2 && unit == "d" {
		return now.AddDate(0, 0, days), nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	return time.Time{}, fmt.Errorf(
		"%q is no time: it is 2027-01-31, 2027-01-31T12:00:00Z, 30d or 720h (from now)", text)
}
