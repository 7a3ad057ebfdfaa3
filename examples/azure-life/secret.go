package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// A secretLife is one secret in the vault, of two versions.
type secretLife struct {
	vault
	ctx      context.Context
	name     string
	versions []string
	backup   []byte
}

func (v vault) secret(ctx context.Context) error {
	s := &secretLife{vault: v, ctx: ctx, name: "secret-" + strings.ToLower(rand.Text())}
	return steps(
		step{"set", s.set}, step{"set anew", s.set}, step{"update", s.update}, step{"read", s.read},
		step{"list versions", s.list},
		step{"back up", s.backUp},
		step{"delete", s.delete}, step{"recover", s.recover}, step{"read after the recovery", s.read},
		step{"delete again", s.delete}, step{"purge", s.purge},
		step{"restore", s.restore}, step{"read after the restoration", s.read},
		step{"list versions after it", s.list},
		step{"delete at last", s.delete}, step{"purge at last", s.purge},
	)
}

// value is that of the version with a number.
func (s *secretLife) value(number int) string {
	return fmt.Sprintf("%s, \"version\" %d\n", s.name, number)
}

func (s *secretLife) set() error {
	set, err := s.secrets.SetSecret(s.ctx, s.name,
		azsecrets.SetSecretParameters{Value: to.Ptr(s.value(len(s.versions)))}, nil)
	if err == nil {
		s.versions = append(s.versions, set.ID.Version())
	}
	return err
}

func (s *secretLife) update() error {
	_, err := s.secrets.UpdateSecretProperties(s.ctx, s.name, s.versions[0],
		azsecrets.UpdateSecretPropertiesParameters{
			ContentType: to.Ptr("text/plain"), Tags: map[string]*string{"program": to.Ptr("azure-life")},
		}, nil)
	return err
}

// read reads both versions, and the newest without its name.
func (s *secretLife) read() error {
	for number, version := range append(s.versions, "") {
		number = min(number, len(s.versions)-1)
		got, err := s.secrets.GetSecret(s.ctx, s.name, version, nil)
		if err != nil {
			return err
		}
		if *got.Value != s.value(number) || got.ID.Version() != s.versions[number] {
			return fmt.Errorf("version %q is another than was written", version)
		}
	}
	return nil
}

func (s *secretLife) list() error {
	listed := 0
	for pager := s.secrets.NewListSecretPropertiesVersionsPager(s.name, nil); pager.More(); {
		page, err := pager.NextPage(s.ctx)
		if err != nil {
			return err
		}
		listed += len(page.Value)
	}
	if listed != len(s.versions) {
		return fmt.Errorf("%d versions are listed, %d were written", listed, len(s.versions))
	}
	return nil
}

func (s *secretLife) backUp() error {
	b, err := s.secrets.BackupSecret(s.ctx, s.name, nil)
	s.backup = b.Value
	return err
}

func (s *secretLife) restore() error {
	return settled(s.ctx, http.StatusConflict, func() error {
		_, err := s.secrets.RestoreSecret(s.ctx,
			azsecrets.RestoreSecretParameters{SecretBackup: s.backup}, nil)
		return err
	})
}

func (s *secretLife) delete() error {
	if _, err := s.secrets.DeleteSecret(s.ctx, s.name, nil); err != nil {
		return err
	}
	if err := settled(s.ctx, http.StatusNotFound, func() error {
		_, err := s.secrets.GetDeletedSecret(s.ctx, s.name, nil)
		return err
	}); err != nil {
		return err
	}
	if _, err := s.secrets.SetSecret(s.ctx, s.name, azsecrets.SetSecretParameters{Value: to.Ptr("x")},
		nil); !answers(err, http.StatusConflict) {
		return errors.Join(errors.New("the name of a deleted secret could be used"), err)
	}
	return nil
}

func (s *secretLife) recover() error {
	if _, err := s.secrets.RecoverDeletedSecret(s.ctx, s.name, nil); err != nil {
		return err
	}
	return settled(s.ctx, http.StatusNotFound, func() error {
		_, err := s.secrets.GetSecret(s.ctx, s.name, "", nil)
		return err
	})
}

func (s *secretLife) purge() error {
	_, err := s.secrets.PurgeDeletedSecret(s.ctx, s.name, nil)
	return err
}
