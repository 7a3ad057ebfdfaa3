package commands_test

import (
	"slices"

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
		stop: each(
			func(_ *scene, on *bao.Client) (any, error) { return nil, on.Sys().RekeyCancel() },
			func(s *scene, on *vault.Client) (any, error) {
				return nil, on.Sys().RekeyCancelWithNonce(s.nonce)
			}),
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
	cancel := baos(func(_ *scene, on *bao.Sys) (any, error) { return nil, on.RotateRootCancel() })
	return ceremony{
		name: "operator rotate-keys", at: "rotate/root/", method: "POST", vaultAsks: none,
		status: baos(func(_ *scene, on *bao.Sys) (any, error) { return on.RotateRootStatus() }),
		cancel: cancel, stop: cancel,
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

func holders(s *scene) []string { return s.publicKeys(4) }

// A ceremony is how one generation of commands changes the shares.
type ceremony struct {
	name, at  string
	method    string // of what begins it
	vaultAsks string

	status, cancel           call
	stop                     call // is cancel of one that is under way
	stray                    call
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

// rows change the shares twice: to four for their holders' eyes, three of which open, and back to
// three, two of which open, with verification.
func (c ceremony) rows() []command {
	return slices.Concat(c.before(), c.encrypted(), c.verified(), c.instead())
}

const (
	anotherNonce = "-nonce=N KEY (another nonce)"
	oneShare     = "-nonce=N KEY"
	lastShare    = "-nonce=N KEY (the last one)"
)

func (c ceremony) before() []command {
	return []command{
		c.row("-status", c.stands(prints{"Started": false, "T": 0, "N": 0, "Progress": 0,
			"Required": 2})),
		c.row("-cancel", c.cancels(c.cancel)),
		c.row("-init (a threshold above the shares)",
			c.begins(c.begin(3, 4, nobody, false, false), refusal{400, "secret_threshold must be"})),
		c.row("-init -pgp-keys=… -backup",
			c.begins(c.begin(4, 3, holders, false, true), refusal{400, "backup is not supported"})),
	}
}

func (c ceremony) encrypted() []command {
	begun := prints{"Started": true, "T": 3, "N": 4, "Progress": 0, "Required": 2,
		"Nonce": judge(some), "Backup": false, "PGPFingerprints": long(4),
		"VerificationRequired": false}
	begin := c.row("-init -pgp-keys=…", c.begins(c.begin(4, 3, holders, false, false), begun))
	last := c.gives(c.give(1), prints{"Complete": true, "Keys": long(4), "KeysB64": long(4),
		"PGPFingerprints": long(4), "VerificationRequired": false, "Nonce": own(theNonce)})
	last.keep = func(s *scene, answer any) {
		keys, err := field(answer, "KeysB64")
		must(s.t, err)
		s.shares = s.decrypted(keys.([]string))
	}
	return []command{
		begin,
		c.row("-init (a second)",
			c.begins(c.begin(3, 2, nobody, false, false), refusal{400, "already in progress"})),
		c.row("-cancel", c.cancels(c.stop)),
		begin,
		c.row(anotherNonce, c.stands(begun), c.gives(c.stray,
			refusal{400, "incorrect nonce supplied"})),
		c.row(oneShare, c.stands(begun), c.gives(c.give(0), prints{"Complete": false}),
			c.stands(prints{"Started": true, "Progress": 1})),
		c.row(lastShare, c.stands(prints{"Progress": 1}), last),
	}
}

func (c ceremony) verified() []command {
	begun := prints{"Started": true, "T": 2, "N": 3, "Progress": 0, "Required": 3,
		"Nonce": judge(some), "VerificationRequired": true}
	shown := c.gives(c.give(2), prints{"Complete": true, "Keys": long(3), "KeysB64": long(3),
		"VerificationRequired": true, "VerificationNonce": judge(some), "Nonce": own(theNonce)})
	shown.keep = keepShown
	proves := func(n int, want prints) step {
		return step{asks: "PUT " + c.at + "verify", call: c.prove(n), answers: want}
	}
	proof := func(p prints) step {
		return step{asks: "GET " + c.at + "verify", call: c.proof, answers: p, keep: keepNonce}
	}
	last := proves(1, prints{"Complete": true})
	last.keep = func(s *scene, _ any) { s.shares, s.nonce = s.shown, "" }
	one := c.row("-verify -nonce=N KEY", proof(prints{"Started": true, "T": 2, "N": 3, "Progress": 0}),
		proves(0, prints{"Complete": false}), proof(prints{"Started": true, "Progress": 1}))
	return []command{
		c.row("-init -verify", c.begins(c.begin(3, 2, nobody, true, false), begun)),
		c.row(oneShare, c.stands(begun), c.gives(c.give(0), prints{"Complete": false}),
			c.stands(prints{"Progress": 1})),
		c.row(oneShare, c.stands(prints{"Progress": 1}), c.gives(c.give(1), prints{"Complete": false}),
			c.stands(prints{"Progress": 2})),
		c.row(lastShare, c.stands(prints{"Progress": 2}), shown),
		one,
		c.row("-verify -cancel", step{asks: "DELETE " + c.at + "verify", call: c.restart}),
		c.row("-verify -status", proof(prints{"Started": true, "Progress": 0})),
		one,
		c.row("-verify -nonce=N KEY (the last one)", proof(prints{"Progress": 1}), last),
		c.row("-status", c.stands(prints{"Started": false, "Required": 2})),
	}
}

func (c ceremony) instead() []command {
	const kept, recovery = "No copies of new shares are kept", "There are no recovery keys"
	return []command{
		c.row("-backup-retrieve", step{asks: "GET " + c.at + "backup", call: c.backup,
			answers: refusal{501, kept}}),
		c.row("-backup-delete", step{asks: "DELETE " + c.at + "backup", call: c.forget,
			answers: refusal{501, kept}}),
		c.row("-target=recovery -status", step{asks: "GET " + c.recoveryAt, call: c.recovery,
			answers: refusal{501, recovery}}),
	}
}

func (c ceremony) stands(p prints) step {
	return step{asks: "GET " + c.at + "init", call: c.status, answers: p}
}

func (c ceremony) begins(call call, want expectation) step {
	return step{asks: c.method + " " + c.at + "init", call: call, answers: want, keep: keepNonce}
}

func (c ceremony) cancels(call call) step {
	return step{asks: "DELETE " + c.at + "init", call: call}
}

func (c ceremony) gives(call call, want expectation) step {
	return step{asks: "PUT " + c.at + "update", call: call, answers: want}
}

func keepNonce(s *scene, answer any) { s.nonce = text(answer, "Nonce") }

func keepShown(s *scene, answer any) {
	keys, err := field(answer, "Keys")
	must(s.t, err)
	s.shown = keys.([]string)
}
