package azure

import (
	"net/url"
	"strconv"

	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// pageSize is Azure's default, and the most that may be asked for.
const pageSize = 25

// page reads what a listing was asked for.
func (c *call) page() (vault.PageRequest, error) {
	p := vault.PageRequest{After: wire.Query(c.R.URL.RawQuery, "$skiptoken"), Max: pageSize}
	if m := wire.Query(c.R.URL.RawQuery, "maxresults"); m != "" {
		n, err := strconv.Atoi(m)
		if err != nil || n < 1 || n > pageSize {
			return p, wire.BadParameter("maxresults must be between 1 and 25.")
		}
		p.Max = n
	}
	return p, nil
}

// writePage answers a listing. nextLink is absolute, at the authority that the client used: it is
// called verbatim.
func writePage[T any](c *call, p *vault.Page[T], item func([]byte, *T) []byte) error {
	dst := append(*c.Out, `{"value":[`...)
	for i := range p.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item(dst, &p.Items[i])
	}
	dst = append(dst, `],"nextLink":`...)
	if p.Next == "" {
		dst = append(dst, "null"...)
	} else {
		dst = wire.AppendString(dst, c.nextLink(p.Next))
	}
	*c.Out = append(dst, '}')
	return nil
}

func (c *call) nextLink(token string) string {
	link := "https://" + c.place.Authority + c.R.URL.EscapedPath() + "?api-version=" +
		url.QueryEscape(c.version) +
		"&$skiptoken=" + url.QueryEscape(token)
	if m := wire.Query(c.R.URL.RawQuery, "maxresults"); m != "" {
		link += "&maxresults=" + url.QueryEscape(m)
	}
	return link
}
