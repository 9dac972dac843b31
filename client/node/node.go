// Package node talks to a node of the chain. The node is not trusted: what must be believed is verified by whoever
// asks, with package light; what this package returns are the bytes for that.
//
// [Dial] makes a [Node]. [Node.Latest] and [Node.Heights] say where the chain is, [Node.LightBlock] and [Node.Prove]
// fetch what a light client verifies, [Node.Block] fetches a block's transactions, [Node.Query] runs a gRPC query of the chain's modules, [Node.Broadcast] hands
// in a transaction.
package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	jsonrpc "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/wire"
)

const (
	callTimeout     = 10 * time.Second // bounds one call to the node
	idleConnections = 32               // kept open, for proofs that are fetched side by side
)

// Errors that a caller can act on.
var (
	// ErrUnreachable says that the node did not answer.
	ErrUnreachable = errors.New("node did not answer")
	// ErrRefused says that the node answered that it cannot do what was asked.
	ErrRefused = errors.New("node refused the request")
	// ErrNotFound says that the node has no such block, transaction or record.
	ErrNotFound = errors.New("not found")
)

// Node is a connection to a node's CometBFT RPC. It is safe for concurrent use.
type Node struct {
	rpc *rpchttp.HTTP
	url string

	mu         sync.Mutex
	setHash    []byte // of validators, as a header names them
	validators []*cmttypes.Validator
}

// Dial makes a Node for an RPC address such as http://127.0.0.1:26657. It does not connect yet.
func Dial(url string) (*Node, error) {
	client, err := jsonrpc.DefaultHTTPClient(url)
	if err != nil {
		return nil, fmt.Errorf("node address %q: %w", url, err)
	}
	client.Timeout = callTimeout
	t, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("node address %q: its transport cannot be bounded", url)
	}
	t.MaxIdleConnsPerHost = idleConnections
	client.Transport = bounded{t}
	rpc, err := rpchttp.NewWithClient(url, "/websocket", client)
	if err != nil {
		return nil, fmt.Errorf("node address %q: %w", url, err)
	}
	return &Node{rpc: rpc, url: url}, nil
}

// URL returns the address that was dialled.
func (n *Node) URL() string { return n.url }

// Close ends the connection.
func (n *Node) Close() error {
	if !n.rpc.IsRunning() {
		return nil
	}
	return n.rpc.Stop()
}

// unreachable tells a node that answers with an error from one that does not answer.
func (n *Node) unreachable(err error) error {
	var answer *rpctypes.RPCError
	if errors.As(err, &answer) {
		return fmt.Errorf("%w: %s: %s %s", ErrRefused, n.url, answer.Message, answer.Data)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, n.url, err)
}

// Status is where a node stands.
type Status struct {
	ChainID   string
	Height    uint64
	CatchUp   bool
	BlockTime time.Time
}

// Status asks the node where it stands.
func (n *Node) Status(ctx context.Context) (Status, error) {
	s, err := n.rpc.Status(ctx)
	if err != nil {
		return Status{}, n.unreachable(err)
	}
	return Status{
		ChainID:   s.NodeInfo.Network,
		Height:    uint64(s.SyncInfo.LatestBlockHeight),
		CatchUp:   s.SyncInfo.CatchingUp,
		BlockTime: s.SyncInfo.LatestBlockTime,
	}, nil
}

// Latest returns the height of the newest block.
func (n *Node) Latest(ctx context.Context) (uint64, error) {
	s, err := n.Status(ctx)
	return s.Height, err
}

// Heights calls back with the height of each new block until ctx ends, by the node's events where it has them and by
// asking every poll where it has not. A callback's error ends it, and so does a node that does not answer.
func (n *Node) Heights(ctx context.Context, poll time.Duration, each func(height uint64) error) error {
	events := n.subscribe(ctx)
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var last uint64
	for {
		height, err := n.Latest(ctx)
		if err != nil {
			return err
		}
		if height > last {
			last = height
			if err := each(height); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-events:
		case <-ticker.C:
			if events == nil {
				events = n.subscribe(ctx)
			}
		}
	}
}

// subscribe returns a channel that wakes at each new block, or nil where the node offers none now.
func (n *Node) subscribe(ctx context.Context) <-chan coretypes.ResultEvent {
	if !n.rpc.IsRunning() {
		if err := n.rpc.Start(); err != nil {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	events, err := n.rpc.Subscribe(ctx, "phalanx", cmttypes.QueryForEvent(cmttypes.EventNewBlock).String(), 8)
	if err != nil {
		return nil
	}
	return events
}

// LightBlock returns the protobuf of the light block at a height: its signed header and validators.
func (n *Node) LightBlock(ctx context.Context, height uint64) ([]byte, error) {
	h := int64(height)
	commit, err := n.rpc.Commit(ctx, &h)
	if err != nil {
		return nil, n.unreachable(err)
	}
	if commit.Header == nil || commit.Commit == nil {
		return nil, fmt.Errorf("block %d: %w", height, ErrNotFound)
	}
	validators, err := n.validatorSet(ctx, h, commit.Header.ValidatorsHash)
	if err != nil {
		return nil, err
	}
	set, err := cmttypes.ValidatorSetFromExistingValidators(validators)
	if err != nil {
		return nil, fmt.Errorf("validators at %d: %w", height, err)
	}
	block := cmttypes.LightBlock{SignedHeader: &commit.SignedHeader, ValidatorSet: set}
	pb, err := block.ToProto()
	if err != nil {
		return nil, fmt.Errorf("light block %d: %w", height, err)
	}
	return pb.Marshal()
}

// maxValidatorPages bounds what a lying node can make us ask for; a page has 100 validators.
const maxValidatorPages = 10

// validatorSet returns the validators at a height, from memory where the header names the same set as the last.
func (n *Node) validatorSet(ctx context.Context, height int64, hash []byte) ([]*cmttypes.Validator, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(hash) > 0 && bytes.Equal(hash, n.setHash) {
		return slices.Clone(n.validators), nil
	}
	all, err := n.fetchValidators(ctx, height)
	if err != nil {
		return nil, err
	}
	n.setHash, n.validators = bytes.Clone(hash), all
	return slices.Clone(all), nil
}

func (n *Node) fetchValidators(ctx context.Context, height int64) ([]*cmttypes.Validator, error) {
	var all []*cmttypes.Validator
	perPage := 100
	for page := 1; page <= maxValidatorPages; page++ {
		r, err := n.rpc.Validators(ctx, &height, &page, &perPage)
		if err != nil {
			return nil, n.unreachable(err)
		}
		all = append(all, r.Validators...)
		if len(all) >= r.Total || len(r.Validators) == 0 {
			break
		}
	}
	return all, nil
}

// Proof is a record of the chain's state, or its absence, with its proof: against the header of the height after
// State.
type Proof struct {
	Key    wire.RecordKey
	State  uint64
	Value  []byte
	Absent bool
	Ops    []byte // protobuf of tendermint.crypto.ProofOps
}

// Prove fetches a record of the state after the block at a height, with its proof.
func (n *Node) Prove(ctx context.Context, key wire.RecordKey, state uint64) (Proof, error) {
	opts := rpcclient.ABCIQueryOptions{Height: int64(state), Prove: true}
	r, err := n.rpc.ABCIQueryWithOptions(ctx, "/store/"+key.Store+"/key", []byte(key.Key), opts)
	if err != nil {
		return Proof{}, n.unreachable(err)
	}
	if err := responseError(r.Response); err != nil {
		return Proof{}, fmt.Errorf("record %s/%q at %d: %w", key.Store, key.Key, state, err)
	}
	if r.Response.ProofOps == nil {
		return Proof{}, fmt.Errorf("record %s/%q at %d: node sent no proof", key.Store, key.Key, state)
	}
	ops, err := r.Response.ProofOps.Marshal()
	if err != nil {
		return Proof{}, fmt.Errorf("proof: %w", err)
	}
	value := r.Response.Value
	return Proof{Key: key, State: uint64(r.Response.Height), Value: value, Absent: len(value) == 0, Ops: ops}, nil
}

// Query runs a gRPC query of the chain, such as /phalanx.mq.v1.Query/Head, on the newest state. The answer is not
// proven.
func (n *Node) Query(ctx context.Context, method string, request, response proto.Message) error {
	data, err := proto.Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	answer, err := n.QueryRaw(ctx, method, data)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(answer, response); err != nil {
		return fmt.Errorf("%s: answer: %w", method, err)
	}
	return nil
}

// QueryRaw is Query for a request and an answer in protobuf's encoding.
func (n *Node) QueryRaw(ctx context.Context, method string, request []byte) ([]byte, error) {
	r, err := n.rpc.ABCIQuery(ctx, method, request)
	if err != nil {
		return nil, n.unreachable(err)
	}
	if err := responseError(r.Response); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return r.Response.Value, nil
}

// QueryError is the chain's refusal of a query.
type QueryError struct {
	Codespace string
	Code      uint32
	Log       string
}

// Error returns the chain's words.
func (e *QueryError) Error() string { return e.Log }

// The Cosmos SDK's codes of what does not exist; the first is what a gRPC query's NotFound becomes.
const (
	codeKeyNotFound = 22
	codeNotFound    = 38
)

func responseError(r abci.ResponseQuery) error {
	if r.IsOK() {
		return nil
	}
	refusal := &QueryError{r.Codespace, r.Code, r.Log}
	if r.Codespace == "sdk" && (r.Code == codeNotFound || r.Code == codeKeyNotFound) {
		return fmt.Errorf("%w: %w", ErrNotFound, refusal)
	}
	return refusal
}

// TxError is the chain's refusal of a transaction, at its door or in a block.
type TxError struct {
	Hash      []byte
	Codespace string
	Code      uint32
	Log       string
}

// Error returns the chain's words.
func (e *TxError) Error() string {
	return fmt.Sprintf("transaction refused: %s (%s %d)", e.Log, e.Codespace, e.Code)
}

// Broadcast hands in a transaction and returns its hash once the node has taken it into its mempool. A refusal is a
// [*TxError].
func (n *Node) Broadcast(ctx context.Context, tx []byte) ([]byte, error) {
	r, err := n.rpc.BroadcastTxSync(ctx, tx)
	if err != nil {
		return nil, n.unreachable(err)
	}
	if r.Code != 0 {
		return nil, &TxError{r.Hash, r.Codespace, r.Code, r.Log}
	}
	return r.Hash, nil
}

// TxResult is a transaction in a block.
type TxResult struct {
	Height uint64
	Hash   []byte
	Data   []byte // protobuf of cosmos.base.abci.v1beta1.TxMsgData
	Events []abci.Event
}

// Tx returns a transaction's result: [ErrNotFound] while it is in no block, a [*TxError] if the block refused it.
func (n *Node) Tx(ctx context.Context, hash []byte) (TxResult, error) {
	r, err := n.rpc.Tx(ctx, hash, false)
	if err != nil {
		if n.alive(ctx) {
			return TxResult{}, fmt.Errorf("transaction %X: %w", hash, ErrNotFound)
		}
		return TxResult{}, n.unreachable(err)
	}
	if r.TxResult.Code != 0 {
		return TxResult{}, &TxError{hash, r.TxResult.Codespace, r.TxResult.Code, r.TxResult.Log}
	}
	return TxResult{uint64(r.Height), hash, r.TxResult.Data, r.TxResult.Events}, nil
}

func (n *Node) alive(ctx context.Context) bool {
	_, err := n.rpc.Health(ctx)
	return err == nil
}

// WaitTx waits until a transaction is in a block, asking every poll.
func (n *Node) WaitTx(ctx context.Context, hash []byte, poll time.Duration) (TxResult, error) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		r, err := n.Tx(ctx, hash)
		if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnreachable) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return TxResult{}, fmt.Errorf("transaction %X: %w", hash, ctx.Err())
		case <-ticker.C:
		}
	}
}
