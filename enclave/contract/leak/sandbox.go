package leak

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/pink"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/cache"
	"github.com/phalanx-network/phalanx/wire"
)

// Call is one call of the contract in a sandbox.
type Call struct {
	Caller [32]byte
	Input  []byte          // selector and arguments
	Value  uint128.Uint128 // what the caller sends along; it is given to the caller before
	Query  bool            // the call is a query; otherwise a command
}

// Sandbox runs one contract, each time in an empty state. It may be used by several goroutines.
type Sandbox struct {
	engine *contract.Engine
	module *contract.Module
	code   []byte
	gas    uint64
}

// extend makes the extension of one observation: a worker without network, whose clock stands still and whose cache is
// empty.
func extend() (contract.Extension, error) {
	now := func() time.Time { return time.UnixMilli(timeMillis) }
	return pink.New(pink.Config{Cache: cache.New(cache.DefaultLimits(), now), Now: now})
}

// The sandbox's constants.
const (
	height     = 1_000
	timeMillis = 1_700_000_000_000
)

// The contract's id and the randomness of all calls.
var (
	self = [32]byte{0: 0x5e, 31: 0x1f}
	seed = [32]byte{0: 0x5e, 31: 0xed}
)

// The keys of the invocation whose size is that of a call: an invocation has one size whoever signs it.
var (
	signer  = must(sr25519.ParsePublicKey(base))
	replyTo = must(ecdh.ParsePublicKey(base))
	// base is the base point of Ristretto255 (RFC 9496, 3.1): a key of nobody.
	base = must(hex.DecodeString("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
)

// must is for constants.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// NewSandbox prepares code. Each call gets at most gas. Errors wrap [contract.ErrBadModule] where the code is refused.
func NewSandbox(ctx context.Context, engine *contract.Engine, code []byte, gas uint64) (*Sandbox, error) {
	module, err := engine.Prepare(ctx, code)
	if err != nil {
		return nil, err
	}
	return &Sandbox{engine: engine, module: module, code: code, gas: gas}, nil
}

// SetupError says that a call before the observed one did not end well.
type SetupError struct {
	Call   int // which, from 0: the constructor
	Status contract.Status
	Reason string // for people: the engine's words, no contract data
	Output []byte // where Status is Reverted
}

// Error implements error.
func (e *SetupError) Error() string {
	return fmt.Sprintf("call %d: %s", e.Call, why(e.Status, e.Reason))
}

// why gives in words how a call ended.
func why(s contract.Status, reason string) string {
	if reason == "" {
		return s.String()
	}
	return s.String() + ": " + reason
}

// Observe deploys the contract by the first call, makes the others in order and observes the last one, which may be the
// first. Errors are *[SetupError], and faults of the engine.
func (s *Sandbox) Observe(ctx context.Context, calls []Call) (*Observation, error) {
	state := contract.NewMapStorage()
	state.Place(self, state.Upload(s.code))
	extension, err := extend()
	if err != nil {
		return nil, err
	}
	o := &Observation{}
	for i, c := range calls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o.inputs = append(o.inputs, len(c.Input))
		last := i == len(calls)-1
		r := &recorder{MapStorage: state.Clone(), off: !last}
		out, err := s.run(ctx, c, i == 0, r, extension)
		if err != nil {
			return nil, err
		}
		if last {
			o.fill(c, out, r)
			break
		}
		if out.Status != contract.Done {
			return nil, &SetupError{Call: i, Status: out.Status, Reason: out.Reason, Output: out.Output}
		}
		if !c.Query {
			state = r.MapStorage
			for _, f := range out.AfterCommit {
				f()
			}
		}
	}
	return o, nil
}

func (s *Sandbox) run(ctx context.Context, c Call, deploy bool, r *recorder, extension contract.Extension) (contract.Outcome, error) {
	r.Fund(self, c.Value)
	return s.engine.Execute(ctx, s.module, contract.Call{
		Deploy: deploy, Query: c.Query, Contract: self, Caller: c.Caller, Input: c.Input, Value: c.Value, GasLimit: s.gas,
		Height: height, TimeMillis: timeMillis, Seed: seed, Trace: r.hostCall,
		Extension: extension,
	}, r)
}

// Observation is what one call has shown.
type Observation struct {
	Status contract.Status
	Reason string // for people: why Status is not Done; no contract data
	Output []byte // for people

	inputs []int // bytes of all calls up to this one
	query  bool
	call   int // padded bytes of the call
	reply  int // padded bytes of the receipt or reply; 0 where it does not fit one
	gas    uint64
	steps  []step
	cut    bool     // there were more steps
	events []string // each in words: topics and bytes
	logs   []string // each in words: bytes
}

func (o *Observation) fill(c Call, out contract.Outcome, r *recorder) {
	o.Status, o.Reason, o.Output, o.query, o.gas = out.Status, out.Reason, out.Output, c.Query, out.GasUsed
	o.steps, o.cut = r.steps, r.cut
	for _, e := range out.Events {
		o.events = append(o.events, fmt.Sprintf("%d topics and %d bytes", len(e.Topics), len(e.Data)))
	}
	for _, l := range out.Logs {
		o.logs = append(o.logs, fmt.Sprintf("%d bytes", len(l.Text)))
	}
	o.call = padded(&wire.Invocation{
		From: wire.Sr25519Identity(signer), ReplyTo: replyTo, Payload: wire.Payload{Input: c.Input},
	})
	o.reply = replySize(c.Query, out)
}

// replySize returns the padded size of the receipt or reply that carries an outcome.
func replySize(query bool, out contract.Outcome) int {
	result := wire.Outcome{GasUsed: out.GasUsed, Output: out.Output}
	for _, e := range out.Events {
		result.Events = append(result.Events, wire.Event{Contract: e.Contract, Topics: e.Topics, Data: e.Data})
	}
	if out.Status != contract.Done {
		fault := why(out.Status, out.Reason)
		result.Fault = fault[:min(len(fault), wire.MaxFault)]
	}
	if query {
		return padded(&wire.QueryReply{Outcome: result, Debug: out.Debug[:min(len(out.Debug), wire.MaxDebug)]})
	}
	return padded(&wire.SaltedReceipt{Receipt: wire.Receipt{Outcome: result}})
}

// padded returns the size of a record in an envelope, 0 where it is too large for one.
func padded(record scale.Record) int {
	b, err := scale.Marshal(record)
	if err != nil {
		return 0
	}
	return envelope.PaddedSize(len(b))
}
