package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// executionVersion is the only execution version that this program knows.
const executionVersion = 1

// errMissingKey says that a message is encrypted to a key epoch that is in force and whose key is not held here. The
// worker must wait for it, since others execute the message.
var errMissingKey = errors.New("the key of an epoch in force is not held yet")

// errWrongKey says that the key which was granted for an epoch is not the one that the chain has fixed. To go on would
// be to contradict the other members.
var errWrongKey = errors.New("the granted key of an epoch in force is not the one that the chain has fixed")

// errExecutionVersion says that the cluster runs under rules that this program does not have.
var errExecutionVersion = errors.New("the cluster needs a newer pruntime: its execution version is unknown")

func unmarshal(b []byte, r scale.Record) error { return scale.Unmarshal(b, r) }

// executor applies messages to the state of one cluster. It is made for each batch and holds no state of its own.
type executor struct {
	uid     wire.ChainUID
	cluster wire.ClusterID
	engine  *contract.Engine
	keys    *clusterKeys
	sys     system
	o       *state.Overlay
	// systemSize is what the system record counts in the view's size. It depends on how messages are batched.
	systemSize int64
	extension  contract.Extension
	compiled   contract.CompiledStore
	// contracts are those that clients instantiated in this batch. Those that contracts made are no business of the
	// chain's: it would learn which calls make contracts.
	contracts []wire.ContractReport
	after     []func() // what is left to be done once the batch is durable
	said      []said   // what is to be kept of logs then
	written   int      // bytes, about; it decides when a batch ends
	marked    bool     // whether the last message was a checkpoint mark
}

// message is a message in its place.
type message struct {
	*wire.Message
	index  uint64
	digest wire.Hash
}

// apply executes one message; its changes are in the overlay and in sys afterwards. An error is a fault of this
// machine, or a key that is awaited, and then the message counts as not taken.
func (x *executor) apply(ctx context.Context, m message, p *prepared) error {
	before := x.sys
	o := x.o.Begin()
	taken, err := x.body(ctx, o, m, p)
	if err != nil {
		x.sys = before
		return err
	}
	if !taken {
		x.sys = before
		x.sys.Noops++
	} else if err := o.Commit(); err != nil {
		x.sys = before
		return err
	}
	x.sys.Head = x.sys.Head.Next(m.digest)
	x.written += 4 * len(m.Payload)
	return nil
}

// body applies the message's body; false means that it is a no-op.
func (x *executor) body(ctx context.Context, o *state.Overlay, m message, p *prepared) (bool, error) {
	switch {
	case p.body == nil:
		return false, nil
	case m.Sender.Variant == wire.SenderAccount && p.request != nil:
		return x.command(ctx, o, m, p)
	case m.Sender.Variant == wire.SenderChain:
		return x.chainBody(o, m, p.body)
	}
	return false, nil
}

// chainBody applies what the chain itself says.
func (x *executor) chainBody(o *state.Overlay, m message, b *wire.Body) (bool, error) {
	switch b.Kind {
	case wire.BodyParams:
		if b.Params.ExecutionVersion != executionVersion {
			return false, fmt.Errorf("%w: %d", errExecutionVersion, b.Params.ExecutionVersion)
		}
		x.sys.Execution = b.Params.ExecutionVersion
	case wire.BodyMembers:
		x.sys.Members = b.Members.Members
	case wire.BodyKeyEpoch:
		// The workers learn of it from the cluster's record; execution depends on fixed epochs only.
	case wire.BodyKeyFixed:
		x.fixKey(m, b.KeyFixed)
	case wire.BodyMark:
		err := x.mark(o, m, b.Mark)
		x.marked = err == nil
		return true, err
	case wire.BodyDeposit:
		return true, x.deposit(o, m, b.Deposit)
	case wire.BodyPaid:
		return true, o.Delete(systemID, systemKey("x/", be64(b.Paid.Number)))
	default:
		return false, nil
	}
	return true, nil
}

// fixKey puts a key in force. The state root changes to its RootKey at the second mark from here.
func (x *executor) fixKey(m message, k *wire.KeyFixed) {
	first := len(x.sys.Fixed) == 0
	x.sys.Fixed = append(slices.Clone(x.sys.Fixed), wire.FixedKey{KeyFixed: *k, Height: m.Height})
	if len(x.sys.Fixed) > maxFixed {
		x.sys.Fixed = x.sys.Fixed[1:]
	}
	if !first || k.Epoch != 0 {
		x.sys.NextRoot = &nextRoot{Epoch: k.Epoch}
	}
}

// deposit credits the beneficiary, or gives the money back where the envelope does not open.
func (x *executor) deposit(o *state.Overlay, m message, d *wire.Deposit) error {
	plain, err := x.open(d.Beneficiary, m.Height)
	if errors.Is(err, errMissingKey) {
		return err
	}
	if errors.Is(err, errWrongKey) {
		return err
	}
	var who wire.Identity
	if err != nil || unmarshal(plain, &who) != nil {
		return withdraw(o, &x.sys, d.Depositor, d.Amount)
	}
	err = credit(o, who.AccountID(), d.Amount)
	if errors.Is(err, errOverflow) {
		return withdraw(o, &x.sys, d.Depositor, d.Amount)
	}
	return err
}

// errEnvelope says that an envelope is not one to the cluster.
var errEnvelope = errors.New("not an envelope to this cluster")

// open opens an envelope of purpose 0 to the cluster's key of the epoch that it names.
func (x *executor) open(raw []byte, height uint64) ([]byte, error) {
	e, err := envelope.Parse(raw)
	if err != nil || e.Purpose != commkey.OnChain || !x.sys.accepts(e.Recipient, e.Epoch, height) {
		return nil, errEnvelope
	}
	k, ok := x.keys.epoch(e.Epoch)
	if !ok {
		return nil, errMissingKey
	}
	if k.ecdh.Public() != e.Recipient {
		return nil, errWrongKey
	}
	plain, err := e.Open(x.uid, k.ecdh)
	if err != nil {
		return nil, errEnvelope
	}
	return plain, nil
}

// flush writes the system record into the overlay.
func (x *executor) flush() error { return save(x.o, []byte(systemEntry), &x.sys) }
