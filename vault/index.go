package vault

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Beside the objects of a vault lie indexes of them, so that nobody has to look at all heads to
// find a few. Whoever changes a head writes them in the same transaction (storeHead):
//
//	vault/<id>/deleted/<kind>/<folded name>         an object that is not live
//	vault/<id>/due/<16 hex>/<kind>/<folded name>    when it is to be purged, Unix seconds; 0: at once
//	vault/<id>/rotating/<folded name>               a key whose policy has it rotated
//
// A vault that was made before there were indexes gets its entries from a pass (Sweep), and the
// mark
//
//	vault/<id>/indexed                              all that is there is in the indexes
//
// with the last of them. Until then whoever lists or sweeps it looks at all heads.
func deletedDir(vaultID,
	kind string) string {
	return vaultDir(vaultID) + "deleted/" + kind + "/"
}
func dueDir(vaultID string) string               { return vaultDir(vaultID) + "due/" }
func rotatingDir(vaultID string) string          { return vaultDir(vaultID) + "rotating/" }
func rotatingPath(vaultID, folded string) string { return rotatingDir(vaultID) + folded }
func indexedPath(vaultID string) string          { return vaultDir(vaultID) + "indexed" }
func dueEntry(at int64, kind, folded string) string {
	return fmt.Sprintf("%016x/%s/%s", at, kind, folded)
}

// An indexRecord is an entry: all that it says is in its path.
type indexRecord struct {
	_ struct{} `cbor:",toarray"`
}

// A place is what the path of a head says.
type place struct{ vaultID, kind, name string }

func placeOf(headPath string) place {
	p := strings.SplitN(headPath, "/", 4)
	return place{p[1], p[2], p[3]}
}

// entries are the paths by which indexes know an object with this head; nil is no object.
func (p place) entries(h *head) []string {
	if h == nil || h.State == live {
		return nil
	}
	return []string{
		deletedDir(p.vaultID, p.kind) + p.name,
		dueDir(p.vaultID) + dueEntry(h.due(), p.kind, p.name),
	}
}

// storeHead writes h in the place of the object's head, and has the indexes follow.
func (d *decision) storeHead(o object, h *head) error {
	if err := d.reindex(o, h); err != nil {
		return err
	}
	return d.store(o.path, h)
}

// reindex has the indexes know an object by h and no longer by its head; nil: there is none any
// more.
func (d *decision) reindex(o object, h *head) error {
	p := placeOf(o.path)
	now := p.entries(h)
	for _, path := range p.entries(o.head) {
		if len(now) == 0 || path != now[0] && path != now[1] {
			d.remove(path)
		}
	}
	for _, path := range now {
		if err := d.enterIndex(path); err != nil {
			return err
		}
	}
	return nil
}

// enterIndex adds an entry that is not there.
func (d *decision) enterIndex(path string) error {
	if _, there := d.read(path); there {
		return nil
	}
	return d.store(path, &indexRecord{})
}

// noteRotation has the index of keys that are rotated follow a policy; nil: the key is gone.
func (d *decision) noteRotation(o object, r *rotationRecord) error {
	p := placeOf(o.path)
	if p.kind != keyKind {
		return nil
	}
	path := rotatingPath(p.vaultID, p.name)
	if r != nil && r.rotates() {
		return d.enterIndex(path)
	}
	d.remove(path)
	return nil
}

// holdIndexes makes conditions of all entries that this decision may change, so that a transaction
// that is filled up has room for them.
func (d *decision) holdIndexes(o object, next *head) {
	p := placeOf(o.path)
	for _, h := range []*head{o.head, next} {
		for _, path := range p.entries(h) {
			d.read(path)
		}
	}
	if p.kind == keyKind {
		d.read(rotatingPath(p.vaultID, p.name))
	}
}

// indexed says whether the indexes of the vault that was entered have all that is there.
func (d *decision) indexed() bool {
	_, ok := d.view.Get(indexedPath(d.vault.ID))
	return ok
}

// index has the indexes of a vault from before there were any know all that is there.
func (p *pass) index(r *vaultRecord) error {
	d := p.look()
	if d.vault = r; d.indexed() {
		return nil
	}
	for kind := range plurals {
		for name := range heads(d.view, headDir(r.ID, kind), "") {
			if err := p.passOver(p.indexHead(r, place{r.ID, kind, name})); err != nil {
				return err
			}
		}
	}
	return p.decide(func(d *decision) error {
		if err := d.enterAgain(r); err != nil {
			return err
		}
		return d.enterIndex(indexedPath(r.ID))
	})
}

func (p *pass) indexHead(r *vaultRecord, at place) error {
	begun := time.Now()
	err := p.decide(func(d *decision) error {
		if err := d.enterAgain(r); err != nil {
			return err
		}
		o := object{path: headPath(at.vaultID, at.kind, at.name)}
		h, ok, err := load(d, d.v.heads, o.path)
		if err != nil || !ok {
			return err
		}
		if err := d.reindex(o, h); err != nil {
			return err
		}
		return d.indexPolicy(object{path: o.path, head: h})
	})
	if err != nil {
		return err
	}
	return p.rest(dutyRests * time.Since(begun))
}

// indexPolicy enters a key that its policy has rotated.
func (d *decision) indexPolicy(o object) error {
	if placeOf(o.path).kind != keyKind {
		return nil
	}
	policy, err := d.rotation(o)
	if err != nil {
		return err
	}
	return d.noteRotation(o, policy)
}

// decide settles what nobody is told of: no object changes.
func (p *pass) decide(act func(*decision) error) error {
	ctx, cancel := context.WithTimeout(p.ctx, dutyTime)
	defer cancel()
	_, err := p.settle(ctx, act)
	return err
}
