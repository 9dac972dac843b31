// Package enclave is a pRuntime: it wires the keys, the light client, the roles and the doors together and runs them.
//
// Call [Run] with a [Config] that names the platform. It returns when its context ends, with every secret erased from
// memory, or at once with an error that says what to do.
//
// What is promised is what the packages below promise; this one adds no logic of its own:
// keys owns every secret, light and dispatch decide what is believed, worker and gatekeeper are the roles, rotation
// renews the EcdhKey, handover moves the keys to the next release, and rpc is the only door.
package enclave

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/gatekeeper"
	"github.com/phalanx-network/phalanx/enclave/handover"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/rotation"
	"github.com/phalanx-network/phalanx/enclave/rpc"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// ErrNotReady says that the chain's record of this enclave is not proven at the newest header yet.
var ErrNotReady = errors.New("the chain's record of this enclave is not proven yet; bring its proof first")

// ErrAway says that the identity's keys are another release's, which registers.
var ErrAway = errors.New("the identity's keys are not here")

// ErrTrustRoot says that the sealed header began at another trust root than the chain's first header.
var ErrTrustRoot = errors.New("this enclave began at another trust root; give the same one again")

// maxClockDrift is how far a block's time may lie ahead of the host's clock.
const maxClockDrift = 10 * time.Second

// Config is what a pRuntime runs with. All but Listen, Stage, Outside and Receive is needed.
type Config struct {
	Home           string // keys, state and socket are below it
	Socket         string // the relay's door; empty for relay.sock in Home
	Listen         string // host and port of the client port; empty for none, as gatekeepers have
	ChainID        string
	UID            wire.ChainUID
	Trust          light.TrustRoot // the zero value means the chain's first header, whose hash is UID
	TrustingPeriod time.Duration
	Platform       Platform
	Software       string // the release's version
	Rand           io.Reader
	Now            func() time.Time
	Log            *slog.Logger
	Ready          func(Doors) // called once when both doors are open
	// Stage is a directory on a file system in the enclave's memory, through which compiled code is kept; elsewhere, or
	// where it is empty, code is compiled again after each start.
	Stage   string
	Outside Outside
	// Receive is the identity whose keys this release takes over from the one before, where the home has none yet; the zero
	// key for an identity of its own.
	Receive sr25519.PublicKey
}

// Platform is the TEE that the program runs in.
type Platform struct {
	Attester tee.Attester
	Sealer   tee.Sealer
}

// Doors say where a pRuntime is reached.
type Doors struct {
	Identity string `json:"identity"`
	Socket   string `json:"socket"`
	Endpoint string `json:"endpoint"` // URL of the client port, empty for none
}

// Enclave is a running pRuntime.
type Enclave struct {
	cfg      Config
	keys     *keys.Keyring
	chain    *dispatch.Dispatcher
	worker   *worker.Role
	keeper   *gatekeeper.Role
	engine   *contract.Engine
	rotation *rotation.Rotation
	custody  *handover.Custody
	evidence atomic.Pointer[[]byte] // of the last registration
}

// Run opens the keys and serves both doors until ctx ends.
func Run(ctx context.Context, cfg Config) (err error) {
	e, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close(ctx)) }()
	return e.serve(ctx)
}

func open(ctx context.Context, cfg Config) (*Enclave, error) {
	ring, err := openKeys(ctx, cfg)
	if err != nil {
		return nil, err
	}
	e := &Enclave{cfg: cfg, keys: ring, rotation: rotation.New(ring)}
	e.custody = handover.New(handover.Config{
		UID: cfg.UID, Keys: ring, Attester: cfg.Platform.Attester, Software: cfg.Software, Header: e.seen,
	})
	client, floor, err := e.lightClient(ctx)
	if err != nil {
		return nil, errors.Join(err, ring.Close())
	}
	if e.engine, err = contract.NewKeepingEngine(ctx, contract.DefaultLimits(), cfg.Stage); err != nil {
		return nil, errors.Join(err, ring.Close())
	}
	if cfg.Stage != "" && !e.engine.Keeps() {
		cfg.Log.Warn("compiled code is not kept: the stage is not on a file system in memory", "stage", cfg.Stage)
	}
	extension, err := e.extension()
	if err != nil {
		return nil, errors.Join(err, e.engine.Close(ctx), ring.Close())
	}
	e.keeper = gatekeeper.New(ring)
	e.worker = worker.New(worker.Config{
		UID:       cfg.UID,
		Keys:      ring,
		Rand:      cfg.Rand,
		Engine:    e.engine,
		Extension: extension,
		Dir:       filepath.Join(cfg.Home, "clusters"),
		Header:    e.header,
	})
	e.chain = dispatch.New(dispatch.Config{
		UID: cfg.UID, Keys: ring, Light: client, Now: cfg.Now, Floor: floor,
		Own: e.rotation, Worker: e.custody.Watch(e.worker), Gatekeeper: e.custody.Watch(e.keeper), Custody: e.custody,
	})
	e.custody.See(e.chain)
	return e, nil
}

func openKeys(ctx context.Context, cfg Config) (*keys.Keyring, error) {
	dir := filepath.Join(cfg.Home, "keys")
	if cfg.Receive == (sr25519.PublicKey{}) {
		return keys.Open(ctx, dir, cfg.Platform.Sealer, cfg.UID, "pruntime", cfg.Rand)
	}
	return keys.OpenReceiver(ctx, dir, cfg.Platform.Sealer, cfg.UID, "pruntime", cfg.Rand, cfg.Receive)
}

// lightClient continues from the sealed header, or begins at the trust root. A root other than the one that the sealed
// header began at is a new root of trust: what this enclave holds for others is erased before it is believed. That is
// done only where a root was given: to forget the option at a restart must not cost a gatekeeper its MasterKey.
func (e *Enclave) lightClient(ctx context.Context) (*light.Client, time.Time, error) {
	opts := light.Options{TrustingPeriod: e.cfg.TrustingPeriod, MaxClockDrift: maxClockDrift}
	given := e.cfg.Trust != light.TrustRoot{}
	if !given {
		e.cfg.Trust = light.TrustRoot{Height: 1, Hash: e.cfg.UID}
	}
	sealed, blockTime, err := e.keys.Trusted()
	if err != nil {
		return nil, time.Time{}, err
	}
	floor := time.UnixMilli(int64(blockTime))
	if sealed == nil {
		c, err := light.New(e.cfg.ChainID, e.cfg.Trust, opts)
		return c, floor, err
	}
	c, err := light.Restore(e.cfg.ChainID, e.cfg.Trust, opts, sealed)
	if !errors.Is(err, light.ErrState) {
		return c, floor, err
	}
	if !given {
		return nil, floor, fmt.Errorf("%w: %w", ErrTrustRoot, err)
	}
	e.cfg.Log.Warn("new trust root: shares and cluster keys are erased", "height", e.cfg.Trust.Height)
	if c, err = light.New(e.cfg.ChainID, e.cfg.Trust, opts); err != nil {
		return nil, floor, err
	}
	return c, floor, e.keys.ReplaceTrustRoot(ctx, nil, 0)
}

func (e *Enclave) header() (light.Header, time.Duration, bool) { return e.chain.Header() }

func (e *Enclave) seen() (light.Header, bool) {
	h, _, ok := e.chain.Header()
	return h, ok
}

func (e *Enclave) close(ctx context.Context) error {
	e.worker.Stop()
	e.keeper.Stop()
	return errors.Join(e.engine.Close(context.WithoutCancel(ctx)), e.keys.Close())
}

// serve opens the doors and waits until ctx ends or one of them fails.
func (e *Enclave) serve(ctx context.Context) error {
	socket := e.cfg.Socket
	if socket == "" {
		socket = filepath.Join(e.cfg.Home, "relay.sock")
	}
	relayListener, err := rpc.ListenRelay(socket)
	if err != nil {
		return err
	}
	doors := Doors{Identity: e.keys.Identity().String(), Socket: socket}
	var clientListener net.Listener
	if e.cfg.Listen != "" {
		if clientListener, err = net.Listen("tcp", e.cfg.Listen); err != nil {
			return errors.Join(fmt.Errorf("client port: %w", err), relayListener.Close())
		}
		doors.Endpoint = "http://" + clientListener.Addr().String()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 2)
	served := clusters{e.worker, e.keys}
	running := 1
	go func() { done <- rpc.Serve(ctx, relayListener, rpc.NewRelayHandler(e.chain, served, e, e.custody)) }()
	if clientListener != nil {
		running++
		go func() { done <- rpc.Serve(ctx, clientListener, rpc.NewClientHandler(e.chain, served, e)) }()
	}
	e.cfg.Ready(doors)
	var errs error
	for range running {
		errs = errors.Join(errs, <-done)
		cancel()
	}
	return errs
}

// About names the enclave.
func (e *Enclave) About() rpc.About {
	key, epoch, _ := e.keys.EcdhKey() // fails only once the keys are closed; then there is nobody to tell
	kind := e.cfg.Platform.Attester.Kind()
	return rpc.About{
		Identity:    e.keys.Identity().Bytes(),
		Ecdh:        key.Bytes(),
		EcdhEpoch:   epoch,
		Incarnation: e.keys.Incarnation(),
		UID:         e.cfg.UID,
		Platform:    kind.String(),
		Simulated:   kind == tee.KindSimulated,
		Software:    e.cfg.Software,
	}
}

// Register makes a registration for the newest verified header, with the evidence of the platform for it.
func (e *Enclave) Register(ctx context.Context, operator wire.Account) (rpc.Registration, error) {
	if s := e.keys.Standing(); s != keys.Holding {
		return rpc.Registration{}, fmt.Errorf("%w: %s", ErrAway, s)
	}
	h, _, ok := e.chain.Header()
	if !ok {
		return rpc.Registration{}, dispatch.ErrNoHeader
	}
	record, present, known, err := e.chain.OwnRecord()
	if err != nil {
		return rpc.Registration{}, err
	}
	params, ok := e.chain.Params()
	if !known || !ok {
		return rpc.Registration{}, ErrNotReady
	}
	own := &record
	if !present {
		own = nil
	}
	ecdhKey, err := e.rotation.RegistrationKey(ctx, own, params.RotationGrace)
	if err != nil {
		return rpc.Registration{}, err
	}
	return e.attest(ctx, wire.Registration{
		Version:      wire.RegistrationVersion,
		Identity:     e.keys.Identity(),
		Ecdh:         ecdhKey,
		UID:          e.cfg.UID,
		Incarnation:  e.keys.Incarnation(),
		HeaderHeight: h.Height,
		HeaderHash:   h.Hash,
		Operator:     operator,
		Software:     e.cfg.Software,
	})
}

func (e *Enclave) attest(ctx context.Context, r wire.Registration) (rpc.Registration, error) {
	body, err := scale.Marshal(&r)
	if err != nil {
		return rpc.Registration{}, fmt.Errorf("registration: %w", err)
	}
	sig, err := e.keys.Sign(wire.KindRegistration, body)
	if err != nil {
		return rpc.Registration{}, fmt.Errorf("registration: %w", err)
	}
	data, err := r.ReportData()
	if err != nil {
		return rpc.Registration{}, fmt.Errorf("registration: %w", err)
	}
	ev, err := e.cfg.Platform.Attester.Attest(ctx, data)
	if err != nil {
		return rpc.Registration{}, fmt.Errorf("attestation: %w", err)
	}
	evidence, err := scale.Marshal(&ev)
	if err != nil {
		return rpc.Registration{}, fmt.Errorf("evidence: %w", err)
	}
	e.evidence.Store(&evidence)
	return rpc.Registration{Registration: body, Evidence: evidence, Signature: sig[:]}, nil
}
