package commands_test

import (
	"encoding/base64"
	"slices"
	"strings"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

// An attempt is how commands make a root token of shares: masked with a password of the node's,
// encrypted, and masked with a password of the command's.
var (
	attemptStatus = get((*bao.Sys).GenerateRootStatus, (*vault.Sys).GenerateRootStatus)
	attemptCancel = do((*bao.Sys).GenerateRootCancel, (*vault.Sys).GenerateRootCancel)
)

// ownOTP is as long as a token.
var ownOTP = strings.Repeat("otp", 16)[:46]

// rootRows make root tokens. The one that was made last is the token of all that is played later.
func rootRows() []command {
	noKey := func(*scene) string { return "" }
	holder := func(s *scene) string { return s.publicKeys(1)[0] }
	cancel := rootRow("-cancel", attempt("DELETE", attemptCancel, prints{}))
	begun := prints{"Started": true, "Progress": 0, "Required": 2, "OTPLength": len(ownOTP),
		"Nonce": judge(some)}
	made := begins("", noKey, with(begun, "OTP", long(len(ownOTP))))
	made.keep = func(s *scene, answer any) {
		keepNonce(s, answer)
		s.otp = text(answer, "OTP")
	}
	given := begins(ownOTP, noKey, with(begun, "OTP", ""))
	given.keep = func(s *scene, answer any) {
		keepNonce(s, answer)
		s.otp = ownOTP
	}
	encrypted := begins("", holder, with(begun, "PGPFingerprint", long(40)))
	return slices.Concat([]command{
		rootRow("-status", rootStands(prints{"Started": false, "Progress": 0, "Required": 2})),
		rootRow("-generate-otp", rootStands(prints{"OTPLength": len(ownOTP)})), cancel,
		rootRow("-init -otp=… (a short one)", begins("short", noKey,
			refusal{400, "OTP string has incorrect length"})),
		rootRow("-init", made), cancel, rootRow("-init", made),
	}, toToken(begun, unmasked), []command{
		rootRow("-init -pgp-key=…", encrypted),
	}, toToken(begun, func(s *scene, encoded string) string {
		return decrypted(s.t, s.holders[0], encoded)
	}), []command{
		rootRow("-init -otp=…", given),
	}, toToken(begun, unmasked), []command{
		rootRow("-decode=… -otp=…", rootStands(prints{"OTPLength": len(ownOTP)})),
		{name: "write sys/decode-token encoded_token=… otp=…", open: true, steps: []step{
			{asks: "PUT decode-token", call: write("sys/decode-token", func(s *scene) map[string]any {
				return map[string]any{"encoded_token": s.encoded, "otp": s.otp}
			}), answers: prints{"token": own(func(s *scene) string { return s.c.Token })}},
		}},
	})
}

// toToken gives shares of what was begun, and takes the token that comes of them.
func toToken(begun prints, decode func(s *scene, encoded string) string) []command {
	last := givesRoot(oldShare(1), theNonce, prints{"Complete": true, "Progress": 2,
		"EncodedToken": judge(some)})
	last.keep = func(s *scene, answer any) {
		s.encoded = text(answer, "EncodedToken")
		s.c.Token = decode(s, s.encoded)
	}
	stray := func(*scene) string { return "stray" }
	return []command{
		rootRow(anotherNonce, rootStands(begun), givesRoot(oldShare(0), stray,
			refusal{400, "incorrect nonce supplied"})),
		rootRow(oneShare, rootStands(begun), givesRoot(oldShare(0), theNonce,
			prints{"Complete": false, "Progress": 1})),
		rootRow(lastShare, rootStands(prints{"Progress": 1}), last),
	}
}

func unmasked(s *scene, encoded string) string {
	token, err := base64.RawStdEncoding.DecodeString(encoded)
	must(s.t, err)
	for i := range token {
		token[i] ^= s.otp[i]
	}
	return string(token)
}

func rootRow(arguments string, steps ...step) command {
	return command{name: "operator generate-root " + arguments, steps: steps}
}

func attempt(method string, call call, want expectation) step {
	return step{asks: method + " generate-root-token/attempt",
		vaultAsks: method + " generate-root/attempt", call: call, answers: want, keep: keepNonce}
}

func rootStands(p prints) step { return attempt("GET", attemptStatus, p) }

func begins(otp string, key func(*scene) string, want expectation) step {
	return attempt("PUT", share(func(*scene) string { return otp }, key,
		(*bao.Sys).GenerateRootInit, (*vault.Sys).GenerateRootInit), want)
}

func givesRoot(key, nonce func(*scene) string, want expectation) step {
	return step{asks: "PUT generate-root-token/update", vaultAsks: "PUT generate-root/update",
		call:    share(key, nonce, (*bao.Sys).GenerateRootUpdate, (*vault.Sys).GenerateRootUpdate),
		answers: want}
}
