package enclavetest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/wire"
)

// Bench is a worker with a counter contract, to measure what a query and a command cost it beside the sum of their
// parts.
type Bench struct {
	Worker *Worker
	Client *Client
	ID     wire.ContractID
	code   *Code
}

// NewBench starts a worker whose disk is below dir, with a counter made of code.
func NewBench(dir string, code *Code) (*Bench, error) {
	w := NewWorld()
	b := &Bench{Worker: NewWorker(w, dir), Client: NewClient(w), code: code}
	w.Join(b.Worker.Keys.Identity(), 0)
	w.Fix()
	hash := b.Client.Upload(code.Wasm, wire.MaxInput)
	var at uint64
	b.ID, at = b.Client.Instantiate(hash, 1, code.Input("default"))
	w.Blocks(1)
	if err := b.Worker.Sync(); err != nil {
		return nil, err
	}
	r, err := b.Client.Receipt(b.Worker, at)
	if err != nil {
		return nil, err
	}
	if r.Receipt.Outcome.Status != wire.StatusDone {
		return nil, errors.New(r.Receipt.Outcome.Fault)
	}
	return b, nil
}

// Query answers n queries of the counter's value and returns how long the worker took for all; making them is not
// counted.
func (b *Bench) Query(n int) (time.Duration, error) {
	// So far ahead that what is remembered of earlier queries is forgotten.
	b.Worker.World.Blocks(60)
	if err := b.Worker.Sync(); err != nil {
		return 0, err
	}
	raws := make([][]byte, n)
	life := b.Client.Life(b.Worker)
	for i := range raws {
		raws[i] = b.Client.SealQuery(b.Worker, b.Client.Sign(b.Client.New(wire.ActionQuery, b.ID, b.code.Input("get")), life))
	}
	var last []byte
	begin := time.Now()
	for _, raw := range raws {
		var err error
		if last, err = b.Worker.Role.Query(context.Background(), b.Worker.World.Cluster.ID, raw); err != nil {
			return 0, err
		}
	}
	took := time.Since(begin)
	var reply wire.QueryReply
	if err := b.Client.Open(last, &reply); err != nil {
		return 0, err
	}
	if reply.Outcome.Status != wire.StatusDone {
		return 0, errors.New(reply.Outcome.Fault)
	}
	return took, nil
}

// Command executes n increments, as deliveries of at most 512, and returns how long the worker took for all, the disk
// included; making them is not counted.
func (b *Bench) Command(n int) (time.Duration, error) {
	w := b.Worker.World
	var took time.Duration
	var at uint64
	for n > 0 {
		some := min(n, 512)
		n -= some
		for range some {
			at = b.Client.Call(b.ID, b.code.Input("inc"))
		}
		w.Blocks(1)
		b.Worker.header.Store(&seen{w.Header(), time.Now()})
		from := b.Worker.Status().Count
		messages := w.Messages(from)
		d := dispatch.Delivery{
			Place: dispatch.Place{Topic: wire.ClusterTopic(w.Cluster.ID), Head: w.Head(from)}, Messages: messages, Digests: digests(messages),
			Head: w.Head(w.Count()), Proven: w.Head(w.Count()),
		}
		begin := time.Now()
		if err := b.Worker.Role.Deliver(context.Background(), b.Worker.Chain(), d); err != nil {
			return 0, err
		}
		took += time.Since(begin)
	}
	r, err := b.Client.Receipt(b.Worker, at)
	if err != nil {
		return 0, err
	}
	if r.Receipt.Outcome.Status != wire.StatusDone {
		return 0, errors.New(r.Receipt.Outcome.Fault)
	}
	return took, nil
}

// Parts are what a query or command cannot do without.
type Parts struct {
	Ecdh, Verify, Cipher, Engine time.Duration // each for one
}

// Sum is all of them.
func (p Parts) Sum() time.Duration { return p.Ecdh + p.Verify + p.Cipher + p.Engine }

// QueryParts measures a query's parts, n times each: one ECDH, one signature check, two passes of AES-GCM, and the bare
// engine call.
func (b *Bench) QueryParts(n int) (Parts, error) { return b.parts(n, "get", 2) }

// CommandParts measures a command's: one ECDH, one signature check, two passes of AES-GCM (the command's and the
// log's), and the bare engine call.
func (b *Bench) CommandParts(n int) (Parts, error) { return b.parts(n, "inc", 2) }

func (b *Bench) parts(n int, message string, passes int) (Parts, error) {
	var p Parts
	own, peer := Must(ecdh.Generate(rand.Reader)), Must(ecdh.Generate(rand.Reader)).Public()
	err := errors.Join(
		each(n, &p.Ecdh, func() error { _, err := own.Shared(peer); return err }),
		b.verify(n, &p.Verify),
		seal(n, passes, &p.Cipher),
		b.engine(n, message, &p.Engine),
	)
	return p, err
}

// each runs f n times and stores the mean.
func each(n int, mean *time.Duration, f func() error) error {
	begin := time.Now()
	for range n {
		if err := f(); err != nil {
			return err
		}
	}
	*mean = time.Since(begin) / time.Duration(n)
	return nil
}

func (b *Bench) verify(n int, mean *time.Duration) error {
	inv := b.Client.Sign(b.Client.New(wire.ActionCommand, b.ID, b.code.Input("inc")), b.Client.Target())
	text, err := inv.SigningText(b.Client.Target())
	if err != nil {
		return err
	}
	pk := b.Client.key.Public()
	return each(n, mean, func() error { return sr25519.Verify(pk, text, sr25519.Signature(inv.Sig.Bytes)) })
}

func seal(n, passes int, mean *time.Duration) error {
	key := make([]byte, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	plain, iv := make([]byte, 512), make([]byte, 12)
	return each(n, mean, func() error {
		for range passes {
			gcm.Seal(nil, iv, plain, nil)
		}
		return nil
	})
}

// engine calls the counter with a map for its state.
func (b *Bench) engine(n int, message string, mean *time.Duration) error {
	ctx := context.Background()
	m, err := b.Worker.Engine.Prepare(ctx, b.code.Wasm)
	if err != nil {
		return err
	}
	space := bareStorage{}
	call := contract.Call{Deploy: true, Input: b.code.Input("default"), GasLimit: 1 << 40}
	run := func() error {
		out, err := b.Worker.Engine.Execute(ctx, m, call, space)
		if err == nil && out.Status != contract.Done {
			err = fmt.Errorf("%s: %s", out.Status, out.Reason)
		}
		return err
	}
	if err := run(); err != nil {
		return err
	}
	call.Deploy, call.Input = false, b.code.Input(message)
	return each(n, mean, run)
}

// bareStorage is the least that the engine runs on.
type bareStorage map[string][]byte

// Get reads an entry.
func (s bareStorage) Get(key []byte) ([]byte, bool) {
	v, ok := s[string(key)]
	return v, ok
}

// Set writes an entry.
func (s bareStorage) Set(key, value []byte) { s[string(key)] = value }

// Delete removes an entry.
func (s bareStorage) Delete(key []byte) { delete(s, string(key)) }

// Balance is nothing.
func (bareStorage) Balance([32]byte) uint128.Uint128 { return uint128.Zero }

// Transfer fails.
func (bareStorage) Transfer(_, _ [32]byte, _ uint128.Uint128) error { return errors.New("no ledger") }
