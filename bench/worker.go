package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// batch is how many commands are executed, and made durable by one sync, at a time. It is the worker's own bound.
const batch = 512

// envelopeBytes is about what a command's envelope holds: its invocation, padded.
const envelopeBytes = 400

// stage is a worker that runs the counter contract, and its caller.
type stage struct {
	world  *enclavetest.World
	worker *enclavetest.Worker
	client *enclavetest.Client
	code   *enclavetest.Code
	id     wire.ContractID
}

// counter reads the example from the source tree.
func counter() (*enclavetest.Code, error) {
	return enclavetest.ReadContract(filepath.Join("examples", "counter", "counter.contract"))
}

func newStage(b *bench) (*stage, error) {
	code, err := counter()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "worker-")
	if err != nil {
		return nil, err
	}
	w := enclavetest.NewWorld()
	s := &stage{world: w, worker: enclavetest.NewWorker(w, dir), client: enclavetest.NewClient(w), code: code}
	w.Join(s.worker.Keys.Identity(), 0)
	w.Blocks(1)
	w.Fix()
	var at uint64
	s.id, at = s.client.Instantiate(s.client.Upload(code.Wasm, 4000), 1, code.Input("new", enclavetest.I32(0)))
	w.Blocks(1)
	if err := s.worker.Sync(); err != nil {
		return nil, err
	}
	return s, s.executed(at)
}

// executed fetches the receipt of the command at an index and checks that it was done.
func (s *stage) executed(at uint64) error {
	r, err := s.client.Receipt(s.worker, at)
	if err == nil && r.Receipt.Outcome.Status != wire.StatusDone {
		err = fmt.Errorf("%w: command %d is %s: %s", errWrong, at, r.Receipt.Outcome.Status, r.Receipt.Outcome.Fault)
	}
	return err
}

// workerRows compares what a worker does for a query, and for a command, with the parts that it cannot do without.
func workerRows(ctx context.Context, b *bench) error {
	s, err := newStage(b)
	if err != nil {
		return err
	}
	defer s.worker.Stop()
	if b.wants("query_vs_parts") {
		if err := s.queryRow(ctx, b); err != nil {
			return fmt.Errorf("query: %w", err)
		}
	}
	if b.wants("command_vs_parts", "command_vs_all_parts", "command_cpu") {
		return s.commandRows(ctx, b)
	}
	return nil
}

// parts are the steps that every query and command consists of, on an invocation of the same size: an ECDH, a signature
// check, two AES-GCM passes over the envelope's data, and a call of the engine on a bare storage.
func (s *stage) parts(ctx context.Context, data int, message string) ([]step, error) {
	own, peer := enclavetest.Must(ecdh.Generate(rand.Reader)), enclavetest.Must(ecdh.Generate(rand.Reader)).Public()
	inv := s.client.New(wire.ActionCommand, s.id, s.code.Input(message))
	text, err := inv.SigningText(s.client.Target())
	if err != nil {
		return nil, err
	}
	key := enclavetest.Must(sr25519.Generate(rand.Reader))
	sig := enclavetest.Must(key.Sign(rand.Reader, text))
	call, err := s.bareCall(ctx, message)
	if err != nil {
		return nil, err
	}
	return []step{
		{"ecdh", func(int) error { _, err := own.Shared(peer); return err }},
		{"signature", func(int) error { return sr25519.Verify(key.Public(), text, sig) }},
		{"two aes-gcm passes", func(int) error { return errors.Join(pass(data), pass(data)) }},
		{"engine", call},
	}, nil
}

// bareCall is the engine's part: the same contract and message, on a map.
func (s *stage) bareCall(ctx context.Context, message string) (func(int) error, error) {
	m, err := s.worker.Engine.Prepare(ctx, s.code.Wasm)
	if err != nil {
		return nil, err
	}
	storage := contract.NewMapStorage()
	call := contract.Call{Deploy: true, Input: s.code.Input("new", enclavetest.I32(0)), GasLimit: plenty}
	if err := done(s.worker.Engine.Execute(ctx, m, call, storage)); err != nil {
		return nil, err
	}
	call = contract.Call{Input: s.code.Input(message), GasLimit: plenty}
	return func(int) error { return done(s.worker.Engine.Execute(ctx, m, call, storage)) }, nil
}

// queryRow times Role.Query, from the envelope's bytes to the reply's.
func (s *stage) queryRow(ctx context.Context, b *bench) error {
	n := b.samples(2000)
	queries := make([][]byte, n+warmup(n)) // each is another one: a query that was seen is refused
	life := s.client.Life(s.worker)
	for i := range queries {
		inv := s.client.New(wire.ActionQuery, s.id, s.code.Input("get"))
		queries[i] = s.client.SealQuery(s.worker, s.client.Sign(inv, life))
	}
	parts, err := s.parts(ctx, len(queries[0]), "get")
	if err != nil {
		return err
	}
	cluster := s.world.Cluster.ID
	whole := step{"query", func(i int) error {
		_, err := s.worker.Role.Query(ctx, cluster, queries[i+warmup(n)])
		return err
	}}
	d, err := medians(ctx, n, append(parts, whole)...)
	if err != nil {
		return err
	}
	b.add("query_vs_parts", micros(d[4]), "µs", micros(sum(d[:4]...)))
	b.explain(append(parts, whole), d)
	return nil
}

// commandRows time Role.Deliver of batches, for each command of them. command_vs_parts is the time on the wall, with the
// log's one write and sync for each batch shared by its commands, as on a worker. command_cpu is the processors' time of
// the same batches, of all threads, which other programs on the machine hardly change.
func (s *stage) commandRows(ctx context.Context, b *bench) error {
	parts, err := s.parts(ctx, envelopeBytes, "inc")
	if err != nil {
		return err
	}
	steps := append(parts, step{"three leaves of the state", func(int) error { leaf(); leaf(); leaf(); return nil }})
	spent := make([][]time.Duration, len(steps))
	var wall, cpu []time.Duration
	for range max(b.samples(20), 5) {
		if err := ctx.Err(); err != nil {
			return err
		}
		onWall, onCPU, err := s.deliver(ctx, batch)
		if err != nil {
			return fmt.Errorf("command: %w", err)
		}
		wall, cpu = append(wall, onWall/batch), append(cpu, onCPU/batch)
		for k, x := range steps {
			d, err := cpuTime(batch, x)
			if err != nil {
				return err
			}
			spent[k] = append(spent[k], d)
		}
	}
	d, err := medians(ctx, b.samples(2000), steps...)
	if err != nil {
		return err
	}
	onCPU := make([]time.Duration, len(steps))
	for k := range steps {
		onCPU[k] = median(spent[k])
	}
	n := len(parts)
	b.add("command_vs_parts", micros(median(wall)), "µs", micros(sum(d[:n]...)))
	b.add("command_vs_all_parts", micros(median(wall)), "µs", micros(sum(d...)))
	b.add("command_cpu", micros(median(cpu)), "µs", micros(sum(onCPU[:n]...)))
	b.explain(append(steps, step{name: "command"}), append(d, median(wall)))
	return nil
}

// deliver posts n commands and has the worker execute them as one batch. It returns the time on the wall and on the
// processors.
func (s *stage) deliver(ctx context.Context, n int) (wall, cpu time.Duration, err error) {
	from := s.world.Count()
	var last uint64
	for range n {
		last = s.client.Call(s.id, s.code.Input("inc"))
	}
	s.world.Blocks(1)
	if err := s.worker.Step(); err != nil {
		return 0, 0, err
	}
	messages := s.world.Messages(from)
	digests := make([]wire.Hash, n)
	for i := range messages {
		digests[i] = enclavetest.Must(messages[i].Digest())
	}
	head := s.world.Head(s.world.Count())
	topic := wire.ClusterTopic(s.world.Cluster.ID)
	d := dispatch.Delivery{
		Place:    dispatch.Place{Topic: topic, Head: s.world.Head(from)},
		Messages: messages, Digests: digests, Head: head, Proven: head,
	}
	runtime.GC() // what the posting has left is not the worker's to clean up
	start, before := time.Now(), cpuUsed()
	if err := s.worker.Role.Deliver(ctx, s.worker.Chain(), d); err != nil {
		return 0, 0, err
	}
	wall, cpu = time.Since(start), cpuUsed()-before
	return wall, cpu, s.executed(last)
}
