package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"
	"lukechampine.com/uint128"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	// DefaultGas is the gas limit of a command that names none, and what is prepaid for it: 2³⁰, some second of one core.
	// The prepaid gas is public; where everybody takes the default it tells nothing.
	DefaultGas = 1 << 30
	// DefaultLifetime is after how many blocks a command that names nothing else may no longer be executed.
	DefaultLifetime = 100

	maxPush  = 64        // commands in one transaction
	maxBatch = 768 << 10 // bytes of envelopes in one transaction
)

// Request is a command to a cluster. Only Cluster and From are always needed.
type Request struct {
	Cluster  wire.ClusterID
	From     Signer
	To       wire.ContractID
	Input    []byte          // at most [wire.MaxInput]
	Value    uint128.Uint128 // moved from the signer's balance in the cluster to the contract
	GasLimit uint64          // 0 for [DefaultGas]; prepaid rounded up to a power of two
	Kind     wire.Kind       // zero for a command to a contract
	Lifetime uint64          // blocks; 0 for [DefaultLifetime]
}

// Pending is a command that is in a block.
type Pending struct {
	Cluster    wire.ClusterID
	Invocation wire.Hash // names it in the receipt
	Index      uint64    // in the cluster's topic, as the node says; the receipt proves it
	Height     uint64    // of the block, as the node says
	TxHash     []byte
	Posted     int    // bytes of the envelope: with the index, the block and the prepaid gas all that the chain sees
	NotAfter   uint64 // the last height at which it may be executed

	client   *Client
	from     wire.Identity
	reply    *ecdh.PrivateKey
	envelope []byte
	searched bool     // whether copies were looked for
	copies   []uint64 // earlier places of the same envelope that are still to be asked about
}

// Command posts one command and waits for its receipt. A receipt of any status is returned without error: see [Check].
func (c *Client) Command(ctx context.Context, payer Payer, r Request) (*Receipt, error) {
	sent, err := c.Send(ctx, payer, r)
	if err != nil {
		return nil, err
	}
	return sent[0].Receipt(ctx)
}

// Send posts commands, in their order, and waits until they are in blocks. They go into one transaction as far as its
// size allows. Where a later transaction fails, the commands that are in blocks are returned with the error.
func (c *Client) Send(ctx context.Context, payer Payer, requests ...Request) ([]*Pending, error) {
	var sent []*Pending
	for len(requests) > 0 {
		batch, entries, err := c.batch(ctx, requests)
		if err != nil {
			return sent, err
		}
		if err := c.push(ctx, payer, batch, entries); err != nil {
			return sent, err
		}
		sent = append(sent, batch...)
		requests = requests[len(batch):]
	}
	return sent, nil
}

// batch encrypts as many of the requests as fit one transaction, at least one.
func (c *Client) batch(ctx context.Context, requests []Request) ([]*Pending, []mqtypes.PushEntry, error) {
	var batch []*Pending
	var entries []mqtypes.PushEntry
	size := 0
	for _, r := range requests {
		size += len(r.Input)
		if len(batch) > 0 && (len(batch) == maxPush || size > maxBatch) {
			break
		}
		p, entry, err := c.prepare(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		batch, entries = append(batch, p), append(entries, entry)
	}
	return batch, entries, nil
}

// prepare signs and encrypts one command.
func (c *Client) prepare(ctx context.Context, r Request) (*Pending, mqtypes.PushEntry, error) {
	none := mqtypes.PushEntry{}
	if len(r.Input) > wire.MaxInput {
		return nil, none, fmt.Errorf("%w: input has %d bytes, at most %d are taken", ErrBounds, len(r.Input), wire.MaxInput)
	}
	gas, log2, err := prepaid(r.GasLimit)
	if err != nil {
		return nil, none, err
	}
	cluster, err := c.keyed(ctx, r.Cluster)
	if err != nil {
		return nil, none, err
	}
	nonce, err := c.memory.nonces(r.Cluster, r.From.Identity(), 1)
	if err != nil {
		return nil, none, err
	}
	reply, err := ecdh.Generate(c.cfg.Rand)
	if err != nil {
		return nil, none, err
	}
	lifetime := r.Lifetime
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	inv := wire.Invocation{
		From: r.From.Identity(), Payload: wire.Payload{To: r.To, Input: r.Input}, Nonce: nonce, Value: r.Value,
		GasLimit: gas, Kind: r.Kind, NotAfter: cluster.Header.Height + min(lifetime, wire.MaxLifetime/2),
		ReplyTo: reply.Public(),
	}
	target := wire.Target{UID: c.cfg.UID, Cluster: r.Cluster}
	hash, err := c.sign(&inv, target, r.From)
	if err != nil {
		return nil, none, err
	}
	sealed, err := c.sealTo(&cluster.Record, &inv)
	if err != nil {
		return nil, none, err
	}
	p := &Pending{
		Cluster: r.Cluster, Invocation: hash, Posted: len(sealed), NotAfter: inv.NotAfter,
		client: c, from: inv.From, reply: reply, envelope: sealed,
	}
	return p, mqtypes.PushEntry{Cluster: r.Cluster[:], GasLog2: uint32(log2), Envelope: sealed}, nil
}

// prepaid returns the gas limit and the power of two that pays for it.
func prepaid(limit uint64) (gas uint64, log2 int, err error) {
	if limit == 0 {
		limit = DefaultGas
	}
	log2 = bits.Len64(limit - 1)
	if log2 > wire.MaxGasLog2 {
		return 0, 0, fmt.Errorf("%w: a gas limit of %d, at most %d can be prepaid", ErrBounds, limit, uint64(1)<<wire.MaxGasLog2)
	}
	return limit, log2, nil
}

// sign signs an invocation for a target and returns its hash.
func (c *Client) sign(inv *wire.Invocation, t wire.Target, by Signer) (wire.Hash, error) {
	text, err := inv.SigningText(t)
	if err != nil {
		return wire.Hash{}, fmt.Errorf("invocation: %w", err)
	}
	if inv.Sig, err = by.Sign(c.cfg.Rand, text); err != nil {
		return wire.Hash{}, fmt.Errorf("sign invocation: %w", err)
	}
	clear(text)
	return inv.Hash(t)
}

// sealTo encrypts a record to the key in force of a cluster that has one, from a key that is made for this message alone.
func (c *Client) sealTo(cluster *wire.Cluster, record scale.Record) ([]byte, error) {
	plain, err := scale.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("invocation: %w", err)
	}
	defer clear(plain)
	own, err := ecdh.Generate(c.cfg.Rand)
	if err != nil {
		return nil, err
	}
	defer own.Zero()
	e, err := envelope.Seal(c.cfg.Rand, c.cfg.UID, own, cluster.Fixed.Key, cluster.Fixed.Epoch, commkey.OnChain, plain)
	if err != nil {
		return nil, err
	}
	return e.Marshal(), nil
}

// push posts prepared commands in one transaction and notes where they are.
func (c *Client) push(ctx context.Context, payer Payer, batch []*Pending, entries []mqtypes.PushEntry) error {
	var answer mqtypes.MsgPushResponse
	result, err := c.post(ctx, payer, &answer, &mqtypes.MsgPush{Sender: payer.Address(), Entries: entries})
	if ctx.Err() != nil {
		return fmt.Errorf("post command, which may still be executed until height %d: %w", batch[len(batch)-1].NotAfter, err)
	}
	if err != nil {
		return fmt.Errorf("post command: %w", err)
	}
	if len(answer.Indexes) != len(batch) {
		return fmt.Errorf("%w: %d indexes for %d commands", ErrAnswer, len(answer.Indexes), len(batch))
	}
	for i, p := range batch {
		p.Index, p.Height, p.TxHash = answer.Indexes[i], result.Height, result.Hash
	}
	return nil
}

// unreached names a failure to reach the node.
func unreached(err error) error {
	if errors.Is(err, node.ErrUnreachable) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// post has one message posted and decodes what the chain answers to it.
func (c *Client) post(ctx context.Context, payer Payer, answer proto.Message, msg sdk.Msg) (tx.Result, error) {
	c.cfg.Progress(StagePost)
	result, err := payer.Do(ctx, tx.Options{}, msg)
	if err != nil {
		return result, unreached(err)
	}
	if err := result.Response(0, answer); err != nil {
		return result, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return result, nil
}

// random64 draws a number.
func (c *Client) random64() (uint64, error) {
	var b [8]byte
	if _, err := readFull(c.cfg.Rand, b[:]); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
