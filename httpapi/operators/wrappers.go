package operators

import (
	"fmt"
	"strings"

	"keyquorum/httpapi/exchange"
	"keyquorum/node"
)

// wrapperRoutes are about the wrappers of the root key beside the shares. The node that is asked
// uses the foreign keys that its own configuration names.
func wrapperRoutes() []exchange.Route {
	const list, addition = "keyquorum/seal/wrappers", "keyquorum/seal/addition"
	return []exchange.Route{
		{Methods: get, Shape: list, Operation: "admin/wrappers/list",
			Serve: recorded(listWrappers, nothing, writeData)},
		{Methods: write, Shape: list + "/test", Operation: "admin/wrappers/test",
			Serve: recorded(testWrappers, nothing, writeData)},
		{Methods: remove, Shape: list + "/{wrapper}", Operation: "admin/wrappers/remove",
			Serve: exchange.Directly(removeWrapper)},
		{Methods: get, Shape: addition, Operation: "admin/wrappers/addition",
			Serve: recorded(additionStatus, nothing, writeData)},
		{Methods: write, Shape: addition, Operation: "admin/wrappers/init", Body: exchange.TinyBody,
			Serve: recorded(beginAddition, (*additionRequest).object, writeData)},
		{Methods: remove, Shape: addition, Operation: "admin/wrappers/cancel",
			Serve: recorded(cancelAddition, nothing, writeData)},
		{Methods: write, Shape: addition + "/share", Operation: "admin/wrappers/add",
			Body:   exchange.TinyBody,
			Shares: true, Serve: recorded(giveAdditionShare, nothing, writeData)},
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

func listWrappers(c *call, _ *exchange.None) (wrapperList, error) {
	list, err := c.plane.n.Wrappers()
	return wrappersOf(list, false), nodeFailure(err)
}

func testWrappers(c *call, _ *exchange.None) (wrapperList, error) {
	list, err := c.plane.n.TestWrappers(c.Ctx)
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
func removeWrapper(c *call) error {
	act := func(c *call, _ *exchange.None) (exchange.None, error) {
		return exchange.None{}, nodeFailure(c.plane.n.RemoveWrapper(c.Ctx, c.Params[0]))
	}
	return recorded(act, func(*exchange.None) string { return c.Params[0] },
		exchange.NoContent)(&c.Call)
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
	return additionData{s.Started, s.Nonce, s.Name, s.Kind, s.About, s.Progress, s.Required,
		s.Complete}
}

func additionStatus(c *call, _ *exchange.None) (additionData, error) {
	s, err := c.plane.n.Addition()
	return additionOf(s), nodeFailure(err)
}

func beginAddition(c *call, q *additionRequest) (additionData, error) {
	s, err := c.plane.n.BeginAddition(c.Ctx, q.Name)
	if err != nil {
		return additionData{}, nodeFailure(err)
	}
	c.detail = "kind=" + s.Kind
	return additionOf(s), nil
}

func cancelAddition(c *call, q *exchange.None) (additionData, error) {
	if err := c.plane.n.CancelAddition(); err != nil {
		return additionData{}, nodeFailure(err)
	}
	return additionStatus(c, q)
}

func giveAdditionShare(c *call, q *shareRequest) (additionData, error) {
	share, err := q.share()
	if err != nil {
		return additionData{}, err
	}
	defer clear(share)
	s, err := c.plane.n.GiveAdditionShare(c.Ctx, q.Nonce, share, c.begins("a seal wrapper is made"))
	if err != nil {
		return additionData{}, nodeFailure(err)
	}
	c.detail = fmt.Sprintf("share %d of %d", s.Progress, s.Required)
	if s.Complete {
		c.detail = fmt.Sprintf("added=%s kind=%s", s.Name, s.Kind)
	}
	return additionOf(s), nil
}
