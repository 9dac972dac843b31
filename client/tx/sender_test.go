package tx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/gogoproto/proto"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
)

const (
	testChain  = "test-1"
	testNumber = 7
)

// fakeNode checks signatures and sequences as the chain does.
type fakeNode struct {
	t *testing.T

	mu       sync.Mutex
	sequence uint64 // of the account, with what is in the mempool
	known    uint64 // as queries show it
	missing  bool
	down     bool
	lost     bool // takes the next transaction and does not answer
	refusal  *node.TxError
	txs      []txtypes.TxBody
	fees     []txtypes.Fee
	queries  int
	gas      uint64
}

func (f *fakeNode) Query(_ context.Context, method string, request, response proto.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return node.ErrUnreachable
	}
	switch out := response.(type) {
	case *authtypes.QueryAccountInfoResponse:
		f.queries++
		if f.missing {
			return fmt.Errorf("account: %w", node.ErrNotFound)
		}
		out.Info = &authtypes.BaseAccount{AccountNumber: testNumber, Sequence: f.known}
		return nil
	case *txtypes.SimulateResponse:
		if f.refusal != nil {
			return &node.QueryError{Codespace: f.refusal.Codespace, Code: f.refusal.Code, Log: f.refusal.Log}
		}
		out.GasInfo = &sdk.GasInfo{GasUsed: f.gas}
		return nil
	}
	return node.ErrNotFound
}

func (f *fakeNode) Broadcast(_ context.Context, raw []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, node.ErrUnreachable
	}
	var x txtypes.TxRaw
	var body txtypes.TxBody
	var auth txtypes.AuthInfo
	if err := errors.Join(x.Unmarshal(raw), body.Unmarshal(x.BodyBytes), auth.Unmarshal(x.AuthInfoBytes)); err != nil {
		f.t.Fatal(err)
	}
	doc := txtypes.SignDoc{BodyBytes: x.BodyBytes, AuthInfoBytes: x.AuthInfoBytes, ChainId: testChain, AccountNumber: testNumber}
	text, err := doc.Marshal()
	if err != nil {
		f.t.Fatal(err)
	}
	var key secp256k1.PubKey
	if err := key.Unmarshal(auth.SignerInfos[0].PublicKey.Value); err != nil || !key.VerifySignature(text, x.Signatures[0]) {
		f.t.Errorf("signature: %v", err)
	}
	if f.refusal != nil {
		return nil, f.refusal
	}
	if got := auth.SignerInfos[0].Sequence; got != f.sequence {
		return nil, &node.TxError{Codespace: "sdk", Code: 32,
			Log: fmt.Sprintf("account sequence mismatch, expected %d, got %d: incorrect account sequence", f.sequence, got)}
	}
	f.sequence++
	f.txs, f.fees = append(f.txs, body), append(f.fees, *auth.Fee)
	if f.lost {
		f.lost = false
		return nil, node.ErrUnreachable
	}
	return []byte{byte(len(f.txs))}, nil
}

func (f *fakeNode) WaitTx(_ context.Context, hash []byte, _ time.Duration) (node.TxResult, error) {
	response, err := codectypes.NewAnyWithValue(&mqtypes.MsgPushResponse{Indexes: []uint64{42}})
	if err != nil {
		return node.TxResult{}, err
	}
	data, err := proto.Marshal(&sdk.TxMsgData{MsgResponses: []*codectypes.Any{response}})
	event := abci.Event{Type: "phalanx.mq.v1.EventMessage", Attributes: []abci.EventAttribute{{Key: "index", Value: `"42"`}}}
	return node.TxResult{Height: 5, Hash: hash, Data: data, Events: []abci.Event{{Type: "other"}, event}}, err
}

func newSender(t *testing.T, f *fakeNode, price string) *Sender {
	t.Helper()
	a, err := account.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(f, a, Config{ChainID: testChain, GasPrice: price})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func push(s *Sender) sdk.Msg { return &mqtypes.MsgPush{Sender: s.Address()} }

func send(t *testing.T, s *Sender, o Options) {
	t.Helper()
	if _, err := s.Send(t.Context(), o, push(s)); err != nil {
		t.Fatal(err)
	}
}

// TestManyInFlight sends side by side, while the chain's state shows none of it.
func TestManyInFlight(t *testing.T) {
	f := &fakeNode{t: t, sequence: 3, known: 3}
	s := newSender(t, f, "")
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { send(t, s, Options{Gas: 1}) })
	}
	group.Wait()
	if len(f.txs) != 20 || f.queries != 1 {
		t.Errorf("%d transactions after %d queries", len(f.txs), f.queries)
	}
}

// TestSequenceIsFollowed covers an account that another program uses too, and one whose pending transactions the
// queried state does not show.
func TestSequenceIsFollowed(t *testing.T) {
	f := &fakeNode{t: t, sequence: 9, known: 4}
	s := newSender(t, f, "")
	send(t, s, Options{Gas: 1})
	f.sequence = 50
	send(t, s, Options{Gas: 1})
	f.sequence = 12 // its transactions were dropped from the mempool
	send(t, s, Options{Gas: 1})
	if len(f.txs) != 3 || f.queries != 1 {
		t.Errorf("%d transactions, %d queries", len(f.txs), f.queries)
	}
}

func TestSequenceThatDoesNotSettle(t *testing.T) {
	f := &fakeNode{t: t, refusal: &node.TxError{Code: 32, Log: "account sequence mismatch, expected 5, got 4"}}
	s := newSender(t, f, "")
	if _, err := s.Send(t.Context(), Options{Gas: 1}, push(s)); !errors.Is(err, ErrSequence) {
		t.Errorf("%v", err)
	}
}

// TestLostAnswer covers a node that takes a transaction and does not answer.
func TestLostAnswer(t *testing.T) {
	f := &fakeNode{t: t, lost: true}
	s := newSender(t, f, "")
	if _, err := s.Send(t.Context(), Options{Gas: 1}, push(s)); !errors.Is(err, node.ErrUnreachable) {
		t.Fatalf("%v", err)
	}
	send(t, s, Options{Gas: 1})
	if len(f.txs) != 2 || f.queries != 2 {
		t.Errorf("%d transactions, %d queries", len(f.txs), f.queries)
	}
}

func TestErrors(t *testing.T) {
	f := &fakeNode{t: t, missing: true}
	s := newSender(t, f, "")
	if _, err := s.Send(t.Context(), Options{Gas: 1}, push(s)); !errors.Is(err, ErrNoAccount) {
		t.Errorf("no account: %v", err)
	}
	f.missing = false
	f.refusal = &node.TxError{Codespace: "mq", Code: 3, Log: "no such cluster"}
	for _, o := range []Options{{Gas: 1}, {}} { // at the door, and in simulation
		var refused *node.TxError
		if _, err := s.Send(t.Context(), o, push(s)); !errors.As(err, &refused) || refused.Code != 3 {
			t.Errorf("refusal: %v", err)
		}
	}
	if _, err := s.Send(t.Context(), Options{}); err == nil {
		t.Error("a transaction without messages was sent")
	}
	for _, price := range []string{"x", "-1"} {
		if _, err := New(f, nil, Config{GasPrice: price}); !errors.Is(err, ErrGasPrice) {
			t.Errorf("price %q: %v", price, err)
		}
	}
}

func TestGasAndFee(t *testing.T) {
	f := &fakeNode{t: t, gas: 100_000}
	send(t, newSender(t, f, ""), Options{})
	if want := uint64(100_000*3/2 + gasBase); f.fees[0].GasLimit != want || len(f.fees[0].Amount) != 0 {
		t.Errorf("fee %v, want gas %d", f.fees[0], want)
	}
	f.sequence = 0
	send(t, newSender(t, f, "0.0025"), Options{Gas: 1001})
	if got := f.fees[1].Amount.String(); got != "3uphx" {
		t.Errorf("fee %s, want 2.5025 rounded up", got)
	}
}

func TestResult(t *testing.T) {
	f := &fakeNode{t: t}
	s := newSender(t, f, "")
	r, err := s.Do(t.Context(), Options{Gas: 1, Memo: "hello"}, push(s))
	if err != nil {
		t.Fatal(err)
	}
	if f.txs[0].Memo != "hello" || r.Height != 5 {
		t.Errorf("memo %q, height %d", f.txs[0].Memo, r.Height)
	}
	var response mqtypes.MsgPushResponse
	if err := r.Response(0, &response); err != nil || response.Indexes[0] != 42 {
		t.Errorf("response %v, %v", response, err)
	}
	if err := r.Response(0, &mqtypes.MsgSubmitResponse{}); err == nil {
		t.Error("a response was read as another")
	}
	if err := r.Response(1, &response); err == nil {
		t.Error("a response that is not there was read")
	}
	events := r.Events("phalanx.mq.v1.EventMessage")
	if len(events) != 1 || events[0].Text("index") != "42" || events[0].Text("none") != "" {
		t.Errorf("events %v", events)
	}
}
