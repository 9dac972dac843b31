package testnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	networkFile = "network.json"
	relaySuffix = "/relay" // of the id of an enclave's relay
	startPoll   = 20 * time.Millisecond
)

// Devnet is a running network. Its methods are safe for concurrent use.
type Devnet struct {
	plan     *plan
	bin      Binaries
	stderr   io.Writer
	launcher *launcher
	lock     *os.File
	start    time.Time
	control  *control
	// httpAllow are addresses that contracts may reach although they are not public.
	httpAllow []string
	hardware  *Hardware // nil for the simulated platform

	mu      sync.Mutex // guards what is below, and is held while a process starts or ends
	nodes   []*unit
	units   []*unit // gatekeepers and workers
	uid     wire.ChainUID
	cluster wire.ClusterID
	stopped bool
}

// unit is a node, or an enclave with its relay.
type unit struct {
	id       string
	node     *nodePlan
	enclave  *enclavePlan
	main     *child
	relay    *child
	identity sr25519.PublicKey
	endpoint string
	heir     *heir // of a new release; nil for the network's own programs
}

// operator is the name of the account of the unit's relay.
func (u *unit) operator() string {
	if u.heir != nil {
		return operatorPrefix + u.heir.of
	}
	return operatorPrefix + u.enclave.ID
}

// Start runs a network and returns when it is ready: the cluster's key is fixed and every worker runs the cluster. ctx
// bounds the start only; the network runs until Stop.
func Start(ctx context.Context, o Options) (d *Devnet, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Home, err = filepath.Abs(o.Home); err != nil {
		return nil, err
	}
	d = &Devnet{stderr: o.Stderr, start: time.Now(), httpAllow: o.HTTPAllow, hardware: o.Hardware}
	if d.bin, err = o.Binaries.find(); err != nil {
		return nil, err
	}
	if d.lock, err = lockHome(o.Home); err != nil {
		return nil, err
	}
	d.launcher = newLauncher()
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Stop())
			d = nil
		}
	}()
	if d.plan, err = openPlan(o); err != nil {
		return d, err
	}
	for _, dir := range []string{"run", "logs"} {
		if err := os.MkdirAll(d.plan.path(dir), 0o700); err != nil {
			return d, err
		}
	}
	if err := d.run(ctx); err != nil {
		return d, err
	}
	d.control, err = openControl(d)
	return d, err
}

func (d *Devnet) run(ctx context.Context) error {
	if err := d.startNodes(ctx); err != nil {
		return err
	}
	if err := d.startEnclaves(ctx); err != nil {
		return err
	}
	if err := d.bootstrap(ctx); err != nil {
		return fmt.Errorf("%w; see the logs in %s", err, d.plan.path("logs"))
	}
	return d.writeNetwork()
}

// say tells people how far the start has come.
func (d *Devnet) say(format string, args ...any) {
	fmt.Fprintf(d.stderr, "%6.2fs  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, args...))
}

// died is called when a process ends that nobody ended.
func (d *Devnet) died(c *child) {
	d.say("%s ended: %v; `phalanx devnet restart %s` starts it again", c.id, c.err, c.id)
}

// RPC returns the address of the first node's RPC.
func (d *Devnet) rpc() string { return "http://" + d.plan.Nodes[0].RPC }

func (d *Devnet) log(id string) string {
	return d.plan.path("logs", strings.ReplaceAll(id, "/", "-")+".log")
}

func (d *Devnet) startNodes(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.plan.Nodes {
		u := &unit{id: d.plan.Nodes[i].ID, node: &d.plan.Nodes[i], endpoint: "http://" + d.plan.Nodes[i].RPC}
		d.nodes = append(d.nodes, u)
		if err := d.startNode(u); err != nil {
			return err
		}
	}
	for _, u := range d.nodes {
		if err := d.awaitNode(ctx, u, 1); err != nil {
			return err
		}
	}
	n, err := node.Dial(d.rpc())
	if err != nil {
		return err
	}
	if d.uid, err = firstHeader(ctx, n); err != nil {
		return errors.Join(err, n.Close())
	}
	d.say("chain %s runs, uid %s", chainID, d.uid)
	return n.Close()
}

func (d *Devnet) startNode(u *unit) (err error) {
	u.main, err = launch(d.launcher, u.id, d.log(u.id), nil, d.died, d.bin.Phalanx,
		"node", "start", "--home", d.plan.nodeHome(*u.node))
	return err
}

// awaitNode waits until a node has a block of a height.
func (d *Devnet) awaitNode(ctx context.Context, u *unit, height uint64) error {
	n, err := node.Dial(u.endpoint)
	if err != nil {
		return err
	}
	defer n.Close()
	return d.await(ctx, u.id+" to make blocks", u.main, func() (bool, error) {
		s, err := n.Status(ctx)
		if errors.Is(err, node.ErrUnreachable) {
			return false, nil
		}
		return s.Height >= height, err
	})
}

// await asks until the answer is yes, ctx ends or the process does.
func (d *Devnet) await(ctx context.Context, what string, c *child, ask func() (bool, error)) error {
	ticker := time.NewTicker(startPoll)
	defer ticker.Stop()
	var ended <-chan struct{}
	if c != nil {
		ended = c.done
	}
	for {
		ok, err := ask()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-ended:
			return fmt.Errorf("waiting for %s: it ended: %w", what, errors.Join(c.err, errors.New("its log: "+d.log(c.id))))
		case <-ticker.C:
		}
	}
}

func (d *Devnet) startEnclaves(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	for i := range d.plan.Enclaves {
		u := &unit{id: d.plan.Enclaves[i].ID, enclave: &d.plan.Enclaves[i]}
		d.units = append(d.units, u)
		group.Go(func() error { return d.startEnclave(ctx, u) })
	}
	return group.Wait()
}

// startEnclave starts a pruntime, and its relay unless that runs, and waits for the pruntime's doors.
func (d *Devnet) startEnclave(ctx context.Context, u *unit) (err error) {
	e := *u.enclave
	args := []string{
		"--home", d.plan.enclaveHome(e), "--socket", d.plan.socket(e), "--chain-id", chainID, "--chain-uid", d.uid.String(),
		"--trusting-period", trustingPeriod.String(),
	}
	if e.Listen != "" {
		args = append(args, "--listen", e.Listen)
	}
	for _, prefix := range d.httpAllow {
		args = append(args, "--http-allow", prefix)
	}
	program := d.bin.Pruntime
	if d.hardware != nil {
		program, args = d.hardware.Program, append(args, d.hardware.Pruntime(u.id)...)
	}
	if u.heir != nil {
		program, args = u.heir.program, append(args, "--receive", u.heir.identity.String())
	}
	ready := make(chan string, 1)
	if u.main, err = launch(d.launcher, u.id, d.log(u.id), ready, d.died, program, args...); err != nil {
		return err
	}
	if e.Listen != "" {
		u.endpoint = "http://" + e.Listen
	}
	if u.relay.pid() == 0 {
		if err := d.startRelay(u); err != nil {
			return err
		}
	}
	var line string
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", u.id, ctx.Err())
	case line = <-ready:
	}
	var doors struct{ Identity, Endpoint string }
	if json.Unmarshal([]byte(line), &doors) != nil {
		return fmt.Errorf("%s did not become ready; its log: %s", u.id, d.log(u.id))
	}
	if err := u.identity.UnmarshalText([]byte(doors.Identity)); err != nil {
		return fmt.Errorf("%s: %w", u.id, err)
	}
	if doors.Endpoint != u.endpoint {
		return fmt.Errorf("%s serves %q, not %q", u.id, doors.Endpoint, u.endpoint)
	}
	return nil
}

func (d *Devnet) startRelay(u *unit) (err error) {
	e := *u.enclave
	args := []string{
		"relay", "--home", d.plan.home, "--socket", d.plan.socket(e), "--account", u.operator(),
		"--chain-id", chainID,
	}
	for _, n := range d.plan.Nodes {
		args = append(args, "--node", "http://"+n.RPC)
	}
	if u.endpoint != "" {
		args = append(args, "--endpoint", u.endpoint)
	}
	if e.Peer != "" {
		args = append(args, "--peer-listen", e.Peer)
	}
	if d.hardware != nil {
		args = append(args, d.hardware.Relay(u.id)...)
	}
	id := u.id + relaySuffix
	u.relay, err = launch(d.launcher, id, d.log(id), nil, d.died, d.bin.Phalanx, args...)
	return err
}

// Kill ends a process by SIGKILL: worker-0 names a pruntime, worker-0/relay its relay, node-0 a node.
func (d *Devnet) Kill(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, relay, err := d.find(id)
	if err != nil {
		return err
	}
	c := u.main
	if relay {
		c = u.relay
	}
	if err := c.kill(); err != nil {
		return err
	}
	return d.writeNetworkLocked()
}

// Restart starts a process again, after ending it by SIGKILL if it runs. It returns when its doors are open: a worker
// is then still behind, and catches up.
func (d *Devnet) Restart(ctx context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, relay, err := d.find(id)
	if err != nil {
		return err
	}
	switch {
	case relay:
		if err := u.relay.kill(); err != nil {
			return err
		}
		err = d.startRelay(u)
	case u.node != nil:
		if err := u.main.kill(); err != nil {
			return err
		}
		if err = d.startNode(u); err == nil {
			err = d.awaitNode(ctx, u, 1)
		}
	default:
		if err := u.main.kill(); err != nil {
			return err
		}
		err = d.startEnclave(ctx, u)
	}
	return errors.Join(err, d.writeNetworkLocked())
}

var errStopped = errors.New("devnet is stopped")

func (d *Devnet) find(id string) (u *unit, relay bool, err error) {
	if d.stopped {
		return nil, false, errStopped
	}
	name, relay := strings.CutSuffix(id, relaySuffix)
	for _, u := range append(append([]*unit(nil), d.nodes...), d.units...) {
		if u.id == name && (!relay || u.enclave != nil) {
			return u, relay, nil
		}
	}
	return nil, false, fmt.Errorf("%w: %.80q", ErrUnknownProcess, id)
}

// Stop ends every process in order: relays, pruntimes, nodes. It may be called more than once.
func (d *Devnet) Stop() error {
	if d.control != nil {
		d.control.close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil
	}
	d.stopped = true
	var relays, mains, nodes []*child
	for _, u := range d.units {
		relays, mains = append(relays, u.relay), append(mains, u.main)
	}
	for _, u := range d.nodes {
		nodes = append(nodes, u.main)
	}
	var errs error
	for _, group := range [][]*child{relays, mains, nodes} {
		errs = errors.Join(errs, stopAll(group))
	}
	d.launcher.close()
	if d.cluster != (wire.ClusterID{}) {
		errs = errors.Join(errs, d.writeNetworkLocked())
	}
	return errors.Join(errs, d.lock.Close())
}

func stopAll(children []*child) error {
	var group errgroup.Group
	for _, c := range children {
		group.Go(c.stop)
	}
	return group.Wait()
}

// Network says where everything is now.
func (d *Devnet) Network() (Network, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.networkLocked()
}

func (d *Devnet) networkLocked() (Network, error) {
	first := d.plan.Nodes[0]
	n := Network{
		ChainID: chainID, UID: d.uid, RPC: d.rpc(), GRPC: first.GRPC, Gateway: "http://" + first.Gateway,
		TrustingPeriod: trustingPeriod.String(), Cluster: d.cluster,
	}
	for _, u := range d.nodes {
		n.Nodes = append(n.Nodes, Process{ID: u.id, PID: u.main.pid(), Endpoint: u.endpoint, Home: d.plan.nodeHome(*u.node)})
	}
	for _, u := range d.units {
		p := Process{
			ID: u.id, PID: u.main.pid(), RelayPID: u.relay.pid(), Endpoint: u.endpoint, Home: d.plan.enclaveHome(*u.enclave),
			Socket: d.plan.socket(*u.enclave),
		}
		if u.enclave.Gatekeeper {
			n.Gatekeepers = append(n.Gatekeepers, p)
		} else {
			n.Workers = append(n.Workers, p)
		}
	}
	store := account.Open(d.plan.home)
	for _, name := range d.plan.Accounts {
		e, err := store.Entry(name)
		if err != nil {
			return n, err
		}
		n.Accounts = append(n.Accounts, AccountInfo{e.Name, e.Address, e.Identity})
	}
	return n, nil
}

func (d *Devnet) writeNetwork() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writeNetworkLocked()
}

func (d *Devnet) writeNetworkLocked() error {
	n, err := d.networkLocked()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(d.plan.path(networkFile), raw)
}
