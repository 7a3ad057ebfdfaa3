package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/service"
	"keyquorum/httpapi"
	"keyquorum/internal/terse"
	"keyquorum/node"
)

// Bounds of an orderly end. Those of connections and requests are httpapi's.
const (
	drainTimeout = 10 * time.Second
	closeTimeout = 10 * time.Second
)

// heapFloor is the size of an allocation that nobody touches, so that no memory stands behind it,
// but the collector counts it: a node with few records collects after some 16 MiB of garbage
// instead of 4. Under load that was every 400 reads, and a tenth of their CPU time.
const heapFloor = 8 << 20

const serverHelp = `Run a node, until a signal ends it.

Each setting is a flag, or KEYQUORUM_NAME in the environment (KEYQUORUM_TLS_CERT
for --tls-cert), or a name in the file that --config names (tls_cert). Flags win
over the environment, and that over the file. --data, --tls-cert and --tls-key
are needed; without --zone no application is served.

The file is HCL, with the stanzas of Vault and OpenBao where they mean the same,
or one JSON object. --check says all that is wrong, and ends with code 1 if a
node would not start. SIGHUP has a node open its usage log anew, and read
certificate, log level, throttle, balancers, scheduled snapshots and break-glass
socket again.

Next, keyquorum operator init makes a cluster of the first node. The others find
it by --retry-join, or are told by keyquorum operator raft join, and become
members with their unseal shares.`

func serverCommand() *cobra.Command {
	return nodeCommand(new(serverConfig), "server")
}

// shiftedCommand is what dev runs nodes with whose clock is off. A server has no such setting.
func shiftedCommand() *cobra.Command {
	var config serverConfig
	c := nodeCommand(&config, "node")
	c.Hidden = true
	c.Flags().DurationVar(&config.shift, "time-shift", 0, "how far this node's clock is ahead")
	return c
}

func nodeCommand(config *serverConfig, use string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: "Run a node", Args: console.Arguments(0, 0), Long: serverHelp,
		Example: "  keyquorum server --config /etc/keyquorum/keyquorum.hcl\n" +
			"  keyquorum server --config /etc/keyquorum/keyquorum.hcl --check\n" +
			"  keyquorum server --data /var/lib/keyquorum --listen 10.0.0.1:8200 " +
			"--cluster-listen 10.0.0.1:8201 --gossip-listen 10.0.0.1:8202 " +
			"--tls-cert tls.pem --tls-key tls-key.pem " +
			"--zone vault.example.org=login.example.org"}
	config.bind(c.Flags())
	var checks bool
	c.Flags().BoolVar(&checks, "check", false,
		"say what is wrong with the settings and what they name, change nothing, start no node")
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		config.given = onCommandLine(c.Flags())
		wrong := config.fill(c.Flags(), os.LookupEnv)
		wrong = append(wrong, config.complete()...)
		if checks {
			return checkOf(config, wrong).print(c, format)
		}
		if err := wrong.err(); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return serve(ctx, config)
	}
	return c
}

// ownDescriptors are left to the node itself: files, members, gossip, calls to others.
// leastConnections give each kind of caller a few.
const (
	ownDescriptors   = 1024
	leastConnections = 64
)

// affordable is how many connections the API may have of those that are wanted, so that files and
// members never lack a descriptor. Go has raised the soft limit to the hard one.
func affordable(wanted int) int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return wanted
	}
	left := int(min(limit.Cur, 1<<30)) - ownDescriptors
	return max(leastConnections, min(wanted, left))
}

// serve runs a node until ctx ends (then in order, giving nil) or the node fails (then at once,
// saying why).
func serve(ctx context.Context, config *serverConfig) error {
	defer runtime.KeepAlive(make([]byte, heapFloor))
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // logrotate's too, who does not know how far the start is
	defer signal.Stop(hup)
	repeats := terse.New()
	logger := newLogger(config, repeats)
	stopTelling := tellRepeats(repeats, logger)
	defer stopTelling()
	if err := harden(logger); err != nil {
		return err
	}
	zones, wrong := config.zones()
	plan, more := config.snapshots()
	if err := append(wrong, more...).err(); err != nil {
		return err
	}
	if len(zones) == 0 {
		logger.Warn("there is no --zone, so this node serves operators and no application")
	}
	wrappers, wrong := config.wrappers()
	if err := wrong.err(); err != nil {
		return err
	}
	authorities, err := httpapi.NewAuthorities(config.Authorities, nil)
	if err != nil {
		return err
	}
	cert, err := loadCertificate(config.TLSCert, config.TLSKey, zones, config.APIAddr, logger)
	if err != nil {
		return err
	}
	api, cluster, err := listen(config)
	if err != nil {
		return err
	}
	socket, err := listenBreakGlass(config.BreakGlass, logger)
	if err != nil {
		api.Close()
		cluster.Close()
		return err
	}
	own := nodeConfig(config, cluster, logger)
	own.AuthorityKeys, own.Snapshots = authorities.Keys, plan
	own.Wrappers = make(map[string]node.ForeignKey)
	for name, key := range wrappers {
		own.Wrappers[name] = key
	}
	if config.shift != 0 {
		own.Now = func() time.Time { return time.Now().Add(config.shift) }
	}
	manager := service.Started(logger.Named("service"))
	manager.Status("opens its data folder")
	n, err := node.Open(own)
	if err != nil {
		api.Close()
		socket.close()
		return err
	}
	server := httpapi.NewServer(n, httpapi.Config{
		Zones: zones, Throttle: config.Throttle, OpenMetrics: config.OpenMetrics,
		Connections: affordable(config.Connections), LinesHeld: repeats.Held,
		CertificateEnd: cert.end, Trust: config.Balancers.trust,
		Seeds: config.Seeds, NonVoter: config.NonVoter,
	}, logger.Named("api"))
	shown := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.forHandshake}
	r := &running{config: config, cert: cert, server: server, n: n, logger: logger,
		repeats: repeats, manager: manager, snapshots: config.Snapshots,
		glass: socket.serve(server, logger)}
	return r.attend(ctx, hup, api, shown)
}

func harden(logger hclog.Logger) error {
	if err := node.Harden(); err != nil {
		return fmt.Errorf("the process cannot be protected from being read: %w", err)
	}
	if !node.Protected() {
		logger.Warn("built without GOEXPERIMENT=runtimesecret: copies of keys may stay in memory " +
			"after sealing")
	}
	return nil
}

func nodeConfig(config *serverConfig, cluster net.Listener, logger hclog.Logger) node.Config {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return node.Config{
		Dir:             config.Data,
		UsageLog:        config.UsageLog,
		Reserve:         uint64(config.Reserve),
		Label:           config.Label,
		Region:          config.Region,
		PlaceLeader:     config.PlaceLeader,
		APIAddr:         config.APIAddr,
		ClusterAddr:     config.ClusterAddr,
		ClusterListener: cluster,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", addr)
		},
		Gossip:  node.GossipConfig{Bind: config.GossipListen, Advertise: config.GossipAddr},
		Logger:  logger,
		Timing:  config.Timing,
		Leases:  node.Leases{Off: config.NoLeases},
		Version: version,
	}
}

// running is a node that serves, from the outside in.
type running struct {
	config  *serverConfig
	cert    *certificate
	server  *httpapi.Server
	n       *node.Node
	logger  hclog.Logger
	repeats *terse.Filter
	manager *service.Manager

	snapshots snapshotSettings // in force
	glass     *breakGlass      // nil: there is none
}

// attend serves until something ends it. A sealed node is ready: it waits for its shares.
func (r *running) attend(
	ctx context.Context, hup <-chan os.Signal, api net.Listener, shown *tls.Config,
) error {
	served := make(chan error, 1)
	go func() { served <- r.server.ServeTLS(api, shown) }()
	r.logger.Info("serving", "api", api.Addr().String())
	r.manager.Ready()
	stopWatching := r.watch()
	defer stopWatching()
	for {
		select {
		case <-hup:
			r.reload()
		case <-ctx.Done():
			return r.end()
		case <-r.n.Failed():
			r.glass.end(r.logger)
			r.server.Close()
			return fmt.Errorf("the node cannot go on: %w", r.n.Err())
		case err := <-served:
			return errors.Join(fmt.Errorf("the API stopped: %w", err), r.end())
		}
	}
}

// watch tells the service manager how the node is, until it is stopped.
func (r *running) watch() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		r.manager.Watch(ctx, func() string { return condition(r.n) })
	})
	return func() { cancel(); watching.Wait() }
}

// end answers what was asked, hands leadership over, and stops.
func (r *running) end() error {
	r.logger.Info("stopping: answering what was asked, then handing leadership over")
	r.manager.Stopping()
	r.repeats.End()
	r.glass.end(r.logger)
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := r.server.Shutdown(drain); err != nil {
		r.server.Close() // the slow ones were given their time
	}
	closing, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return r.n.Close(closing)
}

// listen opens both ports, and tries gossip's, before anything is written: a node with a port in
// use touches no data.
func listen(config *serverConfig) (api, cluster net.Listener, err error) {
	api, err = net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, nil, portError("API", "--listen", config.Listen, err)
	}
	cluster, err = net.Listen("tcp", config.ClusterListen)
	if err != nil {
		api.Close()
		return nil, nil, portError("cluster", "--cluster-listen", config.ClusterListen, err)
	}
	if err := tryGossip(config.GossipListen); err != nil {
		api.Close()
		cluster.Close()
		return nil, nil, err
	}
	return api, cluster, nil
}

// tryGossip opens and closes gossip's port: the node opens it only when it has the cluster's gossip
// key, too late to tell whoever typed the address.
func tryGossip(address string) error {
	if address == "" {
		return nil
	}
	stream, err := net.Listen("tcp", address)
	if err != nil {
		return portError("gossip", "--gossip-listen", address, err)
	}
	defer stream.Close()
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return portError("gossip", "--gossip-listen", address, err)
	}
	return packets.Close()
}

func portError(what, flag, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return portInUse(fmt.Sprintf("the %s address %s is in use by another program; choose another "+
			"with %s", what, address, flag))
	}
	return fmt.Errorf("the %s address (%s %s): %w", what, flag, address, err)
}

// A portInUse is EADDRINUSE in other words.
type portInUse string

func (p portInUse) Error() string        { return string(p) }
func (p portInUse) Is(target error) bool { return target == syscall.EADDRINUSE }

// newLogger writes to standard error what repeats does not hold back.
func newLogger(config *serverConfig, repeats *terse.Filter) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: config.Label, Level: hclog.LevelFromString(config.LogLevel), Output: os.Stderr,
		JSONFormat: config.LogFormat == "json", Exclude: repeats.Exclude,
	})
}

// tellRepeats logs from time to time what was held back, until it is stopped.
func tellRepeats(repeats *terse.Filter, logger hclog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var telling sync.WaitGroup
	telling.Go(func() { repeats.Run(ctx, logger) })
	return func() { cancel(); telling.Wait() }
}
