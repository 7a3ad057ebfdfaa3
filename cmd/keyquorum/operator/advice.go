package operator

import "strings"

// advice is what to do about a refusal whose own words leave that open: they are those that clients
// of Vault and OpenBao look for, or are said where nobody knows of commands.
var advice = []struct{ said, next string }{
	{"No leader of the cluster could be reached", noLeader},
	{"no leader with a majority could be reached", noLeader},
	{"this cluster's current key", "after a rekey only the new shares are good (keyquorum operator " +
		"check-share looks at one, and sends it nowhere)"},
	{"share was given already", "give the share of another holder"},
	{"a share is 33 bytes", "those are 66 hex digits, or 44 characters of base64: look whether some are " +
		"missing"},
	{"seal: not a share", "look for a slip of the pen (keyquorum operator check-share looks at one, and " +
		"sends it nowhere)"},
	{"The usage record could not be written", "make room for the usage log of the node, which answers " +
		"nothing without it; its log says what failed"},
	{"rekey already in progress", "go on with that (keyquorum operator rekey --status shows it), or end " +
		"it (keyquorum operator rekey --cancel)"},
	{"root generation already in progress", "go on with that (keyquorum operator generate-root --status " +
		"shows it), or end it (keyquorum operator generate-root --cancel)"},
	{"vault is unsealed", "it needs no share (keyquorum operator status shows it)"},
	{"too many attempts to join", "wait some seconds, and ask again"},
}

const noLeader = "start nodes until a majority of the voters runs (keyquorum operator raft list-peers " +
	"says where they are)"

// adviceOn is what to do about a refusal, "" where its own words say so.
func adviceOn(refusal string) string {
	for _, a := range advice {
		if strings.Contains(refusal, a.said) {
			return a.next
		}
	}
	return ""
}
