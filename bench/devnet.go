package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/testnet"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	blockTime   = testnet.DefaultBlockTime
	readyBlocks = 15
	callBlocks  = 3
	queryMillis = 3
	idleMiB     = 150
	settle      = 3 * time.Second
	gasLog2     = 30
	gasOfPush   = 20_000_000 // of one transaction of pushes
)

// network is a running devnet with a client, and a contract on it.
type network struct {
	net    *testnet.Devnet
	where  testnet.Network
	node   *node.Node
	client *client.Client
	payer  *tx.Sender
	alice  *account.Account
	signer client.Signer
	worker sr25519.PublicKey
	code   *enclavetest.Code
	id     wire.ContractID
}

// devnetRows start networks of real processes and use the last one as a client does.
func devnetRows(ctx context.Context, b *bench) (err error) {
	s := &network{}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.start(ctx, b); err != nil {
		return err
	}
	time.Sleep(settle)
	if err := s.rssRow(b, "idle_rss"); err != nil {
		return err
	}
	if !b.wants("command_receipt", "query", "push", "loaded_rss") {
		return nil
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	for _, rows := range []func(context.Context, *bench) error{s.commandRow, s.queryRow, s.pushRow} {
		if err := rows(ctx, b); err != nil {
			return err
		}
	}
	return s.rssRow(b, "loaded_rss")
}

// start starts fresh networks, one after the other, and leaves the last one running.
func (s *network) start(ctx context.Context, b *bench) error {
	var took []time.Duration
	starts := 1
	if b.wants("devnet_ready") && !b.quick {
		starts = 5
	}
	for i := range starts {
		if s.net != nil {
			if err := s.net.Stop(); err != nil {
				return err
			}
		}
		o := testnet.Options{Home: filepath.Join(b.dir, fmt.Sprintf("devnet-%d", i)), BlockTime: blockTime}
		if b.quick {
			o.Stderr = os.Stderr
		}
		for _, p := range []struct {
			to   *string
			name string
		}{{&o.Binaries.Phalanx, "phalanx"}, {&o.Binaries.Pruntime, "pruntime-sim"}} {
			path, err := filepath.Abs(filepath.Join(b.bin, p.name))
			if err != nil {
				return err
			}
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("%w (make build writes it)", err)
			}
			*p.to = path
		}
		starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
		began := time.Now()
		net, err := testnet.Start(starting, o)
		cancel()
		if err != nil {
			return err
		}
		s.net = net
		took = append(took, time.Since(began))
	}
	b.add("devnet_ready", median(took).Seconds(), "s", (readyBlocks * blockTime).Seconds())
	return nil
}

// connect makes a client that believes the network by its proofs, and deploys the counter.
func (s *network) connect(ctx context.Context) (err error) {
	if s.where, err = s.net.Network(); err != nil {
		return err
	}
	if s.node, err = node.Dial(s.where.RPC); err != nil {
		return err
	}
	period, err := time.ParseDuration(s.where.TrustingPeriod)
	if err != nil {
		return err
	}
	s.client, err = client.Dial(ctx, client.Config{
		ChainID: s.where.ChainID, UID: s.where.UID, Node: s.node, TrustingPeriod: period,
	})
	if err != nil {
		return err
	}
	home := filepath.Dir(filepath.Dir(s.where.Workers[0].Home))
	if s.alice, err = account.Open(home).Get("alice", nil); err != nil {
		return err
	}
	s.signer = client.Of(s.alice)
	if s.payer, err = tx.New(s.node, s.alice, tx.Config{ChainID: s.where.ChainID}); err != nil {
		return err
	}
	if s.code, err = counter(); err != nil {
		return err
	}
	d := client.Deployment{
		Cluster: s.where.Cluster, From: s.signer, Code: s.code.Wasm, Input: s.code.Input("new", enclavetest.I32(0)),
	}
	made, err := s.client.Deploy(ctx, s.payer, d)
	if err != nil {
		return err
	}
	s.id = made.Contract
	cluster, err := s.client.Cluster(ctx, s.where.Cluster)
	if err != nil {
		return err
	}
	s.worker = cluster.Record.Members[0].Identity
	return nil
}

func (s *network) close() error {
	var errs error
	if s.alice != nil {
		s.alice.Zero()
	}
	if s.client != nil {
		errs = errors.Join(errs, s.client.Close())
	}
	if s.node != nil {
		errs = errors.Join(errs, s.node.Close())
	}
	if s.net != nil {
		errs = errors.Join(errs, s.net.Stop())
	}
	return errs
}

// commandRow times commands from before they are encrypted until their receipts are opened and checked. They begin at
// random moments of a block's time, as people's do.
func (s *network) commandRow(ctx context.Context, b *bench) error {
	if !b.wants("command_receipt") {
		return nil
	}
	var took []time.Duration
	for range max(b.samples(31), 5) {
		time.Sleep(mrand.N(blockTime))
		start := time.Now()
		r, err := s.client.Command(ctx, s.payer, client.Request{
			Cluster: s.where.Cluster, From: s.signer, To: s.id, Input: s.code.Input("inc"),
		})
		if err != nil {
			return fmt.Errorf("command: %w", err)
		}
		took = append(took, time.Since(start))
		if err := client.Check(r.Outcome()); err != nil {
			return fmt.Errorf("command: %w", err)
		}
	}
	b.add("command_receipt", median(took).Seconds(), "s", (callBlocks * blockTime).Seconds())
	return nil
}

// queryRow times queries to one worker, from before they are encrypted until their replies are opened and checked.
func (s *network) queryRow(ctx context.Context, b *bench) error {
	if !b.wants("query") {
		return nil
	}
	q := client.Query{Cluster: s.where.Cluster, Worker: s.worker, From: s.signer, To: s.id, Input: s.code.Input("get")}
	d, err := medians(ctx, max(b.samples(1000), 200), step{"query", func(int) error {
		a, err := s.client.Query(ctx, q)
		if err != nil {
			return err
		}
		return client.Check(a.Outcome)
	}})
	if err != nil {
		return err
	}
	b.add("query", millis(d[0]), "ms", queryMillis)
	return nil
}

// pushRow times how long the chain takes for a push, many in a transaction and many transactions on their way at once,
// until all are in blocks. The reference is one in a transaction, waiting for each block.
func (s *network) pushRow(ctx context.Context, b *bench) error {
	if !b.wants("push") {
		return nil
	}
	const entries = 64
	transactions := max(b.samples(32), 8)
	cluster, err := s.client.Cluster(ctx, s.where.Cluster)
	if err != nil {
		return err
	}
	var msgs []*mqtypes.MsgPush
	for range transactions {
		m := &mqtypes.MsgPush{Sender: s.payer.Address()}
		for range entries {
			own := enclavetest.Must(ecdh.Generate(rand.Reader))
			e, err := envelope.Seal(rand.Reader, s.where.UID, own, cluster.Record.Fixed.Key, cluster.Record.Fixed.Epoch,
				commkey.OnChain, make([]byte, 200)) // no invocation: what is measured is the chain, and the workers count a no-op
			if err != nil {
				return err
			}
			m.Entries = append(m.Entries, mqtypes.PushEntry{Cluster: s.where.Cluster[:], GasLog2: gasLog2, Envelope: e.Marshal()})
		}
		msgs = append(msgs, m)
	}
	start := time.Now()
	var hashes [][]byte
	for _, m := range msgs {
		hash, err := s.payer.Send(ctx, tx.Options{Gas: gasOfPush}, m)
		if err != nil {
			return fmt.Errorf("push: %w", err)
		}
		hashes = append(hashes, hash)
	}
	for _, hash := range hashes {
		if _, err := s.payer.Wait(ctx, hash); err != nil {
			return fmt.Errorf("push: %w", err)
		}
	}
	each := time.Since(start) / time.Duration(transactions*entries)
	b.add("push", millis(each), "ms", millis(blockTime))
	return nil
}

var vmRSS = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

// rssRow reads how much memory the largest worker holds.
func (s *network) rssRow(b *bench, name string) error {
	where, err := s.net.Network()
	if err != nil {
		return err
	}
	most := 0.0
	for _, w := range where.Workers {
		kib, err := resident(w.PID)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", name, w.ID, err)
		}
		most = max(most, kib/1024)
	}
	b.add(name, most, "MiB", idleMiB)
	return nil
}

// resident is the memory of a process that is resident, in KiB.
func resident(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := vmRSS.FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("%w: process %d has no resident memory", errWrong, pid)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
