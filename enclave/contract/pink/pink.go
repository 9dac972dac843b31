// Package pink is Phala's chain extension, which Phat Contracts reach through call_chain_extension: HTTP from queries,
// signatures, keys that follow from the contract's secret, a cache, logs, and facts about the worker.
//
// Make one [Extension] per worker with [New] and give it to the engine. The functions, their ids and types are those of
// the published crate pink 0.4.1 with extension id 0; docs/spec/pink.md lists each with its price and what it does in a
// query and in a command. A function that the crate does not know ends the call as Unsupported.
//
// # Commands
//
// A command must come out alike on every worker. So in a command the network, the clock, true randomness, the identity
// and attestation of the worker, and reads of the cache give a fixed value, Phala's where it has one; writes of the cache
// happen after the command is durable and never tell whether they fitted; and sr25519 signatures, which Phala refuses
// there, draw their nonce from the randomness of the command.
//
// # Arguments
//
// They are SCALE, canonical and whole: anything else traps, before any work but after it is paid for. Secrets are cleared
// from every buffer of this package when the function returns; the output is the engine's to clear.
package pink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/cache"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// Bounds of one call tree and one call, besides those of the packages fetch and cache.
const (
	// MaxInput is the longest input of a function in bytes.
	MaxInput = 4 << 20
	// MaxRequests is how many HTTP requests one query makes, with the contracts that it calls.
	MaxRequests = 20
	// MaxBatch is how many requests one batch holds, as in Phala.
	MaxBatch = 5
	// MaxPending is how many bytes of keys and values one command may hand to the cache; what is over is dropped, as a
	// cache may drop anything.
	MaxPending = 1 << 20
)

// The version that runtime_version tells: that of Phala's runtime whose functions these are.
const versionMajor, versionMinor = 1, 2

// HTTP makes the requests of contracts; *fetch.Client is one.
type HTTP interface {
	Do(ctx context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error)
}

// Config is what queries reach of the worker. Cache is required; nothing else is.
type Config struct {
	Cache *cache.Cache
	// HTTP is nil where the operator allows no requests: each is then not allowed.
	HTTP HTTP
	// HTTPTime bounds the time from the first request of a query to the end of its last; zero is 10 s.
	HTTPTime time.Duration
	// Worker is the identity key of the worker.
	Worker [32]byte
	// Quote gives the evidence that the worker runs what it says, now; nil where the platform has none.
	Quote func(ctx context.Context) ([]byte, error)
	// Now is the clock that queries see and that HTTPTime goes by; nil is the host's.
	Now func() time.Time
}

// Extension implements [contract.Extension]. Its methods may be called at the same time.
type Extension struct {
	config Config
}

var _ contract.Extension = (*Extension)(nil)

// New makes the extension.
func New(c Config) (*Extension, error) {
	if c.Cache == nil {
		return nil, errors.New("pink: no cache")
	}
	if c.HTTPTime <= 0 {
		c.HTTPTime = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Extension{c}, nil
}

// call is one call of a function.
type call struct {
	ctx    context.Context
	env    contract.ExtensionEnv
	config *Config
	input  []byte
}

// tree is what one call tree has used, kept by the engine.
type tree struct {
	requests int       // HTTP requests
	until    time.Time // when the time for them ends; zero before the first
	pending  int       // bytes on their way to the cache
	quote    []byte    // made once for a query
	quoted   bool
}

type treeKey struct{}

func (c *call) tree() *tree {
	return c.env.Local(treeKey{}, func() any { return new(tree) }).(*tree)
}

// Call implements [contract.Extension].
func (x *Extension) Call(ctx context.Context, env contract.ExtensionEnv, id uint32, input []byte) (uint32, []byte, error) {
	env.Charge(priceDispatch)
	if id >= uint32(len(functions)) || functions[id].run == nil {
		return 0, nil, &contract.ExtensionError{
			Status: contract.Unsupported, Reason: fmt.Sprintf("chain extension %d has no function %d", id>>16, id&0xffff),
		}
	}
	if len(input) > MaxInput {
		return 0, nil, &contract.ExtensionError{
			Status: contract.LimitExceeded, Reason: fmt.Sprintf("chain extension: input is over %d bytes", MaxInput),
		}
	}
	f := functions[id]
	env.Charge(f.base + f.byte*uint64(len(input)))
	status, output, err := f.run(&call{ctx: ctx, env: env, config: &x.config, input: input})
	var ended trap
	switch {
	case errors.As(err, &ended):
		return 0, nil, &contract.ExtensionError{Status: contract.Trapped, Reason: f.name + ": " + string(ended)}
	case err != nil:
		return 0, nil, fmt.Errorf("pink: %s: %w", f.name, err)
	}
	return status, output, nil
}

// trap ends the call of the contract. It is fixed text: the same on every machine, no contract data.
type trap string

// Error implements error.
func (t trap) Error() string { return string(t) }

// record is a layout without a type of its own.
type record func(*scale.Codec)

// Scale implements scale.Record.
func (r record) Scale(c *scale.Codec) { r(c) }

// arguments decodes the whole input, or traps.
func (c *call) arguments(layout record) error {
	if err := scale.Unmarshal(c.input, layout); err != nil {
		return trap("arguments do not decode")
	}
	return nil
}

// result encodes what a function returns with status 0.
func result(layout record) (uint32, []byte, error) {
	b, err := scale.Marshal(layout)
	if err != nil {
		return 0, nil, fmt.Errorf("encode: %w", err)
	}
	return 0, b, nil
}

// nothing is the result of a function that returns ().
func nothing() (uint32, []byte, error) { return 0, nil, nil }

// vector is the result Vec<u8>.
func vector(b []byte) (uint32, []byte, error) {
	return result(func(c *scale.Codec) { c.Bytes(&b, len(b)) })
}

// optional is the result Option<Vec<u8>>.
func optional(b []byte, some bool) (uint32, []byte, error) {
	p := &b
	if !some {
		p = nil
	}
	return result(func(c *scale.Codec) {
		scale.Option(c, &p, func(b *[]byte) { c.Bytes(b, len(*b)) })
	})
}

// boolean is the result bool.
func boolean(v bool) (uint32, []byte, error) {
	return result(func(c *scale.Codec) { c.Bool(&v) })
}
