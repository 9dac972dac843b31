package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

// Account is the operator's account.
type Account interface {
	tx.Signer
	Address() wire.Account
}

// Config is what a relay runs with.
type Config struct {
	Socket     string   // the enclave's door for its relay
	Nodes      []string // RPC addresses of nodes; the next is taken when one fails
	ChainID    string   // refuses nodes of another chain; empty to take the first node's word
	Account    Account
	GasPrice   string   // in uphx, a decimal number; empty for nothing
	Endpoints  []string // URLs of the enclave's client port, to publish; none for gatekeepers
	PeerListen string   // host:port of the door for other relays; empty for none
	PeerURL    string   // the URL of that door, to publish; empty for its address
	Metrics    string   // host:port for /metrics and /healthz; empty for none
	// Collateral says where the makers' statements about hardware come from. Its Check and Log are set by [Run] where they
	// are nil.
	Collateral collateral.Config
	Log        *slog.Logger
}

// Chain is a node of the chain; *node.Node is one.
type Chain interface {
	Status(ctx context.Context) (node.Status, error)
	Heights(ctx context.Context, poll time.Duration, each func(height uint64) error) error
	LightBlock(ctx context.Context, height uint64) ([]byte, error)
	Prove(ctx context.Context, key wire.RecordKey, state uint64) (node.Proof, error)
	Query(ctx context.Context, method string, request, response proto.Message) error
	Tx(ctx context.Context, hash []byte) (node.TxResult, error)
}

// Sender sends the account's transactions; *tx.Sender is one.
type Sender interface {
	Address() string
	Send(ctx context.Context, o tx.Options, msgs ...sdk.Msg) (hash []byte, err error)
}

// Enclave is the enclave's door for its relay.
type Enclave = enclavev1connect.RelayServiceClient

const (
	pollInterval   = time.Second
	firstBackoff   = 200 * time.Millisecond
	lastBackoff    = 3 * time.Second
	enclaveBackoff = 100 * time.Millisecond
)

// roleHandedOver is the role of an enclave whose keys a new release has.
const roleHandedOver = "handed over"

// ErrOtherChain says that a node is of another chain than configured.
var ErrOtherChain = errors.New("node is of another chain")

// relay is what outlives the connection to one node.
type relay struct {
	cfg      Config
	enclave  Enclave
	metrics  *metrics
	peerURLs []string
	outbox   outbox
	once     once
	said     said

	collateral Collateral
	attest     attestation
	clock      func() time.Time
}

// Run relays until ctx ends, and then returns nil. Any other return is an error in the configuration.
func Run(ctx context.Context, cfg Config) error {
	if len(cfg.Nodes) == 0 || cfg.Socket == "" || cfg.Account == nil || cfg.Log == nil {
		return errors.New("relay: socket, node, account and log are needed")
	}
	source, err := newCollateral(cfg)
	if err != nil {
		return err
	}
	r := &relay{cfg: cfg, enclave: dialEnclave(cfg.Socket), metrics: newMetrics(), collateral: source, clock: time.Now}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var doors sync.WaitGroup
	defer doors.Wait()
	defer cancel()
	if err := r.openDoors(ctx, &doors); err != nil {
		return err
	}
	r.loop(ctx)
	return nil
}

func newCollateral(cfg Config) (*collateral.Source, error) {
	c := cfg.Collateral
	if c.Check == nil {
		c.Check = collateral.Check
	}
	if c.Log == nil {
		c.Log = cfg.Log
	}
	return collateral.New(c)
}

// openDoors serves the peer door and the metrics where they are asked for.
func (r *relay) openDoors(ctx context.Context, doors *sync.WaitGroup) error {
	open := func(address string, h http.Handler, timeout time.Duration) (net.Addr, error) {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		doors.Go(func() {
			if err := serve(ctx, l, h, timeout); err != nil {
				r.cfg.Log.Error("door closed", "address", l.Addr().String(), "error", err)
			}
		})
		return l.Addr(), nil
	}
	if r.cfg.PeerListen != "" {
		addr, err := open(r.cfg.PeerListen, newPeerHandler(r.enclave), peerTimeout)
		if err != nil {
			return fmt.Errorf("peer door: %w", err)
		}
		url := r.cfg.PeerURL
		if url == "" {
			url = "http://" + addr.String()
		}
		r.peerURLs = []string{url}
		r.cfg.Log.Info("peer door open", "url", url)
	}
	if r.cfg.Metrics != "" {
		addr, err := open(r.cfg.Metrics, r.metrics.handler(), 10*time.Second)
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		r.cfg.Log.Info("metrics open", "url", "http://"+addr.String()+"/metrics")
	}
	return nil
}

// loop runs one session after the other, each with a node, until ctx ends.
func (r *relay) loop(ctx context.Context) {
	backoff := firstBackoff
	for n := 0; ctx.Err() == nil; {
		url := r.cfg.Nodes[n%len(r.cfg.Nodes)]
		blocks, err := r.session(ctx, url)
		if ctx.Err() != nil {
			return
		}
		r.metrics.failures.Add(1)
		r.said.warn(r.cfg.Log, err)
		if enclaveFault(err) && !connect.IsWireError(err) {
			wait(ctx, enclaveBackoff) // it is down, on this machine, and every moment of it counts
			continue
		}
		if !enclaveFault(err) {
			n++
		}
		if blocks > 0 {
			backoff = firstBackoff
		}
		// Half of the interval is drawn, so that relays that lost the same node do not return together.
		wait(ctx, backoff/2+rand.N(backoff/2))
		backoff = min(2*backoff, lastBackoff)
	}
}

// session follows one node until something fails, and returns how many blocks it has brought.
func (r *relay) session(ctx context.Context, url string) (blocks int, err error) {
	n, err := node.Dial(url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	status, err := n.Status(ctx)
	if err != nil {
		return 0, err
	}
	if r.cfg.ChainID != "" && r.cfg.ChainID != status.ChainID {
		return 0, fmt.Errorf("%w: %s is %q, not %q", ErrOtherChain, url, status.ChainID, r.cfg.ChainID)
	}
	sender, err := tx.New(n, r.cfg.Account, tx.Config{ChainID: status.ChainID, GasPrice: r.cfg.GasPrice})
	if err != nil {
		return 0, err
	}
	s := newSession(r, n, sender)
	ctx, cancel := context.WithCancel(ctx)
	defer s.endWork()
	defer cancel()
	err = n.Heights(ctx, pollInterval, func(height uint64) error {
		if err := s.block(ctx, height); err != nil {
			return err
		}
		blocks++
		return nil
	})
	return blocks, err
}

// session is a relay's work with one node.
type session struct {
	*relay
	chain  Chain
	sender Sender
	status *pb.StatusResponse // the enclave's last
	view   view

	transfers sync.WaitGroup // snapshots that are fetched, evidence that is completed
	mu        sync.Mutex
	fetching  map[wire.ClusterID]bool
}

func newSession(r *relay, chain Chain, sender Sender) *session {
	return &session{relay: r, chain: chain, sender: sender, fetching: map[wire.ClusterID]bool{}}
}

// endWork waits for what the session does aside, and forgets what it leaves unfinished.
func (s *session) endWork() {
	s.transfers.Wait()
	s.attest.job = nil
}

// block does everything that a new block calls for.
func (s *session) block(ctx context.Context, height uint64) error {
	start := time.Now()
	if err := s.follow(ctx, height); err != nil {
		return err
	}
	s.metrics.synced(time.Since(start), height, s.status)
	s.said.progress(s.cfg.Log, s.status)
	if s.status.Role == roleHandedOver {
		return nil
	}
	if err := s.register(ctx, height); err != nil {
		return err
	}
	if err := s.publish(ctx, height); err != nil {
		return err
	}
	if err := s.submit(ctx, height); err != nil {
		return err
	}
	s.fetchStates(ctx)
	return nil
}

// enclaveError is a failure at the enclave's door.
type enclaveError struct {
	call string
	err  error
}

func (e *enclaveError) Error() string { return "enclave: " + e.call + ": " + e.err.Error() }
func (e *enclaveError) Unwrap() error { return e.err }

func atEnclave(call string, err error) error {
	if err == nil {
		return nil
	}
	return &enclaveError{call, err}
}

// enclaveFault reports whether the enclave failed, and not the node: another node would not help. What the enclave
// calls false may be the node's doing.
func enclaveFault(err error) bool {
	var e *enclaveError
	return errors.As(err, &e) && connect.CodeOf(err) != connect.CodeInvalidArgument
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
