package debug

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// spellings are how a text may stand in a file: as it is, or as an error quotes it, and each of
// them in JSON, with and without the escapes for HTML. "" stands nowhere.
func spellings(text string) (all []string) {
	if text == "" {
		return nil
	}
	for _, s := range []string{text, inner(strconv.Quote(text))} {
		all = append(all, s, inJSON(s, true), inJSON(s, false))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func inJSON(text string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(text) // a string, into memory
	return inner(strings.TrimSuffix(b.String(), "\n"))
}

// inner is what is between the quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// holds says whether one of the values stands in one of the texts, however it is spelt there.
func holds(values []string, texts ...string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		return slices.ContainsFunc(spellings(value), func(spelt string) bool {
			return slices.ContainsFunc(texts, func(text string) bool {
				return strings.Contains(text, spelt)
			})
		})
	})
}
