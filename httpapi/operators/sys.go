package operators

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
	"keyquorum/vault"
)

// sysRoutes are /v1/sys but for raft, and the one token call that clients make to log in.
func sysRoutes() []exchange.Route {
	return []exchange.Route{
		{Methods: probe, Shape: "sys/health", Operation: "sys/health", Open: true, Probe: true,
			Within: exchange.ProbeTime, Serve: exchange.Directly(health)},
		{Methods: get, Shape: "sys/seal-status", Operation: "sys/seal-status", Open: true, Probe: true,
			Within: exchange.ProbeTime, Serve: exchange.Serve(sealStatus, writeData)},
		{Methods: get, Shape: "sys/leader", Operation: "sys/leader", Open: true, Probe: true,
			Within: exchange.ProbeTime, Serve: exchange.Serve(leader, writeData)},
		{Methods: get, Shape: "sys/ha-status", Operation: "sys/ha-status",
			Serve: recorded(haStatus, nothing, writeData)},
		{Methods: get, Shape: "sys/init", Operation: "sys/init", Open: true, Probe: true,
			Within: exchange.ProbeTime, Serve: exchange.Serve(initialized, writeData)},
		{Methods: write, Shape: "sys/init", Operation: "sys/init", Body: exchange.OpenBody, Open: true,
			Shares: true,
			Serve:  shownOnce(initialize, initShows, writeInit)},
		{Methods: write, Shape: "sys/unseal", Operation: "sys/unseal", Body: exchange.TinyBody,
			Open:   true,
			Shares: true,
			Serve:  recorded(unseal, nothing, writeData)},
		{Methods: write, Shape: "sys/seal", Operation: "sys/seal", Alone: true, Idle: true,
			Serve: recorded(sealNode, nothing, exchange.NoContent)},
		{Methods: write, Shape: "sys/step-down", Operation: "sys/step-down",
			Serve: recorded(stepDown, nothing, exchange.NoContent)},
		{Methods: get, Shape: "sys/key-status", Operation: "sys/key-status", Held: true,
			Serve: recorded(keyStatus, nothing, writeData)},
		{Methods: write, Shape: "sys/rotate", Operation: "sys/rotate",
			Serve: recorded(rotateKeyring, nothing, exchange.NoContent)},
		{Methods: write, Shape: "sys/rotate/keyring", Operation: "sys/rotate",
			Serve: recorded(rotateKeyring, nothing, exchange.NoContent)},
		{Methods: get, Shape: "auth/token/lookup-self", Operation: "token/lookup-self",
			Serve: exchange.Serve(lookupSelf, writeData)},
	}
}

type healthData struct {
	Initialized        bool   `json:"initialized"`
	Sealed             bool   `json:"sealed"`
	Standby            bool   `json:"standby"`
	PerformanceStandby bool   `json:"performance_standby"`
	ReplicationMode    string `json:"replication_performance_mode"`
	ReplicationDRMode  string `json:"replication_dr_mode"`
	Removed            bool   `json:"removed_from_cluster"`
	ServerTime         int64  `json:"server_time_utc"`
	Version            string `json:"version"`
	ClusterName        string `json:"cluster_name,omitempty"`
	ClusterID          string `json:"cluster_id,omitempty"`

	Trouble  string `json:"trouble,omitempty"`        // why this node refuses what others serve
	NoRoom   string `json:"refuses_writes,omitempty"` // why, while it serves reads
	Rootless bool   `json:"lacks_root_key,omitempty"` // that of new shares; it serves as before
}

// health answers probes from memory. It needs no usage record (decision 21).
func health(c *call) error {
	memory, cancel := context.WithCancel(c.Ctx)
	cancel() // with a context that has ended, Leader asks nobody
	h, led := c.plane.n.Health(), c.plane.n.Leader(memory).Known
	code, err := healthCode(h, led, c.R.URL.RawQuery)
	if err != nil {
		return err
	}
	d := healthData{
		Initialized: h.Initialized, Sealed: h.Sealed, Standby: !h.Leader, PerformanceStandby: standsBy(h),
		Removed:         h.Removed,
		ReplicationMode: "disabled", ReplicationDRMode: "disabled", ServerTime: h.Now.Unix(),
		Version: c.plane.version,
	}
	if h.Initialized && !h.Sealed {
		d.ClusterID, d.ClusterName = h.ClusterID, clusterName(h.ClusterID)
		d.Trouble, d.NoRoom = troubleOf(h, led), noRoomOf(h)
	}
	c.Status = code
	return writeData(c, &d)
}

func standsBy(h node.Health) bool {
	return h.Initialized && !h.Sealed && !h.Leader && !h.Removed && !h.Unfit
}

// troubleOf says to strangers why an unsealed node is not ready. Paths and the like are in the
// node's log, and in sys/ha-status.
func troubleOf(h node.Health, leaderKnown bool) string {
	switch {
	case h.Removed:
		return "this node was removed from its cluster"
	case h.Unfit:
		return "this node serves nobody: sys/seal-status and its log say why"
	case h.Trouble:
		return "its usage log can't be written, or its disk hangs: its log says more"
	case !h.Leader && (!leaderKnown || h.OutOfTouch):
		return "no leader answers this node"
	}
	return ""
}

// noRoomOf says to strangers why an unsealed node takes no writes, while it is ready for all else.
func noRoomOf(h node.Health) string {
	switch {
	case errors.Is(h.NoRoom, node.ErrNoRoomHere):
		return "little room is left on this node's disk"
	case h.NoRoom != nil:
		return "too few nodes have room left on their disks"
	}
	return ""
}

// clusterName is what clients show; clusters have no other name.
func clusterName(id string) string {
	return "keyquorum-cluster-" + id[:min(len(id), 8)]
}

// healthCode is the matrix of Vault and OpenBao: the state's status, unless the query names
// another. 200 and 473 mean that this node would answer a request. A follower serves reads
// itself, so it is what that contract calls a performance standby; who asks for standbys means it
// too.
func healthCode(h node.Health, leaderKnown bool, raw string) (int, error) {
	q, err := readHealthQuery(raw)
	if err != nil {
		return 0, err
	}
	switch {
	case !h.Initialized:
		return q.status(http.StatusNotImplemented, "uninitcode"), nil
	case h.Removed:
		return q.status(530, "removedcode"), nil
	case h.Sealed || h.Unfit || h.Trouble:
		return q.status(http.StatusServiceUnavailable, "sealedcode"), nil
	case h.Leader:
		return q.status(http.StatusOK, "activecode"), nil
	case !leaderKnown || h.OutOfTouch:
		return q.status(474, "haunhealthycode"), nil
	case q.standbys:
		return http.StatusOK, nil
	default:
		return q.status(473, "performancestandbycode", "standbycode"), nil
	}
}

// A healthQuery is what a probe wants to be answered.
type healthQuery struct {
	standbys bool           // 200 for standbys too
	statuses map[string]int // by parameter, of those that were given
}

// readHealthQuery refuses a bad value also of a parameter that doesn't count in the state of now:
// the probe would be found broken only when it is needed.
func readHealthQuery(raw string) (healthQuery, error) {
	q := healthQuery{statuses: map[string]int{}}
	for _, name := range []string{"standbyok", "perfstandbyok"} {
		yes, err := wire.QueryBool(raw, name)
		if err != nil {
			return q, err
		}
		q.standbys = q.standbys || yes
	}
	for _, name := range []string{
		"activecode", "standbycode", "performancestandbycode", "drsecondarycode",
		"removedcode", "haunhealthycode", "uninitcode", "sealedcode",
	} {
		v := wire.Query(raw, name)
		if v == "" {
			continue
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 200 || n > 599 {
			return q, wire.Refuse(http.StatusBadRequest, "",
				"bad value for "+name+": it is a status, 200 to 599")
		}
		q.statuses[name] = n
	}
	return q, nil
}

// status is what the first of these parameters that was given names, or usual.
func (q healthQuery) status(usual int, names ...string) int {
	for _, name := range names {
		if n, given := q.statuses[name]; given {
			return n
		}
	}
	return usual
}

type sealStatusData struct {
	Type         string `json:"type"`
	Initialized  bool   `json:"initialized"`
	Sealed       bool   `json:"sealed"`
	T            int    `json:"t"`
	N            int    `json:"n"`
	Progress     int    `json:"progress"`
	Nonce        string `json:"nonce"`
	Version      string `json:"version"`
	CommitDate   string `json:"commit_date"`
	BuildDate    string `json:"build_date"`
	Migration    bool   `json:"migration"`
	ClusterName  string `json:"cluster_name,omitempty"`
	ClusterID    string `json:"cluster_id,omitempty"`
	RecoverySeal bool   `json:"recovery_seal"`
	StorageType  string `json:"storage_type"`

	Trouble  string `json:"trouble,omitempty"`        // why this node serves nobody, shares or not
	Waiting  bool   `json:"waiting,omitempty"`        // the shares were good; it waits for a leader
	NoRoom   string `json:"refuses_writes,omitempty"` // why, while it serves reads
	Rootless bool   `json:"lacks_root_key,omitempty"` // that of new shares; it serves as before
	Joining  string `json:"joining,omitempty"`        // what a node that is to join waits for

	Repeated bool `json:"given_already,omitempty"` // the share that was given now

	Snapshots  string `json:"scheduled_snapshots,omitempty"` // that they fail, on the leader
	Unattended string `json:"unattended_unseal,omitempty"`   // "trying", "held"; absent: by shares alone
	Restoring  bool   `json:"restoring,omitempty"`           // a snapshot is; an unsealed node says so
}

func sealStatusOf(s node.SealStatus) sealStatusData {
	d := sealStatusData{
		Type: "shamir", StorageType: "raft", Initialized: s.Initialized, Sealed: s.Sealed, T: s.Threshold,
		N:        s.Shares,
		Progress: s.Progress, Version: s.Version, Trouble: s.Unfit, Waiting: s.Opening,
		Rootless: s.Rootless, Unattended: s.Unattended,
	}
	if s.Initialized && !s.Sealed {
		d.ClusterID, d.ClusterName = s.ClusterID, clusterName(s.ClusterID)
	}
	if s.Opening {
		d.Progress = s.Threshold // nobody need type them again
	}
	return d
}

func sealStatus(c *call, _ *exchange.None) (sealStatusData, error) {
	s := sealStatusOf(c.plane.n.SealStatus())
	s.Joining = c.joinWaits()
	if h := c.plane.n.Health(); s.Trouble == "" && !s.Sealed {
		memory, cancel := context.WithCancel(c.Ctx)
		cancel() // Leader asks nobody
		s.Trouble, s.NoRoom = troubleOf(h, c.plane.n.Leader(memory).Known), noRoomOf(h)
		s.Snapshots, s.Restoring = snapshotsFail(c.plane.n.Scheduled()), c.plane.n.Restoring()
	}
	return s, nil
}

type leaderData struct {
	HA                   bool      `json:"ha_enabled"`
	IsSelf               bool      `json:"is_self"`
	ActiveTime           time.Time `json:"active_time"`
	LeaderAddress        string    `json:"leader_address"`
	LeaderClusterAddress string    `json:"leader_cluster_address"`
	PerformanceStandby   bool      `json:"performance_standby"`
	LastWAL              uint64    `json:"performance_standby_last_remote_wal"`
	Committed            uint64    `json:"raft_committed_index"`
	Applied              uint64    `json:"raft_applied_index"`
}

// leader answers only when unsealed: "Vault is sealed" is what clients look for to report a sealed
// node with HA.
func leader(c *call, _ *exchange.None) (leaderData, error) {
	h := c.plane.n.Health()
	if h.Sealed || !h.Initialized {
		return leaderData{}, wire.Unavailable("Vault is sealed")
	}
	l := c.plane.n.Leader(c.asking())
	if l.ClusterAddr != "" {
		l.ClusterAddr = "https://" + l.ClusterAddr // clients show a URL
	}
	return leaderData{
		HA: true, IsSelf: l.IsSelf, ActiveTime: l.Since.UTC(), LeaderAddress: l.APIAddr,
		LeaderClusterAddress: l.ClusterAddr,
		PerformanceStandby:   standsBy(h), Committed: l.Committed, Applied: l.Applied,
	}, nil
}

// asking is the context in which a stranger's call may ask other nodes: one that has ended when too
// many have.
func (c *call) asking() context.Context {
	if c.plane.askers.Allow() {
		return c.Ctx
	}
	memory, cancel := context.WithCancel(c.Ctx)
	cancel()
	return memory
}

type initializedData struct {
	Initialized bool `json:"initialized"`
}

func initialized(c *call, _ *exchange.None) (initializedData, error) {
	return initializedData{c.plane.n.SealStatus().Initialized}, nil
}

type initRequest struct {
	Shares            int      `json:"secret_shares"`
	Threshold         int      `json:"secret_threshold"`
	PGPKeys           []string `json:"pgp_keys"`
	RootTokenPGPKey   string   `json:"root_token_pgp_key"`
	RecoveryShares    int      `json:"recovery_shares"`
	RecoveryThreshold int      `json:"recovery_threshold"`
	RecoveryPGPKeys   []string `json:"recovery_pgp_keys"`
	StoredShares      int      `json:"stored_shares"` // Vault's client sends it; it is nothing here
}

// check refuses what can't be done.
func (q *initRequest) check() error {
	var text string
	switch {
	case q.RecoveryShares != 0 || q.RecoveryThreshold != 0 || len(q.RecoveryPGPKeys) > 0:
		text = "parameters recovery_shares,recovery_threshold,recovery_pgp_keys not applicable to seal type shamir"
	default:
		if text = checkSplit(q.Shares, q.Threshold); text == "" {
			return nil
		}
	}
	return wire.Refuse(http.StatusBadRequest, "", text)
}

func (q *initRequest) recipients() (to node.InitRecipients, err error) {
	if to.Shares, err = recipients(q.PGPKeys, q.Shares); err == nil && q.RootTokenPGPKey != "" {
		to.Token, err = recipient("root_token_pgp_key", q.RootTokenPGPKey)
	}
	return to, err
}

func initialize(c *call, q *initRequest) (node.InitResult, error) {
	if c.plane.n.SealStatus().Initialized { // said before anything is said of the body
		return node.InitResult{}, nodeFailure(node.ErrInitialized)
	}
	if err := q.check(); err != nil {
		return node.InitResult{}, err
	}
	to, err := q.recipients()
	if err != nil {
		return node.InitResult{}, err
	}
	c.detail = fmt.Sprintf("shares=%d threshold=%d", q.Shares, q.Threshold)
	begins := vault.Unkeyed{Request: c.Req, Operation: "sys/init", Detail: c.detail, Begins: true}
	if err := c.plane.n.Record(begins); err != nil {
		return node.InitResult{}, wire.Unrecorded(" Nothing was done.")
	}
	r, err := c.plane.n.InitFor(c.Ctx, q.Shares, q.Threshold, to)
	return r, nodeFailure(err)
}

func initShows(*node.InitResult) bool { return true }

// writeInit copies shares and root token into the answer, the only place they are ever shown, and
// clears them.
func writeInit(c *call, r *node.InitResult) error {
	data := make([]byte, 0, 128*len(r.Shares)+len(r.RootToken)*6+256)
	data = appendShares(append(data, '{'), r.Shares)
	data = append(wire.AppendString(append(data, `,"root_token":`...), r.RootToken), '}')
	r.RootToken.Zero()
	*c.Out = appendEnvelope(*c.Out, c.Req.ID, data)
	clear(data)
	return nil
}

type unsealRequest struct {
	Key     wire.SecretText `json:"key"`
	Reset   bool            `json:"reset"`
	Migrate bool            `json:"migrate"`
}

func unseal(c *call, q *unsealRequest) (sealStatusData, error) {
	defer clear(q.Key)
	switch sealed := c.plane.n.SealStatus().Sealed; {
	case q.Migrate:
		return sealStatusData{}, wire.Refuse(http.StatusBadRequest, "", "seal migration is not supported")
	case q.Reset && !sealed:
		return sealStatusData{}, wire.Refuse(http.StatusBadRequest, "", "vault is unsealed")
	case q.Reset && len(q.Key) == 0:
		return sealStatusData{}, wire.Refuse(http.StatusBadRequest, "",
			"a reset takes a share too, as 'key': otherwise any stranger could throw the progress away")
	case len(q.Key) == 0:
		return sealStatusData{}, wire.Refuse(http.StatusBadRequest, "",
			"'key' must be specified in request body as JSON, with 'reset' to forget the shares given so far")
	case !sealed:
		return sealStatusOf(c.plane.n.SealStatus()), nil
	}
	share, err := decodeShare(q.Key)
	if err != nil {
		return sealStatusData{}, err
	}
	defer clear(share)
	if q.Reset {
		var s node.SealStatus
		err := c.given(func() (err error) {
			s, err = c.plane.n.ResetUnseal(share)
			return err
		})
		return sealStatusOf(s), nodeFailure(err)
	}
	return c.give(share)
}

// give hands one share to the node. One that was given already changes nothing, which is no error
// to its holder.
func (c *call) give(share []byte) (sealStatusData, error) {
	var s node.SealStatus
	err := c.given(func() (err error) {
		s, err = c.plane.n.Unseal(c.Ctx, share)
		return err
	})
	if node.IsDuplicateShare(err) {
		d := sealStatusOf(c.plane.n.SealStatus())
		d.Repeated = d.Sealed
		return d, nil
	}
	switch {
	case err != nil:
	case s.Sealed && s.Opening:
		c.detail = "the shares are complete; it waits for a leader"
	case s.Sealed:
		c.detail = fmt.Sprintf("share %d of %d", s.Progress, s.Threshold)
	default:
		c.detail, c.proved = "unsealed", true
		c.Shown(connections.Operator)
	}
	return sealStatusOf(s), nodeFailure(err)
}

func decodeShare(text []byte) ([]byte, error) {
	if share, ok := node.DecodeShare(text); ok {
		return share, nil
	}
	return nil, wire.Refuse(http.StatusBadRequest, "", "'key' must be a valid hex or base64 string: an "+
		"unseal share is 66 hex digits, or 44 characters of base64. It may be cut off or mistyped")
}

func sealNode(c *call, _ *exchange.None) (exchange.None, error) {
	if wire.Query(c.R.URL.RawQuery, "scope") != "" {
		return exchange.None{}, wire.Refuse(http.StatusBadRequest, "",
			"a seal call seals the node that gets it; 'scope' is not supported")
	}
	return exchange.None{}, nodeFailure(c.plane.n.Seal(c.Ctx))
}

func stepDown(c *call, _ *exchange.None) (exchange.None, error) {
	return exchange.None{}, nodeFailure(c.plane.n.StepDown(c.Ctx))
}

type tokenData struct {
	ID             string    `json:"id"`
	Accessor       string    `json:"accessor"`
	Policies       []string  `json:"policies"`
	Path           string    `json:"path"`
	Meta           *struct{} `json:"meta"`
	DisplayName    string    `json:"display_name"`
	NumUses        int       `json:"num_uses"`
	Orphan         bool      `json:"orphan"`
	CreationTime   int64     `json:"creation_time"`
	CreationTTL    int64     `json:"creation_ttl"`
	ExpireTime     *string   `json:"expire_time"`
	ExplicitMaxTTL int64     `json:"explicit_max_ttl"`
	TTL            int64     `json:"ttl"`
	EntityID       string    `json:"entity_id"`
	Type           string    `json:"type"`
}

// lookupSelf tells a client about its own token. It gets its token back as the id: `login` wants
// it.
func lookupSelf(c *call, _ *exchange.None) (tokenData, error) {
	t, err := c.Vaults.LookupSelf(c.Ctx, c.operator)
	return tokenData{
		ID: string(c.token()), Accessor: t.Accessor,
		Policies: each(t.Policies, func(s string) string { return s }),
		Path:     "auth/token/root", DisplayName: t.DisplayName, Orphan: true,
		CreationTime: t.Created.Unix(), Type: "service",
	}, err
}
