package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// A ReleasePolicy says to whom a key may be released. Data is JSON of at most 4 KiB, in Azure's
// policy grammar:
//
//	{"version":"1.0.0","anyOf":[{"authority":"https://…","allOf":[{"claim":"…","equals":…},…]},…]}
//
// where allOf and anyOf may hold each other.
type ReleasePolicy struct {
	_           struct{} `cbor:",toarray"`
	ContentType string
	Data        []byte
	Immutable   bool // the policy can't be changed any more
}

const (
	releaseContentType = "application/json; charset=utf-8"
	maxReleasePolicy   = 4 << 10
	releaseVersion     = "1.0.0"
	maxReleaseDepth    = 8
	maxClaimNames      = 16 // with dots between them: each dot is looked at as one between names, and as part of one
)

// releasable applies what a request says about the release of a key that is made. As in Azure an
// exportable key has a policy and a kty with "-HSM".
func (r keyRecord) releasable(ch Change) (keyRecord, error) {
	r.Exportable = ch.Exportable != nil && *ch.Exportable
	switch {
	case !r.Exportable && ch.Release == nil:
		return r, nil
	case !r.Exportable:
		return r, badParameter("Property release_policy needs attributes.exportable to be true.")
	case ch.Release == nil:
		return r, badParameter("Property attributes.exportable needs a release_policy.")
	case baseType(r.Kty) == r.Kty:
		return r, badParameter("Only keys of a type with -HSM can be exportable.")
	}
	return r.withPolicy(ch.Release)
}

// rereleasable applies what a request says about a key that there is. Whether it is exportable
// never changes.
func (r keyRecord) rereleasable(ch Change) (keyRecord, error) {
	switch {
	case ch.Exportable != nil && *ch.Exportable != r.Exportable:
		return r, badParameter("Property attributes.exportable can't be changed.")
	case ch.Release == nil || r.Release != nil && r.Release.Immutable &&
		bytes.Equal(ch.Release.Data, r.Release.Data):
		return r, nil
	case !r.Exportable:
		return r, badParameter("Property release_policy is for exportable keys.")
	case r.Release != nil && r.Release.Immutable:
		return r, badParameter("The release policy of this key is immutable.")
	}
	return r.withPolicy(ch.Release)
}

func (r keyRecord) withPolicy(p *ReleasePolicy) (keyRecord, error) {
	if _, err := parsePolicy(p.Data); err != nil {
		return r, badParameter("Property release_policy.data is no release policy: %s.", err)
	}
	if len(p.ContentType) > maxContentType {
		return r, badProperty("release_policy.contentType")
	}
	stored := *p
	if stored.ContentType == "" {
		stored.ContentType = releaseContentType
	}
	r.Release = &stored
	return r, nil
}

// A policyRule is an inner node of a policy or a condition: exactly one of AllOf, AnyOf and Claim
// is there.
type policyRule struct {
	Authority string          `json:"authority"` // of the outermost rules
	AllOf     []policyRule    `json:"allOf"`
	AnyOf     []policyRule    `json:"anyOf"`
	Claim     string          `json:"claim"` // its name; dots go into nested claims
	Equals    json.RawMessage `json:"equals"`
}

// parsePolicy checks a policy's form. One that is not wholly understood is refused.
func parsePolicy(data []byte) ([]policyRule, error) {
	var p struct {
		Version string       `json:"version"`
		AnyOf   []policyRule `json:"anyOf"`
	}
	if len(data) > maxReleasePolicy {
		return nil, errors.New("it has more than 4096 bytes")
	}
	if err := unambiguous(data); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(&p) != nil {
		return nil, errPolicyGrammar
	}
	if p.Version != releaseVersion || len(p.AnyOf) == 0 {
		return nil, errors.New(`it needs "version":"1.0.0" and anyOf`)
	}
	for i := range p.AnyOf {
		r := &p.AnyOf[i]
		if !validAuthority(r.Authority) {
			return nil, errors.New("an authority is an https URL without query, user and fragment")
		}
		if r.Claim != "" || !r.valid(0) {
			return nil, errors.New("each authority needs allOf or anyOf of claims")
		}
	}
	return p.AnyOf, nil
}

var errPolicyGrammar = errors.New("it is not JSON of the policy grammar")

// policyMembers are the names that a policy may have, but in the values that claims are compared
// with.
var policyMembers = []string{"version", "anyOf", "authority", "allOf", "claim", "equals"}

// unambiguous refuses what others might read in another way than encoding/json does, which takes
// names in any case, the last of two members with one name, and whatever follows the value.
func unambiguous(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := unambiguousValue(d, false); err != nil {
		return errPolicyGrammar
	}
	if _, err := d.Token(); err != io.EOF {
		return errPolicyGrammar
	}
	return nil
}

func unambiguousValue(d *json.Decoder, anyName bool) error {
	begin, err := d.Token()
	if err != nil || begin != json.Delim('{') && begin != json.Delim('[') {
		return err
	}
	seen := map[json.Token]bool{}
	for d.More() {
		var name json.Token
		if begin == json.Delim('{') {
			name, _ = d.Token()
			if text, ok := name.(string); !ok || seen[name] || !anyName &&
				!slices.Contains(policyMembers, text) {
				return errPolicyGrammar
			}
			seen[name] = true
		}
		if err := unambiguousValue(d, anyName || name == "equals"); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// valid: one of the three, an authority outermost alone, and no deeper than anybody reads.
func (r *policyRule) valid(depth int) bool {
	inner := slices.Concat(r.AllOf, r.AnyOf)
	if depth > maxReleaseDepth || depth > 0 && r.Authority != "" ||
		(r.AllOf != nil) == (r.AnyOf != nil) && r.Claim == "" {
		return false
	}
	if r.Claim != "" {
		return inner == nil && r.Equals != nil && strings.Count(r.Claim, ".") < maxClaimNames
	}
	return len(inner) > 0 && r.Equals == nil &&
		!slices.ContainsFunc(inner, func(i policyRule) bool { return !i.valid(depth + 1) })
}

func validAuthority(authority string) bool {
	u, err := url.Parse(authority)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" &&
		u.Fragment == "" && len(authority) <= maxAudience
}

// satisfied says whether claims, decoded with UseNumber, are what the rule wants.
func (r *policyRule) satisfied(claims map[string]any) bool {
	switch {
	case r.Claim != "":
		var want any
		d := json.NewDecoder(bytes.NewReader(r.Equals))
		d.UseNumber()
		got, ok := claimNamed(claims, r.Claim)
		return ok && d.Decode(&want) == nil && reflect.DeepEqual(got, want)
	case r.AllOf != nil:
		return !slices.ContainsFunc(r.AllOf, func(i policyRule) bool { return !i.satisfied(claims) })
	default:
		return slices.ContainsFunc(r.AnyOf, func(i policyRule) bool { return i.satisfied(claims) })
	}
}

// claimNamed finds a claim by its name, or by names with dots between them.
func claimNamed(claims map[string]any, name string) (any, bool) {
	if value, ok := claims[name]; ok {
		return value, true
	}
	for i := range name {
		if name[i] != '.' {
			continue
		}
		if inner, ok := claims[name[:i]].(map[string]any); ok {
			if value, ok := claimNamed(inner, name[i+1:]); ok {
				return value, true
			}
		}
	}
	return nil, false
}
