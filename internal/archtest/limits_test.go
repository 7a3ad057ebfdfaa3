package archtest

import (
	"regexp"
	"strings"
	"testing"
)

// limits are rows of docs/limits.md beside the lines of code that they speak of.
var limits = []struct{ file, line, row string }{
	{"vault/paths.go", `len(name) < 3 || len(name) > 24`, "| name of a vault | 3 to 24 letters"},
	{"vault/paths.go", `len(name) < 1 || len(name) > 127`,
		"| name of a secret or key | 1 to 127 letters"},
	{"vault/secrets.go", `maxSecretValue = 25600`, "| value of a secret | 25,600 bytes"},
	{"vault/secrets.go", `maxContentType = 255`, "| content type of a secret | 255 bytes"},
	{"vault/secrets.go", `maxTags = 15`, "| tags of an object | 15,"},
	{"vault/secrets.go", `maxTagRunes = 256`, "each name and value of 256 characters"},
	{"vault/listing.go", `maxPage = 25`, "| items of a page in a listing | 1 to 25"},
	{"vault/backup.go", `maxBackupVersions = 500`, "| versions in a backup | 500"},
	{"vault/backup.go", `maxBackup = 20 << 20`, "| size of a backup | 20 MiB"},
	{"vault/apps.go", `maxCredentials = 16`, "| client secrets of an application | 16"},
	{"vault/perform.go", `maxAttempts = 64`, "decided again 64 times"},
	{"httpapi/exchange/limits.go", `MaxBody = 1 << 20`, "| body | 1 MiB;"},
	{"httpapi/exchange/limits.go", `RestoreBody = 28 << 20`, "of a restore 28 MiB"},
	{"httpapi/exchange/limits.go", `SmallBody = 64 << 10`, "more than 64 KiB only from whoever may"},
	{"httpapi/wire/scan.go", `maxDepth = 32`, "| JSON | 32 levels"},
	{"httpapi/wire/scan.go", `maxMembers = 1000`, "1,000 members"},
	{"httpapi/exchange/limits.go", `maxHeaders = 16 << 10`, "| headers | 16 KiB"},
	{"httpapi/exchange/limits.go", `maxURL = 8 << 10`, "| URL | 8 KiB"},
	{"httpapi/azure/largebody.go", `maxLarge = 32`, "bodies of 64 KiB and more in memory | 32;"},
	{"httpapi/azure/largebody.go", `maxHuge = 2`, "over 1 MiB two"},
	{"httpapi/azure/backup.go", `maxBackups = 2`, "| backups that are made at once | 2"},
	{"cluster/rounds.go", `maxWaiting = 1000`, "| fences that wait on a node | 1,000"},
	{"cmd/keyquorum/config.go", `"throttle", 20_000`, "20,000 a second"},
	{"cmd/keyquorum/config.go", `"connections", 8192`, "8,192 connections"},
	{"httpapi/connections/connections.go", `handshakeTime = 5 * time.Second`, "| TLS handshake, with the PROXY header before it | 5 s"},
	{"httpapi/exchange/limits.go", `HeaderTime = 5 * time.Second`, "| headers of a request | 5 s"},
	{"httpapi/exchange/limits.go", `RequestTime = 30 * time.Second`, "from its headers to its answer | 30 s"},
	{"httpapi/exchange/limits.go", `TransferTime = 2 * time.Minute`, "a backup or restore two minutes"},
	{"httpapi/operators/snapshot.go", `restoreTime = 30 * time.Minute`, "30 minutes, one at a time at a node"},
	{"httpapi/operators/snapshot.go", `maxRestored = 2 << 30`, "| 2 GiB of state,"},
	{"httpapi/exchange/limits.go", `ProbeTime = 2 * time.Second`, "what tells how a node is 2 s"},
	{"httpapi/exchange/limits.go", `AnswerTime = 10 * time.Second`, "of an answer, to be read | 10 s"},
	{"httpapi/exchange/limits.go", `IdleTime = 2 * time.Minute`, "| idle connection | two minutes"},
	{"cluster/cluster.go", `leaderWait = 5 * time.Second`, "| wait for a leader | 5 s"},
	{"fsm/txn.go", `MaxConditions = 64`, "64 conditions"},
	{"fsm/txn.go", `MaxWrites = 64`, "64 writes"},
	{"fsm/txn.go", `MaxTxnBytes = 1 << 20`, "64 writes, 1 MiB"},
	{"fsm/txn.go", `IDWindow = 65536`, "remembered for 65,536 entries"},
}

// TestLimitsOfThePageAreTheCodes fails where one is changed without the other.
func TestLimitsOfThePageAreTheCodes(t *testing.T) {
	text := strings.Join(strings.Fields(read(t, "docs/limits.md")), " ")
	for _, l := range limits {
		words := strings.Fields(l.line)
		for i := range words {
			words[i] = regexp.QuoteMeta(words[i])
		}
		if line := regexp.MustCompile(strings.Join(words, `\s+`) + `\b`); !line.MatchString(read(t,
			l.file)) {
			t.Errorf("%s does not say %q any more: change the page's %q, and this list", l.file, l.line,
				l.row)
		}
		if !strings.Contains(text, l.row) {
			t.Errorf("docs/limits.md does not say %q, which is %q in %s", l.row, l.line, l.file)
		}
	}
}
