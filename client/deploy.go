package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/wire"
)

// partSize is the length of all parts of code but the last.
const partSize = 128 << 10

// Deployment makes a contract: its code, and the call of its constructor.
type Deployment struct {
	Cluster wire.ClusterID
	From    Signer
	Code    []byte // WebAssembly, at most [wire.MaxCode] bytes
	Input   []byte // the constructor's selector and arguments
	Salt    [32]byte
	Value   uint128.Uint128
	// GasLimit is the constructor's; 0 for [DefaultGas]. Storing and compiling the code is paid for beside it.
	GasLimit uint64
}

// Deployed is a contract that exists.
type Deployed struct {
	Contract wire.ContractID
	CodeHash wire.CodeHash
	Uploaded bool       // whether the code had to be sent
	Receipt  *Receipt   // of the instantiation
	Sent     []*Pending // the code's parts and, last, the instantiation
}

// Deploy uploads the code, encrypted and in parts, unless a contract of the cluster has it already, and instantiates it.
// The receipts tell what failed: an error matches [*OutcomeError] where the cluster refused the code or the constructor.
func (c *Client) Deploy(ctx context.Context, payer Payer, d Deployment) (*Deployed, error) {
	hash := wire.NewCodeHash(d.Code)
	known, err := c.codeKnown(ctx, d.Cluster, hash)
	if err != nil {
		return nil, err
	}
	var requests []Request
	if !known {
		if requests, err = uploads(d.Cluster, d.From, d.Code); err != nil {
			return nil, err
		}
	}
	id := wire.NewContractID(d.Cluster, d.From.Identity(), hash, d.Salt)
	requests = append(requests, Request{
		Cluster: d.Cluster, From: d.From, To: id, Input: d.Input, Value: d.Value, GasLimit: d.GasLimit,
		Kind: wire.Kind{Action: wire.ActionInstantiate, CodeHash: hash, Salt: d.Salt},
	})
	sent, err := c.Send(ctx, payer, requests...)
	if err != nil {
		return nil, err
	}
	last, err := sent[len(sent)-1].Receipt(ctx)
	if err != nil {
		return nil, err
	}
	out := &Deployed{Contract: id, CodeHash: hash, Uploaded: !known, Receipt: last, Sent: sent}
	if err := Check(last.Outcome()); err != nil {
		if upload := checkAll(ctx, sent[:len(sent)-1]); upload != nil {
			return out, fmt.Errorf("upload: %w", upload)
		}
		return out, err
	}
	return out, nil
}

// Upload sends code to a cluster, encrypted and in parts, and waits until every worker that executes the topic has it.
func (c *Client) Upload(ctx context.Context, payer Payer, cluster wire.ClusterID, from Signer, code []byte) (wire.CodeHash, error) {
	requests, err := uploads(cluster, from, code)
	if err != nil {
		return wire.CodeHash{}, err
	}
	sent, err := c.Send(ctx, payer, requests...)
	if err != nil {
		return wire.CodeHash{}, err
	}
	return wire.NewCodeHash(code), checkAll(ctx, sent)
}

// checkAll returns the first failure among commands.
func checkAll(ctx context.Context, sent []*Pending) error {
	for _, p := range sent {
		r, err := p.Receipt(ctx)
		if err != nil {
			return err
		}
		if err := Check(r.Outcome()); err != nil {
			return err
		}
	}
	return nil
}

// uploads cuts code into parts. Any part may be the last to arrive, and the last one pays for compiling: each prepays
// that. The figures are the workers' (200 gas a byte stored, 5,000 a byte compiled, and the base cost of a command).
func uploads(cluster wire.ClusterID, from Signer, code []byte) ([]Request, error) {
	if len(code) == 0 || len(code) > wire.MaxCode {
		return nil, fmt.Errorf("%w: code has %d bytes, 1 to %d are taken", ErrBounds, len(code), wire.MaxCode)
	}
	of := (len(code) + partSize - 1) / partSize
	gas := 1_000_000 + 200*partSize + 5_000*uint64(len(code))
	hash := wire.NewCodeHash(code)
	out := make([]Request, of)
	for i := range out {
		out[i] = Request{
			Cluster: cluster, From: from, Input: code[i*partSize : min((i+1)*partSize, len(code))], GasLimit: max(gas, DefaultGas),
			Kind: wire.Kind{Action: wire.ActionUpload, Part: uint16(i), Of: uint16(of), CodeHash: hash},
		}
	}
	return out, nil
}

// codeKnown reports whether a contract of the cluster is proven to have that code. The node's list says which contract
// to prove; that it hides one costs an upload that was not needed.
func (c *Client) codeKnown(ctx context.Context, cluster wire.ClusterID, hash wire.CodeHash) (bool, error) {
	list, err := c.Contracts(ctx, cluster)
	if err != nil {
		return false, err
	}
	for _, listed := range list {
		if listed.CodeHash != hash {
			continue
		}
		r, err := c.Contract(ctx, listed.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if r.Record.CodeHash == hash && r.Record.Cluster == cluster {
			return true, nil
		}
	}
	return false, nil
}

// WaitContract waits until the chain has a contract's record: some blocks after its receipt, when enough workers have
// reported it.
func (c *Client) WaitContract(ctx context.Context, id wire.ContractID) (Proven[wire.ContractRecord], error) {
	c.cfg.Progress(StageContract)
	for {
		r, err := c.Contract(ctx, id)
		if !errors.Is(err, ErrNotFound) {
			return r, err
		}
		if waited := pause(ctx, 200*time.Millisecond); waited != nil {
			return r, fmt.Errorf("%w: %w", waited, err)
		}
	}
}
