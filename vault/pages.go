package vault

import "encoding/base64"

// A listing is one of the three that a collection has.
type listing byte

const (
	listLive     listing = 'l'
	listDeleted  listing = 'd'
	listVersions listing = 'v'
)

// A page token is where the next page starts: base64url of
//
//	0x01 ‖ first letter of the collection ‖ listing ‖ the last folded name or version that was looked at
//
// It holds nothing that the page before it did not show or pass, so it isn't sealed; it is opened
// strictly, because it comes from a stranger, and whatever it says only moves the start of a
// listing that the caller may read anyway.
const (
	pageTokenVersion = 0x01
	maxPageToken     = 192
)

// strictBase64 is base64url without padding (RFC 4648 section 5) whose unused last bits are zero.
// It still skips line ends.
var strictBase64 = base64.RawURLEncoding.Strict()

func pageToken(kind string, l listing, last string) string {
	b := append([]byte{pageTokenVersion, kind[0], byte(l)}, last...)
	return strictBase64.EncodeToString(b)
}

// open checks the request and returns the name or version to go on after, "" for the first page.
func (p PageRequest) open(kind string, l listing) (after string, err error) {
	if p.Max < 1 || p.Max > maxPage {
		return "", badParameter("maxresults must be from 1 to 25.")
	}
	if p.After == "" {
		return "", nil
	}
	after, ok := openPageToken(kind, l, p.After)
	if !ok {
		return "", badParameter("$skiptoken is not one that this listing gave.")
	}
	return after, nil
}

func openPageToken(kind string, l listing, token string) (after string, ok bool) {
	if len(token) > maxPageToken {
		return "", false
	}
	b, err := strictBase64.DecodeString(token)
	if err != nil || len(b) < 4 || b[0] != pageTokenVersion || b[1] != kind[0] || listing(b[2]) != l {
		return "", false
	}
	after = string(b[3:])
	if pageToken(kind, l, after) != token { // DecodeString skips line ends
		return "", false
	}
	if l == listVersions {
		return after, validVersion(after)
	}
	return after, validName(after) && fold(after) == after
}
