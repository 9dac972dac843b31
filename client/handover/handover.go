// Package handover drives an upgrade of pRuntime: it takes an identity's keys from the old release's doors to the new one's
// (docs/spec/handover.md). [Run] does it all; run again after any crash, of either pRuntime, of a relay or of itself, it goes
// on where the enclaves stand.
//
// What is promised: nothing here is trusted. A wrong door, account or file makes a step fail, and no step that fails loses keys:
// they are in the old release's file until its offer is, and the offer is given as often as it is asked for. The state's files,
// which are ciphertext, are copied before the new release takes the keys, so that it finds them when it begins.
package handover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// Errors that say what to do.
var (
	// ErrIdentity says that the two pRuntimes are not the old and the new release of one identity.
	ErrIdentity = errors.New("the new release does not wait for the old one's keys; start it with --receive and the old one's identity")
	// ErrDirection says that the new release holds keys although the old one has not given its own away.
	ErrDirection = errors.New("the new release already holds keys and the old one has not handed its own over; are --from and --to the right way round?")
	// ErrNetwork says that the two pRuntimes are on different networks.
	ErrNetwork = errors.New("the two pruntimes are on different networks")
	// ErrNotFollowing says that a pRuntime is not brought the chain's blocks.
	ErrNotFollowing = errors.New("is not brought any blocks; is its relay running?")
	// ErrNotActive says that the old release has no role on the chain now, so that it hears no request.
	ErrNotActive = errors.New("the old release is not active on the chain; let its relay register it first")
	// ErrOperator says that the account is not the operator of the identity's record.
	ErrOperator = errors.New("another account is the operator of this worker")
	// ErrOnlyMember says that the state of a cluster is nowhere else.
	ErrOnlyMember = errors.New("it is the only member of a cluster, whose state is in its home alone; give --from-home and --to-home, or copy HOME/clusters yourself and say --without-state")
	// ErrOtherHeir says that the keys were given to another release than the one that is given here.
	ErrOtherHeir = errors.New("the old release has handed its keys over to another release that asked for them first")
)

// Names of roles in a pRuntime's status.
const (
	roleNone       = "none"
	roleReceiving  = "receiving"
	roleHandedOver = "handed over"
)

const (
	askAgain   = 10               // blocks after which an unanswered request is brought again
	standstill = 60 * time.Second // without a new block
	poll       = 200 * time.Millisecond
	// The chain looks twice at evidence that the policy in force refuses while another is decided.
	gas        = 2*registrytypes.GasRegister + 500_000
	gasPerByte = 2*registrytypes.GasRegisterPerByte + 60
)

// Enclave is a pRuntime's door for its relay, as far as a handover needs it.
type Enclave interface {
	Status(context.Context, *connect.Request[pb.StatusRequest]) (*connect.Response[pb.StatusResponse], error)
	PrepareHandover(context.Context, *connect.Request[pb.PrepareHandoverRequest]) (*connect.Response[pb.PrepareHandoverResponse], error)
	Handover(context.Context, *connect.Request[pb.HandoverRequest]) (*connect.Response[pb.HandoverResponse], error)
	AcceptHandover(context.Context, *connect.Request[pb.AcceptHandoverRequest]) (*connect.Response[pb.AcceptHandoverResponse], error)
}

// Chain reads proven records; *client.Client is one.
type Chain interface {
	Worker(ctx context.Context, id sr25519.PublicKey) (client.Proven[wire.WorkerState], error)
	Cluster(ctx context.Context, id wire.ClusterID) (client.Proven[wire.Cluster], error)
}

// Config is what [Run] runs with. All but the homes, WithoutState and Say is needed.
type Config struct {
	Old, New Enclave
	Chain    Chain
	Payer    client.Payer
	Account  wire.Account // the payer's, which is the operator of the identity's record
	// FromHome and ToHome are the homes of the two; the state of its clusters is copied from one to the other. Both empty
	// where the new release takes the state from other members.
	FromHome, ToHome string
	WithoutState     bool // the state may be lost, or was copied by hand
	// Complete adds to the new release's evidence (SCALE of tee.Evidence) what its verification needs, the maker's collateral. nil
	// leaves it as the platform made it.
	Complete func(ctx context.Context, evidence []byte) ([]byte, error)
	Say      func(format string, a ...any) // progress in words
}

// Result is how a handover ended.
type Result struct {
	Identity    sr25519.PublicKey
	Incarnation wire.Incarnation // of the new release, which the chain has
	Software    string           // the new release's version
	Measurement []byte           // as the chain has it
	Role        string
	State       State
}

// drive is one run.
type drive struct {
	Config
	identity sr25519.PublicKey
}

// Run takes the keys from the old release to the new one and returns when the chain shows the new one to be active.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Say == nil {
		cfg.Say = func(string, ...any) {}
	}
	d := &drive{Config: cfg}
	fresh, err := d.status(ctx, d.New, "the new release")
	if err != nil {
		return Result{}, err
	}
	if d.identity, err = sr25519.ParsePublicKey(fresh.Identity); err != nil {
		return Result{}, fmt.Errorf("identity of the new release: %w", err)
	}
	var state State
	if fresh.Role == roleReceiving {
		state, err = d.take(ctx, fresh)
	} else {
		err = d.taken(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	result, err := d.active(ctx)
	result.State = state
	return result, err
}

func (d *drive) status(ctx context.Context, e Enclave, who string) (*pb.StatusResponse, error) {
	r, err := e.Status(ctx, connect.NewRequest(&pb.StatusRequest{}))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", who, err)
	}
	return r.Msg, nil
}

// taken checks what a run before this one has left. The old release may be gone.
func (d *drive) taken(ctx context.Context) error {
	old, err := d.status(ctx, d.Old, "the old release")
	if err == nil && old.Role != roleHandedOver {
		return ErrDirection
	}
	return nil
}

// take makes the new release the holder.
func (d *drive) take(ctx context.Context, fresh *pb.StatusResponse) (State, error) {
	old, err := d.status(ctx, d.Old, "the old release")
	if err != nil {
		return State{}, err
	}
	if string(old.ChainUid) != string(fresh.ChainUid) {
		return State{}, ErrNetwork
	}
	if string(old.Identity) != string(fresh.Identity) || old.Role == roleReceiving {
		return State{}, ErrIdentity
	}
	if old.Role != roleHandedOver {
		if err := d.ask(ctx, old); err != nil {
			return State{}, err
		}
	}
	r, err := d.Old.Handover(ctx, connect.NewRequest(&pb.HandoverRequest{}))
	if err != nil {
		return State{}, fmt.Errorf("the old release: %w", err)
	}
	d.Say("the old release has given its keys away; it holds none any more")
	var state State
	if d.FromHome != "" {
		if state, err = copyState(d.FromHome, d.ToHome); err != nil {
			return state, err
		}
		d.Say("the state of its clusters is copied: %d files, %d bytes", state.Files, state.Bytes)
	}
	return state, d.accept(ctx, r.Msg.Offer)
}

// ask brings the new release's request to the chain, as often as it takes, until the old one has handed over.
func (d *drive) ask(ctx context.Context, old *pb.StatusResponse) error {
	if err := d.check(ctx, old); err != nil {
		return err
	}
	for {
		if err := d.request(ctx); err != nil {
			return err
		}
		handed, err := d.awaitHanded(ctx)
		if handed || err != nil {
			return err
		}
		d.Say("no answer for %d blocks; asking again", askAgain)
	}
}

// check refuses what would fail later, or lose state.
func (d *drive) check(ctx context.Context, old *pb.StatusResponse) error {
	if old.Role == roleNone {
		return ErrNotActive
	}
	record, err := d.Chain.Worker(ctx, d.identity)
	if err != nil {
		return err
	}
	if record.Record.Operator != d.Account {
		return ErrOperator
	}
	if d.WithoutState || d.FromHome != "" {
		return nil
	}
	for _, id := range record.Record.Clusters {
		x, err := d.Chain.Cluster(ctx, id)
		if err != nil {
			return err
		}
		if len(x.Record.Members) < 2 {
			return fmt.Errorf("cluster %s: %w", id, ErrOnlyMember)
		}
	}
	return nil
}

// request has the new release make a request and brings it to the chain.
func (d *drive) request(ctx context.Context) error {
	var made *pb.PrepareHandoverResponse
	err := d.again(ctx, "the new release to follow the chain", func() error {
		r, err := d.New.PrepareHandover(ctx, connect.NewRequest(&pb.PrepareHandoverRequest{Operator: d.Account[:]}))
		if err == nil {
			made = r.Msg
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the new release: %w", err)
	}
	evidence := made.Evidence
	if d.Complete != nil {
		if evidence, err = d.Complete(ctx, evidence); err != nil {
			return fmt.Errorf("collateral of the new release's evidence: %w", err)
		}
	}
	msg := &registrytypes.MsgRequestHandover{Operator: d.Payer.Address(), Request: made.Request, Evidence: evidence}
	if _, err := d.Payer.Do(ctx, tx.Options{Gas: gas + gasPerByte*uint64(msg.Size())}, msg); err != nil {
		return fmt.Errorf("ask the chain: %w", err)
	}
	d.Say("the chain has verified the new release and told the old one")
	return nil
}

// again repeats a call that answers that it is too early.
func (d *drive) again(ctx context.Context, what string, call func() error) error {
	deadline := time.Now().Add(standstill)
	for said := false; ; {
		err := call()
		if connect.CodeOf(err) != connect.CodeUnavailable {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %w", err, ErrNotFollowing)
		}
		if !said {
			d.Say("waiting for %s", what)
			said = true
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

// awaitHanded waits for some blocks until the old release has handed over.
func (d *drive) awaitHanded(ctx context.Context) (bool, error) {
	d.Say("waiting for the old release to hand over")
	first, last, moved := uint64(0), uint64(0), time.Now()
	for {
		s, err := d.status(ctx, d.Old, "the old release")
		if err != nil {
			return false, err
		}
		if s.Role == roleHandedOver {
			return true, nil
		}
		if first == 0 {
			first = s.Height
		}
		if s.Height != last {
			last, moved = s.Height, time.Now()
		}
		if last >= first+askAgain {
			return false, nil
		}
		if time.Since(moved) > standstill {
			return false, fmt.Errorf("the old release %w", ErrNotFollowing)
		}
		if err := wait(ctx); err != nil {
			return false, err
		}
	}
}

// accept gives the offer to the new release, which proves for itself that it is allowed to take it.
func (d *drive) accept(ctx context.Context, offer []byte) error {
	err := d.again(ctx, "the new release to prove that it is allowed", func() error {
		_, err := d.New.AcceptHandover(ctx, connect.NewRequest(&pb.AcceptHandoverRequest{Offer: offer}))
		return err
	})
	if connect.CodeOf(err) == connect.CodeInvalidArgument {
		return fmt.Errorf("%w: %w", ErrOtherHeir, err)
	}
	if err != nil {
		return fmt.Errorf("the new release: %w", err)
	}
	d.Say("the new release holds the keys")
	return nil
}

// active waits until the chain has the new release's incarnation.
func (d *drive) active(ctx context.Context) (Result, error) {
	d.Say("waiting for the new release to register")
	height, moved := uint64(0), time.Now()
	for {
		s, err := d.status(ctx, d.New, "the new release")
		if err != nil {
			return Result{}, err
		}
		if s.Role != roleReceiving && s.Role != roleNone && !s.NeedsRegistration {
			w, err := d.Chain.Worker(ctx, d.identity)
			if err != nil {
				return Result{}, err
			}
			if string(w.Record.Incarnation[:]) == string(s.Incarnation) && w.Record.Status == wire.WorkerActive {
				return Result{
					Identity: d.identity, Incarnation: w.Record.Incarnation, Software: w.Record.Info.Software,
					Measurement: w.Record.Measurement, Role: s.Role,
				}, nil
			}
		}
		if s.Role == roleHandedOver {
			return Result{}, ErrOtherHeir
		}
		if s.Height != height {
			height, moved = s.Height, time.Now()
		}
		if time.Since(moved) > standstill {
			return Result{}, fmt.Errorf("the new release %w", ErrNotFollowing)
		}
		if err := wait(ctx); err != nil {
			return Result{}, err
		}
	}
}

func wait(ctx context.Context) error {
	t := time.NewTimer(poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
