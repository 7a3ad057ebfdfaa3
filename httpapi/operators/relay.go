package operators

import (
	"fmt"
	"net/http"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// relayRoutes are for holders of shares: one gives his to all sealed nodes through this one, and
// checks it without giving it to anybody. Neither takes a token, as sys/unseal takes none.
func relayRoutes() []exchange.Route {
	return []exchange.Route{
		{Methods: write, Shape: "keyquorum/unseal", Operation: "sys/unseal-cluster",
			Body: exchange.TinyBody,
			Open: true, Shares: true, Serve: recorded(relay, nothing, writeData)},
		{Methods: get, Shape: "keyquorum/seal-lock", Operation: "sys/seal-lock", Open: true,
			Serve: exchange.Serve(sealLock, writeData)},
	}
}

type relayRequest struct {
	Key wire.SecretText `json:"key"` // hex, or standard base64
}

type relayData struct {
	Nodes []relayedData `json:"nodes"`
}

type relayedData struct {
	NodeID    string `json:"node_id"`
	Label     string `json:"label,omitempty"`
	State     string `json:"state"` // unsealed, sealed, waiting, refused, unreachable
	Progress  int    `json:"progress"`
	Threshold int    `json:"t"`
	Why       string `json:"why,omitempty"` // it was refused
}

func relay(c *call, q *relayRequest) (relayData, error) {
	defer clear(q.Key)
	if len(q.Key) == 0 {
		return relayData{}, wire.Refuse(http.StatusBadRequest, "",
			"'key' must be specified in request body as JSON")
	}
	share, err := decodeShare(q.Key)
	if err != nil {
		return relayData{}, err
	}
	defer clear(share)
	var list []node.RelayedTo
	err = c.given(func() (err error) {
		list, err = c.plane.n.UnsealCluster(c.Ctx, share)
		return err
	})
	if err != nil {
		return relayData{}, nodeFailure(err)
	}
	c.proved = true // the share was good
	c.Shown(connections.Operator)
	took := 0
	for _, to := range list {
		if to.State != node.RelayRefused && to.State != node.RelayUnreachable {
			took++
		}
	}
	c.detail = fmt.Sprintf("one share for %d members, of whom %d took it or need none",
		len(list), took)
	return relayData{each(list, func(to node.RelayedTo) relayedData { return relayedData(to) })}, nil
}

type sealLockData struct {
	Lock []byte `json:"lock"`
}

// sealLock gives what a challenge of a join has too. It leaves nothing behind, so it writes no
// usage record: anyone could fill the log.
func sealLock(c *call, _ *exchange.None) (sealLockData, error) {
	lock, err := c.plane.n.SealLock()
	return sealLockData{lock}, nodeFailure(err)
}
