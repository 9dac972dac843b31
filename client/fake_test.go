package client_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"cosmossdk.io/log/v2"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/store/v2/rootmulti"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/gogoproto/proto"

	"crypto/rand"

	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

// chain is a chain with real headers and proofs, and the node that serves it. The lies are the node's.
type chain struct {
	t      *testing.T
	mu     sync.Mutex
	blocks *lighttest.Chain
	store  *rootmulti.Store
	keys   map[string]*storetypes.KVStoreKey
	apps   map[uint64][32]byte // app hash in the header at a height
	height uint64
	topic  [][]byte // SCALE of the commands' envelopes
	txs    map[string]node.TxResult
	uid    wire.ChainUID

	copies    int // of each command, posted before it by somebody else
	lieBlock  func(height uint64) []byte
	lieProof  func(key wire.RecordKey, p node.Proof) node.Proof
	lieHeight uint64
	offline   bool

	held    map[uint64][][]byte // transactions of a block
	lieTxs  func(height uint64, txs [][]byte) [][]byte
	lieAt   uint64 // the height of the block that is shown for any
	noBlock error
}

func newChain(t *testing.T) *chain {
	c := &chain{
		t: t, store: rootmulti.NewStore(dbm.NewMemDB(), log.NewNopLogger()), keys: map[string]*storetypes.KVStoreKey{},
		apps: map[uint64][32]byte{1: {1}}, txs: map[string]node.TxResult{}, height: 1,
		held: map[uint64][][]byte{},
	}
	for _, name := range []string{wire.StoreRegistry, wire.StoreQueue, wire.StoreCluster} {
		c.keys[name] = storetypes.NewKVStoreKey(name)
		c.store.MountStoreWithDB(c.keys[name], storetypes.StoreTypeIAVL, nil)
	}
	if err := c.store.LoadLatestVersion(); err != nil {
		t.Fatal(err)
	}
	c.blocks = lighttest.New(lighttest.Config{Validators: 4, RotateEvery: 20, ChainID: "fake",
		AppHash:  func(height uint64) [32]byte { return c.apps[height] },
		DataHash: func(height uint64) []byte { return cmttypes.ToTxs(c.held[height]).Hash() }})
	c.uid = wire.ChainUID(c.blocks.Header(1).Hash)
	c.set(wire.KeyChainUID(), c.uid[:])
	c.put(wire.KeyNetworkParams(), &wire.NetworkParams{GasPrice: 1, Simulated: true})
	c.next(3)
	return c
}

func (c *chain) set(key wire.RecordKey, value []byte) {
	c.store.GetKVStore(c.keys[key.Store]).Set([]byte(key.Key), value)
}

func (c *chain) put(key wire.RecordKey, r scale.Record) { c.set(key, scale.MustMarshal(r)) }

// next ends n blocks.
func (c *chain) next(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends(n)
}

func (c *chain) ends(n int) {
	for range n {
		id := c.store.Commit()
		c.height = uint64(id.Version) + 1
		c.apps[c.height] = [32]byte(id.Hash)
	}
}

func (c *chain) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks.Time(c.height).Add(300 * time.Millisecond)
}

var errOffline = fmt.Errorf("%w: fake", node.ErrUnreachable)

func (c *chain) Latest(context.Context) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offline {
		return 0, errOffline
	}
	if c.lieHeight > 0 {
		return c.lieHeight, nil
	}
	return c.height, nil
}

func (c *chain) LightBlock(_ context.Context, height uint64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lieBlock != nil {
		if b := c.lieBlock(height); b != nil {
			return b, nil
		}
	}
	if c.offline || height > c.height {
		return nil, errOffline
	}
	return c.blocks.Block(height), nil
}

func (c *chain) Block(_ context.Context, height uint64) (node.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noBlock != nil || height == 0 || height > c.height {
		return node.Block{}, cmp.Or(c.noBlock, node.ErrNotFound)
	}
	if c.lieAt != 0 {
		height = c.lieAt
	}
	header, err := c.blocks.LightBlock(height).Header.ToProto().Marshal()
	b := node.Block{Header: header, Txs: c.held[height]}
	if c.lieTxs != nil {
		b.Txs = c.lieTxs(height, b.Txs)
	}
	return b, err
}

func (c *chain) Prove(_ context.Context, key wire.RecordKey, state uint64) (node.Proof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := c.proof(key, state)
	if err == nil && c.lieProof != nil {
		p = c.lieProof(key, p)
	}
	return p, err
}

func (c *chain) proof(key wire.RecordKey, state uint64) (node.Proof, error) {
	r, err := c.store.Query(&storetypes.RequestQuery{
		Path: "/" + key.Store + "/key", Data: []byte(key.Key), Height: int64(state), Prove: true})
	if err != nil {
		return node.Proof{}, err
	}
	ops, err := r.ProofOps.Marshal()
	return node.Proof{Key: key, State: state, Value: r.Value, Absent: len(r.Value) == 0, Ops: ops}, err
}

func (c *chain) Query(_ context.Context, method string, request, response proto.Message) error {
	switch method {
	case "/cosmos.auth.v1beta1.Query/AccountInfo":
		response.(*authtypes.QueryAccountInfoResponse).Info = &authtypes.BaseAccount{AccountNumber: 1}
	case "/cosmos.tx.v1beta1.Service/Simulate":
		response.(*txtypes.SimulateResponse).GasInfo = &sdk.GasInfo{GasUsed: 1}
	case "/phalanx.cluster.v1.Query/Contracts":
		*response.(*clustertypes.QueryContractsResponse) = clustertypes.QueryContractsResponse{}
	case "/phalanx.mq.v1.Query/Head":
		*response.(*mqtypes.QueryHeadResponse) = mqtypes.QueryHeadResponse{Count: uint64(len(c.topic))}
	case "/phalanx.mq.v1.Query/Messages":
		r := request.(*mqtypes.QueryMessagesRequest)
		for _, e := range c.topic[r.From:min(r.Until, r.From+2)] { // a small page
			b := wire.Body{Kind: wire.BodyCommand, Command: &wire.Command{GasLog2: 30, Envelope: e}}
			m := wire.Message{Topic: wire.GatekeepersTopic(), Payload: scale.MustMarshal(&b)}
			page := response.(*mqtypes.QueryMessagesResponse)
			page.Messages = append(page.Messages, scale.MustMarshal(&m))
		}
	default:
		return errors.New("fake node does not know " + method)
	}
	return nil
}

// Broadcast takes transactions of MsgPush into the next block.
func (c *chain) Broadcast(_ context.Context, raw []byte) ([]byte, error) {
	var t txtypes.TxRaw
	var body txtypes.TxBody
	var push mqtypes.MsgPush
	if err := errors.Join(t.Unmarshal(raw), body.Unmarshal(t.BodyBytes), push.Unmarshal(body.Messages[0].Value)); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var answer mqtypes.MsgPushResponse
	for _, e := range push.Entries {
		for range c.copies {
			c.topic = append(c.topic, e.Envelope)
		}
		answer.Indexes = append(answer.Indexes, uint64(len(c.topic)))
		c.topic = append(c.topic, e.Envelope)
	}
	c.ends(1)
	value, err := codectypes.NewAnyWithValue(&answer)
	if err != nil {
		return nil, err
	}
	data, err := (&sdk.TxMsgData{MsgResponses: []*codectypes.Any{value}}).Marshal()
	hash := fmt.Appendf(nil, "tx %d", len(c.txs))
	c.txs[string(hash)] = node.TxResult{Height: c.height, Hash: hash, Data: data}
	return hash, err
}

func (c *chain) WaitTx(_ context.Context, hash []byte, _ time.Duration) (node.TxResult, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.txs[string(hash)], nil
}

// worker is a worker of the fake network. The lies are its host's or its own.
type worker struct {
	chain       *chain
	cluster     *cluster
	identity    *sr25519.PrivateKey
	ecdh        *ecdh.PrivateKey
	epoch       uint32
	incarnation wire.Incarnation
	server      *httptest.Server

	lieReply    func(*wire.QueryReply)
	lieReceipt  func(*wire.SaltedReceipt)
	lieEnvelope func(*envelope.Envelope, *ecdh.PublicKey) // changes what is sent, or to whom it is sealed
	sealWith    *ecdh.PrivateKey
	refuse      error
	queried     []wire.Invocation
	mark        uint64 // that covers every receipt, as its second leaf
}

// other is the first leaf of every checkpoint.
var other = wire.Hash{0x07}

// cluster is the fake network's cluster.
type cluster struct {
	id  wire.ClusterID
	key *ecdh.PrivateKey
}

func (w *worker) Info(context.Context, *connect.Request[pb.InfoRequest]) (*connect.Response[pb.InfoResponse], error) {
	return connect.NewResponse(&pb.InfoResponse{Height: w.chain.height}), nil
}

func (w *worker) reply(to ecdh.PublicKey, record scale.Record) ([]byte, error) {
	own := w.ecdh
	if w.sealWith != nil {
		own = w.sealWith
	}
	if w.lieEnvelope != nil {
		w.lieEnvelope(nil, &to)
	}
	e, err := envelope.Seal(rand.Reader, w.chain.uid, own, to, 0, commkey.Reply, scale.MustMarshal(record))
	if err != nil {
		return nil, err
	}
	if w.lieEnvelope != nil {
		w.lieEnvelope(e, nil)
	}
	return e.Marshal(), nil
}

func (w *worker) Query(_ context.Context, r *connect.Request[pb.QueryRequest]) (*connect.Response[pb.QueryResponse], error) {
	if w.refuse != nil {
		return nil, w.refuse
	}
	inv, err := w.open(r.Msg.Envelope, w.ecdh)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	target := wire.Target{UID: w.chain.uid, Cluster: w.cluster.id,
		Worker: &wire.WorkerLife{Identity: w.identity.Public(), Incarnation: w.incarnation}}
	if err := inv.Verify(target); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	hash, err := inv.Hash(target)
	if err != nil {
		return nil, err
	}
	w.chain.mu.Lock()
	defer w.chain.mu.Unlock()
	w.queried = append(w.queried, *inv)
	if inv.MinHeight >= w.chain.height { // a worker waits for the block that it is asked to answer from
		w.chain.ends(int(inv.MinHeight - w.chain.height + 1))
	}
	h := w.chain.blocks.Header(w.chain.height)
	reply := &wire.QueryReply{Invocation: hash, Height: h.Height, BlockHash: h.Hash, BlockTime: h.UnixMillis(),
		Outcome: wire.Outcome{GasUsed: 7, Output: inv.Payload.Input}}
	if w.lieReply != nil {
		w.lieReply(reply)
	}
	raw, err := w.reply(inv.ReplyTo, reply)
	return connect.NewResponse(&pb.QueryResponse{Envelope: raw}), err
}

func (w *worker) open(raw []byte, own *ecdh.PrivateKey) (*wire.Invocation, error) {
	e, err := envelope.Parse(raw)
	if err != nil {
		return nil, err
	}
	plain, err := e.Open(w.chain.uid, own)
	if err != nil {
		return nil, err
	}
	inv := new(wire.Invocation)
	return inv, scale.Unmarshal(plain, inv)
}

func (w *worker) Receipt(_ context.Context, r *connect.Request[pb.ReceiptRequest]) (*connect.Response[pb.ReceiptResponse], error) {
	if w.refuse != nil {
		return nil, w.refuse
	}
	w.chain.mu.Lock()
	defer w.chain.mu.Unlock()
	inv, err := w.open(w.chain.topic[r.Msg.Index], w.cluster.key)
	if err != nil {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no receipt for that message"))
	}
	target := wire.Target{UID: w.chain.uid, Cluster: w.cluster.id}
	hash, err := inv.Hash(target)
	if err := errors.Join(err, inv.Verify(target)); err != nil {
		return nil, connect.NewError(connect.CodeNotFound, err)
	}
	for _, earlier := range w.chain.topic[:r.Msg.Index] {
		if bytes.Equal(earlier, w.chain.topic[r.Msg.Index]) {
			return nil, connect.NewError(connect.CodeNotFound, errors.New("its nonce was used"))
		}
	}
	s := w.salted(hash, r.Msg.Index, inv)
	leaf, err := s.Leaf()
	if err != nil {
		return nil, err
	}
	if w.lieReceipt != nil {
		w.lieReceipt(s)
	}
	raw, err := w.reply(inv.ReplyTo, s)
	path := wire.ReceiptPath([]wire.Hash{other, leaf}, 1)
	return connect.NewResponse(&pb.ReceiptResponse{Envelope: raw, Mark: w.mark, Leaf: 1, Leaves: 2, Path: [][]byte{path[0][:]}}), err
}

// salted is the receipt of a command: every fake worker makes the same.
func (w *worker) salted(hash wire.Hash, index uint64, inv *wire.Invocation) *wire.SaltedReceipt {
	return &wire.SaltedReceipt{Salt: [32]byte{9}, Receipt: wire.Receipt{
		Invocation: hash, Cluster: w.cluster.id, Index: index, Height: w.chain.height,
		Outcome: wire.Outcome{GasUsed: 5, Output: inv.Payload.Input},
	}}
}

// register puts the worker's state into the chain's.
func (w *worker) register(change func(*wire.WorkerState)) {
	s := &wire.WorkerState{
		Identity: w.identity.Public(), Ecdh: wire.EcdhEpoch{Key: w.ecdh.Public(), Epoch: w.epoch}, Incarnation: w.incarnation,
		Info: wire.WorkerInfo{Endpoints: []string{w.server.URL}}, Clusters: []wire.ClusterID{w.cluster.id},
	}
	if change != nil {
		change(s)
	}
	w.chain.put(wire.KeyWorker(s.Identity), s)
}

// network is a whole fake network with one cluster, and a client's account.
type network struct {
	*chain
	cluster *cluster
	workers []*worker
	alice   *account.Account
}

func newNetwork(t *testing.T, workers int) *network {
	t.Helper()
	n := &network{chain: newChain(t), cluster: &cluster{id: wire.ClusterID{0xc1}, key: must(ecdh.Generate(rand.Reader))}}
	n.alice = must(account.Generate(rand.Reader))
	record := &wire.Cluster{ID: n.cluster.id, Fixed: &wire.FixedKey{KeyFixed: wire.KeyFixed{Key: n.cluster.key.Public()}}}
	for i := range workers {
		w := &worker{chain: n.chain, cluster: n.cluster, identity: must(sr25519.Generate(rand.Reader)),
			ecdh: must(ecdh.Generate(rand.Reader)), epoch: 4, incarnation: wire.Incarnation{byte(i + 1)}}
		mux := http.NewServeMux()
		mux.Handle(enclavev1connect.NewClientServiceHandler(w))
		w.server = httptest.NewServer(mux)
		t.Cleanup(w.server.Close)
		w.register(nil)
		n.workers = append(n.workers, w)
		record.Members = append(record.Members, wire.Member{Identity: w.identity.Public()})
	}
	n.put(wire.KeyCluster(n.cluster.id), record)
	n.next(2)
	return n
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (n *network) config() client.Config {
	return client.Config{ChainID: "fake", UID: n.uid, Node: n.chain, Now: n.now, TrustingPeriod: 24 * time.Hour}
}

func (n *network) dial(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.Dial(context.Background(), n.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (n *network) payer(t *testing.T) *tx.Sender {
	t.Helper()
	s, err := tx.New(n.chain, n.alice, tx.Config{ChainID: "fake"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (n *network) request(input string) client.Request {
	return client.Request{Cluster: n.cluster.id, From: client.Of(n.alice), To: wire.ContractID{7}, Input: []byte(input)}
}

func (n *network) query(input string) client.Query {
	return client.Query{Cluster: n.cluster.id, From: client.Of(n.alice), To: wire.ContractID{7}, Input: []byte(input)}
}
