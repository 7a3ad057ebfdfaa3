package vault

import (
	"strings"
	"time"
)

// A period is an ISO 8601 duration of whole days or more (ISO 8601-1 section 5.5.2).
type period struct{ years, months, d int }

// maxPeriod bounds each of a period's numbers.
const maxPeriod = 9999

// parsePeriod reads "P1Y2M3D", "P4W" and the like; "" is the zero period.
func parsePeriod(property, s string) (p period, err error) {
	if s == "" {
		return p, nil
	}
	rest, ok := strings.CutPrefix(s, "P")
	units := "YMWD"
	for ok && rest != "" {
		digits := 0
		n := 0
		for digits < len(rest) && digit(rest[digits]) && n <= maxPeriod {
			n = 10*n + int(rest[digits]-'0')
			digits++
		}
		if digits == 0 || digits == len(rest) || n > maxPeriod {
			return p, badProperty(property)
		}
		at := strings.IndexByte(units, rest[digits])
		if at < 0 {
			return p, badProperty(property)
		}
		p.add(units[at], n)
		units, rest = units[at+1:], rest[digits+1:]
	}
	if !ok || len(s) < 3 {
		return p, badProperty(property)
	}
	return p, nil
}

func (p *period) add(unit byte, n int) {
	switch unit {
	case 'Y':
		p.years += n
	case 'M':
		p.months += n
	case 'W':
		p.d += 7 * n
	default:
		p.d += n
	}
}

// days is the length that rules are held to: years of 365 days, months of 30.
func (p period) days() int { return 365*p.years + 30*p.months + p.d }

func (p period) after(t time.Time) time.Time  { return t.UTC().AddDate(p.years, p.months, p.d) }
func (p period) before(t time.Time) time.Time { return t.UTC().AddDate(-p.years, -p.months, -p.d) }
