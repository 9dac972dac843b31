package enclavetest

import (
	"context"
	"crypto/rand"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// gasLog2 is what a client prepays unless told otherwise; gasLimit is its default limit.
const (
	gasLog2  = 34
	gasLimit = 1 << 34
)

// Client is a caller.
type Client struct {
	World *World
	Nonce uint64 // the last that was used
	key   *sr25519.PrivateKey
	reply *ecdh.PrivateKey
}

// NewClient returns a caller with a fresh key.
func NewClient(w *World) *Client {
	return &Client{World: w, key: Must(sr25519.Generate(rand.Reader)), reply: Must(ecdh.Generate(rand.Reader))}
}

// Identity is the caller's.
func (c *Client) Identity() wire.Identity { return wire.Sr25519Identity(c.key.Public()) }

// New returns an unsigned invocation with the next nonce and generous bounds.
func (c *Client) New(action wire.Action, to wire.ContractID, input []byte) *wire.Invocation {
	c.Nonce++
	inv := &wire.Invocation{
		From: c.Identity(), Payload: wire.Payload{To: to, Input: input}, Nonce: c.Nonce, GasLimit: gasLimit,
		Kind: wire.Kind{Action: action}, NotAfter: c.World.Height + 50, ReplyTo: c.reply.Public(),
	}
	return inv
}

// Target is where commands go.
func (c *Client) Target() wire.Target {
	return wire.Target{UID: c.World.UID, Cluster: c.World.Cluster.ID}
}

// Sign signs an invocation for a target.
func (c *Client) Sign(inv *wire.Invocation, t wire.Target) *wire.Invocation {
	inv.Sig = wire.UserSignature{Kind: wire.SignatureSr25519}
	sig := Must(c.key.Sign(rand.Reader, Must(inv.SigningText(t))))
	inv.Sig.Bytes = [64]byte(sig)
	return inv
}

// Seal encrypts an invocation to the cluster's key of an epoch, as a message of the topic.
func (c *Client) Seal(inv *wire.Invocation, key ecdh.PublicKey, epoch uint32) wire.Body {
	e := Must(envelope.Seal(rand.Reader, c.World.UID, Must(ecdh.Generate(rand.Reader)), key, epoch, commkey.OnChain,
		Must(scale.Marshal(inv))))
	return wire.Body{Kind: wire.BodyCommand, Command: &wire.Command{GasLog2: gasLog2, Envelope: e.Marshal()}}
}

// Send signs an invocation, encrypts it to the cluster's key in force and posts it.
func (c *Client) Send(inv *wire.Invocation) uint64 {
	f := c.World.Cluster.Fixed
	return c.World.Push(c.Seal(c.Sign(inv, c.Target()), f.Key, f.Epoch))
}

// Call posts a call of a contract.
func (c *Client) Call(to wire.ContractID, input []byte) uint64 {
	return c.Send(c.New(wire.ActionCommand, to, input))
}

// Upload posts code in parts of at most size bytes and returns its hash.
func (c *Client) Upload(code []byte, size int) wire.CodeHash {
	hash := wire.NewCodeHash(code)
	of := (len(code) + size - 1) / size
	for i := range of {
		inv := c.New(wire.ActionUpload, wire.ContractID{}, code[i*size:min(len(code), (i+1)*size)])
		inv.Kind.Part, inv.Kind.Of, inv.Kind.CodeHash = uint16(i), uint16(of), hash
		c.Send(inv)
	}
	return hash
}

// Instantiate posts the making of a contract and returns its id and the message's index.
func (c *Client) Instantiate(code wire.CodeHash, salt byte, input []byte) (wire.ContractID, uint64) {
	id := wire.NewContractID(c.World.Cluster.ID, c.Identity(), code, [32]byte{salt})
	inv := c.New(wire.ActionInstantiate, id, input)
	inv.Kind.CodeHash, inv.Kind.Salt = code, [32]byte{salt}
	return id, c.Send(inv)
}

// Withdraw posts a withdrawal.
func (c *Client) Withdraw(amount uint64) uint64 {
	inv := c.New(wire.ActionWithdraw, wire.ContractID{}, nil)
	inv.Kind.Account, inv.Kind.Amount = wire.Account{3}, uint128.From64(amount)
	return c.Send(inv)
}

// Life is the target of a query to a worker as it lives now.
func (c *Client) Life(x *Worker) wire.Target {
	t := c.Target()
	t.Worker = &wire.WorkerLife{Identity: x.Keys.Identity(), Incarnation: x.Keys.Incarnation()}
	return t
}

// SealQuery encrypts an invocation to a worker's EcdhKey.
func (c *Client) SealQuery(x *Worker, inv *wire.Invocation) []byte {
	key, epoch, err := x.Keys.EcdhKey()
	if err != nil {
		panic(err)
	}
	e := Must(envelope.Seal(rand.Reader, c.World.UID, c.reply, key, epoch, commkey.Query, Must(scale.Marshal(inv))))
	return e.Marshal()
}

// Ask signs, encrypts and sends a query, and opens the reply.
func (c *Client) Ask(x *Worker, inv *wire.Invocation) (*wire.QueryReply, error) {
	raw, err := x.Role.Query(context.Background(), c.World.Cluster.ID, c.SealQuery(x, c.Sign(inv, c.Life(x))))
	if err != nil {
		return nil, err
	}
	var reply wire.QueryReply
	if err := c.Open(raw, &reply); err != nil {
		return nil, err
	}
	return &reply, nil
}

// Query asks a contract.
func (c *Client) Query(x *Worker, to wire.ContractID, input []byte) (*wire.QueryReply, error) {
	return c.Ask(x, c.New(wire.ActionQuery, to, input))
}

// Open decrypts an envelope to the caller's reply key into a record.
func (c *Client) Open(raw []byte, r scale.Record) error {
	e, err := envelope.Parse(raw)
	if err != nil {
		return err
	}
	plain, err := e.Open(c.World.UID, c.reply)
	if err != nil {
		return err
	}
	return scale.Unmarshal(plain, r)
}

// Receipt fetches and opens the receipt of the command at an index.
func (c *Client) Receipt(x *Worker, index uint64) (*wire.SaltedReceipt, error) {
	got, err := x.Role.Receipt(context.Background(), c.World.Cluster.ID, index, false)
	if err != nil {
		return nil, err
	}
	var r wire.SaltedReceipt
	if err := c.Open(got.Envelope, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Logs asks a worker for what a contract logged there, as its owner does.
func (c *Client) Logs(x *Worker, contract wire.ContractID, since uint64) (wire.LogReply, wire.Outcome, error) {
	request := wire.LogRequest{Contract: contract, Since: since}
	reply, err := c.Query(x, wire.ContractID{}, scale.MustMarshal(&request))
	if err != nil {
		return wire.LogReply{}, wire.Outcome{}, err
	}
	var logs wire.LogReply
	if reply.Outcome.Status == wire.StatusDone {
		err = scale.Unmarshal(reply.Outcome.Output, &logs)
	}
	return logs, reply.Outcome, err
}

// OpenLog decrypts an entry of a contract's logs with the caller's identity key.
func (c *Client) OpenLog(entry wire.LogEntry) (*wire.LogBatch, error) {
	e, err := envelope.Parse(entry.Envelope)
	if err != nil {
		return nil, err
	}
	plain, err := e.OpenLog(c.World.UID, c.key)
	if err != nil {
		return nil, err
	}
	batch := new(wire.LogBatch)
	return batch, scale.Unmarshal(plain, batch)
}
