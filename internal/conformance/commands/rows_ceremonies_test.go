package commands_test

import (
	"encoding/base64"
	"slices"
	"strings"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

func theNonce(s *scene) string { return s.nonce }

func oldShare(n int) func(*scene) string { return func(s *scene) string { return s.shares[n] } }

// rekeyRows are played from beginning to end: each takes the cluster where the one before has left
// it. The new shares are in force after that.
func rekeyRows() []command {
	return slices.Concat(olderRekey(), newerRekey())
}

func olderRekey() []command {
	give := func(n int) call {
		return share(oldShare(n), theNonce, (*bao.Sys).RekeyUpdate, (*vault.Sys).RekeyUpdate)
	}
	prove := func(n int) call {
		return share(newShare(n), theNonce, (*bao.Sys).RekeyVerificationUpdate,
			(*vault.Sys).RekeyVerificationUpdate)
	}
	return ceremony{
		name: "operator rekey", at: "rekey/", method: "PUT",
		status: get((*bao.Sys).RekeyStatus, (*vault.Sys).RekeyStatus),
		cancel: do((*bao.Sys).RekeyCancel, (*vault.Sys).RekeyCancel),
		begin: func(shares, threshold int, to recipients, verify, backup bool) call {
			return each(
				func(s *scene, on *bao.Client) (any, error) {
					return on.Sys().RekeyInit(&bao.RekeyInitRequest{SecretShares: shares,
						SecretThreshold: threshold, PGPKeys: to(s), RequireVerification: verify,
						Backup: backup})
				},
				func(s *scene, on *vault.Client) (any, error) {
					return on.Sys().RekeyInit(&vault.RekeyInitRequest{SecretShares: shares,
						SecretThreshold: threshold, PGPKeys: to(s), RequireVerification: verify,
						Backup: backup})
				})
		},
		stray: share(oldShare(0), func(*scene) string { return "stray" }, (*bao.Sys).RekeyUpdate,
			(*vault.Sys).RekeyUpdate),
		give: give, prove: prove,
		proof:   get((*bao.Sys).RekeyVerificationStatus, (*vault.Sys).RekeyVerificationStatus),
		restart: do((*bao.Sys).RekeyVerificationCancel, (*vault.Sys).RekeyVerificationCancel),
		backup:  get((*bao.Sys).RekeyRetrieveBackup, (*vault.Sys).RekeyRetrieveBackup),
		forget:  do((*bao.Sys).RekeyDeleteBackup, (*vault.Sys).RekeyDeleteBackup),

		recovery:   get((*bao.Sys).RekeyRecoveryKeyStatus, (*vault.Sys).RekeyRecoveryKeyStatus),
		recoveryAt: "rekey-recovery-key/init",
	}.rows()
}

// newerRekey is OpenBao's alone.
func newerRekey() []command {
	return ceremony{
		name: "operator rotate-keys", at: "rotate/root/", method: "POST", vaultAsks: none,
		status: baos(func(_ *scene, on *bao.Sys) (any, error) { return on.RotateRootStatus() }),
		cancel: baos(func(_ *scene, on *bao.Sys) (any, error) { return nil, on.RotateRootCancel() }),
		begin: func(shares, threshold int, to recipients, verify, backup bool) call {
			return baos(func(s *scene, on *bao.Sys) (any, error) {
				return on.RotateRootInit(&bao.RotateInitRequest{SecretShares: shares,
					SecretThreshold: threshold, PGPKeys: to(s), RequireVerification: verify,
					Backup: backup})
			})
		},
		stray: baos(func(s *scene, on *bao.Sys) (any, error) {
			return on.RotateRootUpdate(s.shares[0], "stray")
		}),
		give: func(n int) call {
			return baos(func(s *scene, on *bao.Sys) (any, error) {
				return on.RotateRootUpdate(s.shares[n], s.nonce)
			})
		},
		proof: baos(func(_ *scene, on *bao.Sys) (any, error) {
			return on.RotateRootVerificationStatus()
		}),
		prove: func(n int) call {
			return baos(func(s *scene, on *bao.Sys) (any, error) {
				return on.RotateRootVerificationUpdate(s.shown[n], s.nonce)
			})
		},
		restart: baos(func(_ *scene, on *bao.Sys) (any, error) {
			return nil, on.RotateRootVerificationCancel()
		}),
		backup: baos(func(_ *scene, on *bao.Sys) (any, error) {
			return on.RotateRootRetrieveBackup()
		}),
		forget: baos(func(_ *scene, on *bao.Sys) (any, error) {
			return nil, on.RotateRootDeleteBackup()
		}),
		recovery: baos(func(_ *scene, on *bao.Sys) (any, error) {
			return on.RotateRecoveryStatus()
		}),
		recoveryAt: "rotate/recovery/init",
	}.rows()
}

func newShare(n int) func(*scene) string { return func(s *scene) string { return s.shown[n] } }

// recipients are for whom new shares are encrypted, nil for nobody.
type recipients func(*scene) []string

func nobody(*scene) []string { return nil }

func holders(s *scene) []string { return s.publicKeys(3) }

// A ceremony is how one generation of commands changes the shares.
type ceremony struct {
	name, at  string
	method    string // of what begins it
	vaultAsks string

	status, cancel, stray    call
	begin                    func(shares, threshold int, to recipients, verify, backup bool) call
	give                     func(n int) call // an old share
	proof, restart           call
	prove                    func(n int) call // a new share
	backup, forget, recovery call
	recoveryAt               string
}

func (c ceremony) row(arguments string, steps ...step) command {
	for i := range steps {
		steps[i].vaultAsks = c.vaultAsks
	}
	return command{name: c.name + " " + arguments, steps: steps}
}

func (c ceremony) rows() []command {
	stands := func(p prints) step {
		return step{asks: "GET " + c.at + "init", call: c.status, answers: p}
	}
	proof := func(p prints) step {
		return step{asks: "GET " + c.at + "verify", call: c.proof, answers: p, keep: keepNonce}
	}
	begins := func(call call, want expectation) step {
		return step{asks: c.method + " " + c.at + "init", call: call, answers: want, keep: keepNonce}
	}
	gives := func(call call, want expectation) step {
		return step{asks: "PUT " + c.at + "update", call: call, answers: want}
	}
	proves := func(n int, want prints) step {
		return step{asks: "PUT " + c.at + "verify", call: c.prove(n), answers: want}
	}
	cancel := c.row("-cancel", step{asks: "DELETE " + c.at + "init", call: c.cancel})
	idle := prints{"Started": false, "T": 0, "N": 0, "Progress": 0, "Required": 2}
	begun := prints{"Started": true, "T": 2, "N": 3, "Progress": 0, "Required": 2,
		"Nonce": judge(some), "Backup": false}
	shown := gives(c.give(1), prints{"Complete": true, "Keys": long(3), "KeysB64": long(3),
		"VerificationRequired": true, "VerificationNonce": judge(some), "Nonce": own(theNonce)})
	shown.keep = keepShown
	last := proves(1, prints{"Complete": true})
	last.keep = func(s *scene, _ any) { s.shares, s.c.Shares, s.nonce = s.shown, s.shown, "" }
	return []command{
		c.row("-status", stands(idle)), cancel,
		c.row("-init (a threshold above the shares)",
			begins(c.begin(3, 4, nobody, false, false), refusal{400, "secret_threshold must be"})),
		c.row("-init -pgp-keys=… -backup",
			begins(c.begin(3, 2, holders, false, true), refusal{400, "backup is not supported"})),
		c.row("-init -pgp-keys=…", begins(c.begin(3, 2, holders, false, false), prints{
			"Started": true, "PGPFingerprints": long(3)})),
		c.row("-init (a second)",
			begins(c.begin(3, 2, nobody, false, false), refusal{400, "already in progress"})),
		cancel,
		c.row("-init -verify", begins(c.begin(3, 2, nobody, true, false), begun)),
		c.row("-nonce=N KEY (another nonce)", stands(begun),
			gives(c.stray, refusal{400, "incorrect nonce supplied"})),
		c.row("-nonce=N KEY", stands(begun), gives(c.give(0), prints{"Complete": false}),
			stands(prints{"Started": true, "Progress": 1, "VerificationRequired": true})),
		c.row("-nonce=N KEY (the last one)", stands(prints{"Progress": 1}), shown),
		c.row("-verify -nonce=N KEY", proof(prints{"Started": true, "T": 2, "N": 3, "Progress": 0}),
			proves(0, prints{"Complete": false}), proof(prints{"Started": true, "Progress": 1})),
		c.row("-verify -cancel", step{asks: "DELETE " + c.at + "verify", call: c.restart}),
		c.row("-verify -status", proof(prints{"Started": true, "Progress": 0})),
		c.row("-verify -nonce=N KEY", proof(prints{"Started": true, "T": 2, "N": 3, "Progress": 0}),
			proves(0, prints{"Complete": false}), proof(prints{"Started": true, "Progress": 1})),
		c.row("-verify -nonce=N KEY (the last one)", proof(prints{"Progress": 1}), last),
		c.row("-backup-retrieve", step{asks: "GET " + c.at + "backup", call: c.backup,
			answers: refusal{501, "No copies of new shares are kept"}}),
		c.row("-backup-delete", step{asks: "DELETE " + c.at + "backup", call: c.forget,
			answers: refusal{501, "No copies of new shares are kept"}}),
		c.row("-target=recovery -status", step{asks: "GET " + c.recoveryAt, call: c.recovery,
			answers: refusal{501, "There are no recovery keys"}}),
	}
}

func keepNonce(s *scene, answer any) { s.nonce = text(answer, "Nonce") }

func keepShown(s *scene, answer any) {
	keys, err := field(answer, "Keys")
	must(s.t, err)
	s.shown = keys.([]string)
}

// rootRows make a root token of shares. It is the token of all that is played later.
func rootRows() []command {
	otp := strings.Repeat("otp", 16)[:46] // as long as a token
	attempt := func(method string, call call, want expectation) step {
		return step{asks: method + " generate-root-token/attempt",
			vaultAsks: method + " generate-root/attempt", call: call, answers: want, keep: keepNonce}
	}
	stands := func(p prints) step {
		return attempt("GET", get((*bao.Sys).GenerateRootStatus, (*vault.Sys).GenerateRootStatus), p)
	}
	begins := func(otp string, key func(*scene) string, want expectation) step {
		return attempt("PUT", share(func(*scene) string { return otp }, key,
			(*bao.Sys).GenerateRootInit, (*vault.Sys).GenerateRootInit), want)
	}
	gives := func(key, nonce func(*scene) string, want expectation) step {
		return step{asks: "PUT generate-root-token/update", vaultAsks: "PUT generate-root/update",
			call:    share(key, nonce, (*bao.Sys).GenerateRootUpdate, (*vault.Sys).GenerateRootUpdate),
			answers: want}
	}
	row := func(arguments string, steps ...step) command {
		return command{name: "operator generate-root " + arguments, steps: steps}
	}
	cancel := row("-cancel", attempt("DELETE",
		do((*bao.Sys).GenerateRootCancel, (*vault.Sys).GenerateRootCancel), prints{}))
	noKey := func(*scene) string { return "" }
	begun := prints{"Started": true, "Progress": 0, "Required": 2, "OTP": "", "OTPLength": len(otp),
		"Nonce": judge(some)}
	last := gives(oldShare(1), theNonce, prints{"Complete": true, "Progress": 2,
		"EncodedToken": judge(some)})
	last.keep = func(s *scene, answer any) {
		masked, err := base64.RawStdEncoding.DecodeString(text(answer, "EncodedToken"))
		must(s.t, err)
		for i := range masked {
			masked[i] ^= otp[i]
		}
		s.c.Token = string(masked)
	}
	return []command{
		row("-status", stands(prints{"Started": false, "Progress": 0, "Required": 2})),
		row("-generate-otp", stands(prints{"OTPLength": len(otp)})), cancel,
		row("-init -otp=… (a short one)", begins("short", noKey,
			refusal{400, "OTP string has incorrect length"})),
		row("-init", begins("", noKey, prints{"Started": true, "OTP": long(len(otp)),
			"Nonce": judge(some)})),
		cancel,
		row("-init -pgp-key=…", begins("", func(s *scene) string { return s.publicKeys(1)[0] },
			prints{"Started": true, "PGPFingerprint": long(40), "OTP": ""})),
		cancel,
		row("-init -otp=…", begins(otp, noKey, begun)),
		row("-nonce=N KEY (another nonce)", stands(begun), gives(oldShare(0),
			func(*scene) string { return "stray" }, refusal{400, "incorrect nonce supplied"})),
		row("-nonce=N KEY", stands(begun), gives(oldShare(0), theNonce, prints{"Complete": false,
			"Progress": 1})),
		row("-nonce=N KEY (the last one)", stands(prints{"Progress": 1}), last),
		row("-decode=… -otp=…", stands(prints{"OTPLength": len(otp)})),
	}
}
