package wire

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Query returns the first value of a query parameter. Names may be escaped too ("api%2Dversion",
// from JavaScript), and written in capitals, as Azure takes them. name is lower case.
func Query(raw, name string) string {
	for pair := range strings.SplitSeq(raw, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if !EqualFold(k, name) {
			if strings.IndexByte(k, '%') < 0 {
				continue
			}
			if k, err := url.QueryUnescape(k); err != nil || !EqualFold(k, name) {
				continue
			}
		}
		if v, err := url.QueryUnescape(v); err == nil {
			return v
		}
	}
	return ""
}

// QueryBool reads a query parameter that is yes or no, as Vault does (strconv.ParseBool); false
// where it is missing or empty. Anything else is refused, lest a slip pass for no.
func QueryBool(raw, name string) (bool, error) {
	v := Query(raw, name)
	if v == "" {
		return false, nil
	}
	yes, err := strconv.ParseBool(v)
	if err != nil {
		return false, Refuse(http.StatusBadRequest, "", "bad value for "+name+": it is true or false")
	}
	return yes, nil
}
