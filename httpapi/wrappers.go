package httpapi

import (
	"fmt"
	"strings"

	"keyquorum/node"
)

// wrapperRoutes are about the wrappers of the root key beside the shares. The node that is asked
// uses the foreign keys that its own configuration names.
func wrapperRoutes() []route {
	const list, addition = "keyquorum/seal/wrappers", "keyquorum/seal/addition"
	return []route{
		{methods: opGet, shape: list, operation: "admin/wrappers/list",
			serve: recorded(listWrappers, nothing, writeData)},
		{methods: opWrite, shape: list + "/test", operation: "admin/wrappers/test",
			serve: recorded(testWrappers, nothing, writeData)},
		{methods: opRemove, shape: list + "/{wrapper}", operation: "admin/wrappers/remove",
			serve: directly(removeWrapper)},
		{methods: opGet, shape: addition, operation: "admin/wrappers/addition",
			serve: recorded(additionStatus, nothing, writeData)},
		{methods: opWrite, shape: addition, operation: "admin/wrappers/init", body: tinyBody,
			serve: recorded(beginAddition, (*additionRequest).object, writeData)},
		{methods: opRemove, shape: addition, operation: "admin/wrappers/cancel",
			serve: recorded(cancelAddition, nothing, writeData)},
		{methods: opWrite, shape: addition + "/share", operation: "admin/wrappers/add", body: tinyBody,
			shares: true, serve: recorded(giveAdditionShare, nothing, writeData)},
	}
}

type wrapperData struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	About      string `json:"about"`             // which foreign key it is
	Configured bool   `json:"configured"`        // at the node that was asked
	Opens      *bool  `json:"opens,omitempty"`   // absent: it was not tried
	Trouble    string `json:"trouble,omitempty"` // why it does not open there
}

type wrapperList struct {
	Wrappers []wrapperData `json:"wrappers"`
}

func wrappersOf(list []node.WrapperInfo, tested bool) wrapperList {
	return wrapperList{each(list, func(w node.WrapperInfo) wrapperData {
		d := wrapperData{Name: w.Name, Kind: w.Kind, About: w.About, Configured: w.Configured}
		if tested {
			opens := w.Trouble == nil
			d.Opens = &opens
		}
		if w.Trouble != nil {
			d.Trouble = w.Trouble.Error()
		}
		return d
	})}
}

func listWrappers(c *opCall, _ *none) (wrapperList, error) {
	list, err := c.ops.n.Wrappers()
	return wrappersOf(list, false), nodeFailure(err)
}

func testWrappers(c *opCall, _ *none) (wrapperList, error) {
	list, err := c.ops.n.TestWrappers(c.ctx)
	var closed []string
	for _, w := range list {
		if w.Trouble != nil {
			closed = append(closed, w.Name)
		}
	}
	c.detail = fmt.Sprintf("opened=%d", len(list)-len(closed))
	if len(closed) > 0 {
		c.detail += " not=" + strings.Join(closed, ",")
	}
	return wrappersOf(list, true), nodeFailure(err)
}

// removeWrapper names the wrapper in its usage record.
func removeWrapper(c *opCall) error {
	act := func(c *opCall, _ *none) (none, error) {
		return none{}, nodeFailure(c.ops.n.RemoveWrapper(c.ctx, c.params[0]))
	}
	return recorded(act, func(*none) string { return c.params[0] }, noContent)(&c.call)
}

type additionRequest struct {
	Name string `json:"name"` // of a wrapper that the node's configuration names
}

func (q *additionRequest) object() string { return q.Name }

// additionData is where the addition of a wrapper stands.
type additionData struct {
	Started  bool   `json:"started"`
	Nonce    string `json:"nonce"`
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	About    string `json:"about"`
	Progress int    `json:"progress"`
	Required int    `json:"required"`
	Complete bool   `json:"complete"` // the wrapper is on the list
}

func additionOf(s node.AdditionStatus) additionData {
	return additionData{s.Started, s.Nonce, s.Name, s.Kind, s.About, s.Progress, s.Required, s.Complete}
}

func additionStatus(c *opCall, _ *none) (additionData, error) {
	s, err := c.ops.n.Addition()
	return additionOf(s), nodeFailure(err)
}

func beginAddition(c *opCall, q *additionRequest) (additionData, error) {
	s, err := c.ops.n.BeginAddition(c.ctx, q.Name)
	if err != nil {
		return additionData{}, nodeFailure(err)
	}
	c.detail = "kind=" + s.Kind
	return additionOf(s), nil
}

func cancelAddition(c *opCall, q *none) (additionData, error) {
	if err := c.ops.n.CancelAddition(); err != nil {
		return additionData{}, nodeFailure(err)
	}
	return additionStatus(c, q)
}

func giveAdditionShare(c *opCall, q *shareRequest) (additionData, error) {
	share, err := q.share()
	if err != nil {
		return additionData{}, err
	}
	defer clear(share)
	s, err := c.ops.n.GiveAdditionShare(c.ctx, q.Nonce, share, c.begins("a seal wrapper is made"))
	if err != nil {
		return additionData{}, nodeFailure(err)
	}
	c.detail = fmt.Sprintf("share %d of %d", s.Progress, s.Required)
	if s.Complete {
		c.detail = fmt.Sprintf("added=%s kind=%s", s.Name, s.Kind)
	}
	return additionOf(s), nil
}
