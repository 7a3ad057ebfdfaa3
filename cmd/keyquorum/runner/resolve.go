package runner

import (
	"context"
	"fmt"
	"strings"

	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

// A secret is what a reference stands for at the moment.
type secret struct{ value, version string }

// A resolver asks the vaults, each reference once a round.
type resolver struct {
	session *session.Session
	vaults  map[string]*session.Vault
}

// all resolves the references of variables. An error names the variable, never a value.
func (r *resolver) all(ctx context.Context, variables []variable) (map[reference.Reference]secret, error) {
	found := map[reference.Reference]secret{}
	for _, v := range variables {
		if v.reference == nil {
			continue
		}
		if _, known := found[*v.reference]; known {
			continue
		}
		s, err := r.one(ctx, *v.reference)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be resolved: %w", v.name, err)
		}
		found[*v.reference] = s
	}
	return found, nil
}

func (r *resolver) one(ctx context.Context, ref reference.Reference) (s secret, err error) {
	v := r.vaults[ref.Vault]
	if v == nil {
		if v, err = r.session.Vault(ref.Vault); err != nil {
			return s, err
		}
		r.vaults[ref.Vault] = v
	}
	client, err := v.Secrets()
	if err != nil {
		return s, err
	}
	answer, err := client.GetSecret(ctx, ref.Name, ref.Version, nil)
	if err != nil {
		return s, v.Explain(err, reference.Secrets, ref.Name)
	}
	if answer.Value == nil || answer.ID == nil || strings.ContainsRune(*answer.Value, 0) {
		return s, fmt.Errorf("secret %s has no value that an environment can hold", ref.Name)
	}
	return secret{*answer.Value, answer.ID.Version()}, nil
}

// environment is what the command gets, and which version of each reference stands in it.
type environment struct {
	lines    []string // NAME=value
	versions map[reference.Reference]string
}

// resolve asks for all secrets, and has them masked from now on.
func (r *running) resolve(ctx context.Context, variables []variable) (environment, error) {
	found, err := r.resolver.all(ctx, variables)
	if err != nil {
		return environment{}, err
	}
	e := environment{versions: map[reference.Reference]string{}}
	var short []string
	for _, v := range variables {
		value := v.value
		if v.reference != nil {
			s := found[*v.reference]
			value = s.value
			e.versions[*v.reference] = s.version
			if !r.masks.add(s.value) {
				short = append(short, v.name)
			}
		}
		e.lines = append(e.lines, v.name+"="+value)
	}
	if text := strings.Join(short, ", "); text != r.short && !r.settings.noMasking {
		fmt.Fprintf(r.people, "keyquorum: too short to be masked (less than %d bytes): %s\n", leastMasked, text)
	}
	r.short = strings.Join(short, ", ")
	return e, nil
}
