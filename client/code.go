package client

import (
	"context"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// ContractCode asks a worker which code a contract has now, with a query of a signer's. The chain's own record
// ([Client.Contract]) names the code that a contract was made of, and knows nothing of contracts that contracts made.
// The reply is checked as that of every query; what it says is the worker's word, as every result of one worker is.
func (c *Client) ContractCode(ctx context.Context, cluster wire.ClusterID, contract wire.ContractID, from Signer) (*wire.CodeReply, error) {
	input, err := scale.Marshal(&wire.CodeRequest{Contract: contract})
	if err != nil {
		return nil, err
	}
	a, err := c.Query(ctx, Query{Cluster: cluster, From: from, Input: input})
	if err != nil {
		return nil, err
	}
	if err := Check(a.Outcome); err != nil {
		return nil, err
	}
	reply := new(wire.CodeReply)
	if err := scale.Unmarshal(a.Outcome.Output, reply); err != nil {
		return nil, &WorkerError{a.Worker, fmt.Errorf("%w: code: %w", ErrReply, err)}
	}
	return reply, nil
}
