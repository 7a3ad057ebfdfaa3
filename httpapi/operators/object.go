package operators

import (
	"context"
	"strings"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// objectRoutes compare an object with what it was in the snapshot that the body is, and bring it
// back. The object is named in the query: the body is the file as it lies on a disk.
func objectRoutes() []exchange.Route {
	return []exchange.Route{
		{Methods: write, Shape: "keyquorum/snapshot/object", Operation: "admin/objects/compare",
			Body: maxRestored, Within: restoreTime, Serve: exchange.Serve(compareObject, writeData)},
		{Methods: write, Shape: "keyquorum/snapshot/object/restore",
			Operation: "admin/objects/bring-back", Body: maxRestored, Within: restoreTime,
			Serve: exchange.Serve(bringBackObject, writeData)},
	}
}

// objectQuery are the parameters that name an object, as openapi.json calls them.
var objectQuery = []string{"in-vault", "object-type", "object-name", "object-version"}

func compareObject(c *call, _ *exchange.None) (comparisonData, error) {
	return c.lookBack((*vault.Vaults).CompareObject)
}

func bringBackObject(c *call, _ *exchange.None) (comparisonData, error) {
	return c.lookBack((*vault.Vaults).BringBackObject)
}

// lookBack has the domain look at an object in the snapshot that the body is. The domain's verb
// writes the usage record; where it comes to none, this does.
func (c *call) lookBack(verb func(*vault.Vaults, context.Context, vault.Operator, vault.Past,
	vault.ObjectRef) (vault.Comparison, error)) (comparisonData, error) {
	ref := vault.ObjectRef{
		Vault: wire.Query(c.R.URL.RawQuery, "vault"), Type: wire.Query(c.R.URL.RawQuery, "type"),
		Name: wire.Query(c.R.URL.RawQuery, "name"), Version: wire.Query(c.R.URL.RawQuery, "version"),
	}
	past, done, err := c.past()
	if err != nil {
		err = recordedHere(err)
		c.detail = "vault=" + ref.Vault
		if c.record(strings.ToLower(ref.Name), domainError(err)) != nil {
			err = wire.Unrecorded("")
		}
		return comparisonData{}, err
	}
	defer done()
	found, err := verb(c.Vaults, c.Ctx, c.operator, past, ref)
	return comparisonOf(found), err
}

// past opens the snapshot that the body is.
func (c *call) past() (p vault.Past, done func(), err error) {
	s, err := c.readSnapshot("Nothing was brought back")
	if err != nil {
		return p, nil, err
	}
	if p, done, err = c.plane.n.Past(s); err != nil {
		return p, nil, nodeFailure(err)
	}
	return p, done, nil
}

type comparisonData struct {
	Snapshot    momentData        `json:"snapshot"`
	Vault       string            `json:"vault"`
	Type        string            `json:"type"` // secrets, keys
	Name        string            `json:"name"`
	Was         objectStateData   `json:"was"`
	Is          objectStateData   `json:"is"`
	Versions    []versionPairData `json:"versions"`
	BroughtBack bool              `json:"brought_back"`
}

type momentData struct {
	Index      uint64 `json:"index"`
	Generation uint64 `json:"generation"`
}

type objectStateData struct {
	State          string    `json:"state"` // absent, live, deleted, purging, restoring
	Current        string    `json:"current,omitempty"`
	Versions       int       `json:"versions"`
	Deleted        time.Time `json:"deleted,omitzero"`
	ScheduledPurge time.Time `json:"scheduled_purge,omitzero"`
}

type versionPairData struct {
	Version  string           `json:"version"`
	Was      versionInfoData  `json:"was"`
	Is       *versionInfoData `json:"is"` // null: it is not there
	SameData bool             `json:"same_data"`
}

type versionInfoData struct {
	Enabled     bool              `json:"enabled"`
	Created     time.Time         `json:"created"`
	Updated     time.Time         `json:"updated"`
	NotBefore   time.Time         `json:"not_before,omitzero"`
	Expires     time.Time         `json:"expires,omitzero"`
	Tags        map[string]string `json:"tags,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Kty         string            `json:"kty,omitempty"`
	Crv         string            `json:"crv,omitempty"`
	KeyOps      []string          `json:"key_ops,omitempty"`
	Exportable  bool              `json:"exportable,omitempty"`
}

func comparisonOf(c vault.Comparison) comparisonData {
	return comparisonData{
		Snapshot: momentData{c.SnapshotIndex, c.SnapshotGeneration},
		Vault:    c.Vault, Type: c.Type, Name: c.Name, Was: objectStateOf(c.Was),
		Is: objectStateOf(c.Is), Versions: each(c.Versions, versionPairOf),
		BroughtBack: c.BroughtBack,
	}
}

func objectStateOf(s vault.ObjectState) objectStateData {
	d := objectStateData{State: s.State, Current: s.Current, Versions: s.Versions}
	if s.Deletion != nil {
		d.Deleted, d.ScheduledPurge = unix(s.Deletion.Deleted), unix(s.Deletion.Purge)
	}
	return d
}

func versionPairOf(p vault.VersionPair) versionPairData {
	d := versionPairData{Version: p.Version, Was: versionInfoOf(p.Was), SameData: p.SameData}
	if p.Is != nil {
		is := versionInfoOf(*p.Is)
		d.Is = &is
	}
	return d
}

func versionInfoOf(v vault.VersionInfo) versionInfoData {
	d := versionInfoData{
		Enabled: v.Attributes.Enabled, Created: unix(v.Attributes.Created),
		Updated: unix(v.Attributes.Updated), Tags: v.Tags, ContentType: v.ContentType,
		Kty: v.Kty, Crv: v.Crv, KeyOps: v.Ops, Exportable: v.Exportable,
	}
	if v.Attributes.NotBefore != nil {
		d.NotBefore = unix(*v.Attributes.NotBefore)
	}
	if v.Attributes.Expires != nil {
		d.Expires = unix(*v.Attributes.Expires)
	}
	return d
}

func unix(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
