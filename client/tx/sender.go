package tx

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"sync"
	"time"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/math"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/node"
)

// Errors that a caller can act on.
var (
	// ErrNoAccount says that the chain has no account of that address: nobody has sent it coins yet.
	ErrNoAccount = errors.New("the chain has no such account; send it coins first")
	// ErrSequence says that the chain kept expecting another sequence: another program uses the same account.
	ErrSequence = errors.New("account is in use elsewhere: its sequence does not settle")
	// ErrGasPrice says that a gas price is not a decimal number.
	ErrGasPrice = errors.New("bad gas price")
)

const (
	maxAttempts = 5
	gasBase     = 60_000 // added to every simulated figure, for what a later state may cost more
	waitPoll    = 50 * time.Millisecond
)

// Node is the chain's node as this package needs it; *node.Node is one.
type Node interface {
	Query(ctx context.Context, method string, request, response proto.Message) error
	Broadcast(ctx context.Context, tx []byte) ([]byte, error)
	WaitTx(ctx context.Context, hash []byte, poll time.Duration) (node.TxResult, error)
}

// Signer is the account that posts and pays; *account.Account is one.
type Signer interface {
	Bech32() string
	PublicKey() cryptotypes.PubKey
	SignChain(text []byte) ([]byte, error)
}

// Config is what a [Sender] is made of.
type Config struct {
	ChainID string
	// GasPrice is what is paid for a unit of gas, in uphx, as a decimal number; empty for nothing.
	GasPrice string
}

// Sender sends the transactions of one account. It is safe for concurrent use.
type Sender struct {
	node    Node
	signer  Signer
	chainID string
	price   *big.Rat

	mu     sync.Mutex
	known  bool // whether number and next are the chain's
	number uint64
	next   uint64
}

// New makes a sender. It asks the chain nothing yet.
func New(n Node, signer Signer, cfg Config) (*Sender, error) {
	price := new(big.Rat)
	if cfg.GasPrice != "" {
		if _, ok := price.SetString(cfg.GasPrice); !ok || price.Sign() < 0 {
			return nil, fmt.Errorf("%w: %.40q", ErrGasPrice, cfg.GasPrice)
		}
	}
	return &Sender{node: n, signer: signer, chainID: cfg.ChainID, price: price}, nil
}

// Address returns the account's address as the chain's tools write it.
func (s *Sender) Address() string { return s.signer.Bech32() }

// Options change how a transaction is sent. The zero value is good.
type Options struct {
	Gas  uint64 // 0 to have the node simulate it, with a margin
	Memo string
}

// Do sends messages and waits for their block. A refusal is a [*node.TxError].
func (s *Sender) Do(ctx context.Context, o Options, msgs ...sdk.Msg) (Result, error) {
	hash, err := s.Send(ctx, o, msgs...)
	if err != nil {
		return Result{}, err
	}
	return s.Wait(ctx, hash)
}

// Wait waits until a transaction is in a block. A refusal by the block is a [*node.TxError].
func (s *Sender) Wait(ctx context.Context, hash []byte) (Result, error) {
	r, err := s.node.WaitTx(ctx, hash, waitPoll)
	if err != nil {
		return Result{}, err
	}
	return newResult(r)
}

// Send signs messages as one transaction and hands it in; it returns the transaction's hash. A refusal at the node's
// door is a [*node.TxError].
func (s *Sender) Send(ctx context.Context, o Options, msgs ...sdk.Msg) ([]byte, error) {
	body, err := encodeBody(o.Memo, msgs)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range maxAttempts {
		hash, err := s.attempt(ctx, body, o.Gas)
		expected, mismatch := expectedSequence(err)
		if !mismatch {
			return hash, err
		}
		s.next = expected
	}
	s.known = false
	return nil, fmt.Errorf("%w: %s", ErrSequence, s.Address())
}

// attempt signs with the sequence that is next and hands in.
func (s *Sender) attempt(ctx context.Context, body []byte, gas uint64) ([]byte, error) {
	if err := s.learn(ctx); err != nil {
		return nil, err
	}
	if gas == 0 {
		var err error
		if gas, err = s.simulate(ctx, body); err != nil {
			return nil, err
		}
	}
	raw, err := s.sign(body, gas)
	if err != nil {
		return nil, err
	}
	hash, err := s.node.Broadcast(ctx, raw)
	if err != nil {
		var refused *node.TxError
		// Unless the node has answered, nobody knows whether the sequence is used.
		s.known = s.known && errors.As(err, &refused)
		return nil, err
	}
	s.next++
	return hash, nil
}

// learn asks the chain for the account's number and sequence, once.
func (s *Sender) learn(ctx context.Context) error {
	if s.known {
		return nil
	}
	request := &authtypes.QueryAccountInfoRequest{Address: s.Address()}
	var response authtypes.QueryAccountInfoResponse
	err := s.node.Query(ctx, "/cosmos.auth.v1beta1.Query/AccountInfo", request, &response)
	if errors.Is(err, node.ErrNotFound) {
		return fmt.Errorf("%w: %s", ErrNoAccount, s.Address())
	}
	if err != nil {
		return err
	}
	if response.Info == nil {
		return fmt.Errorf("%w: %s", ErrNoAccount, s.Address())
	}
	s.number, s.next, s.known = response.Info.AccountNumber, response.Info.Sequence, true
	return nil
}

// simulate has the node run the transaction and returns its gas with a margin.
func (s *Sender) simulate(ctx context.Context, body []byte) (uint64, error) {
	raw, err := s.envelope(body, 0, []byte{})
	if err != nil {
		return 0, err
	}
	var response txtypes.SimulateResponse
	request := &txtypes.SimulateRequest{TxBytes: raw}
	if err := s.node.Query(ctx, "/cosmos.tx.v1beta1.Service/Simulate", request, &response); err != nil {
		return 0, simulationError(err)
	}
	if response.GasInfo == nil {
		return 0, errors.New("simulation: the node gave no gas")
	}
	used := response.GasInfo.GasUsed
	return used + used/2 + gasBase, nil
}

// simulationError makes a refusal in simulation the same error as one at the door.
func simulationError(err error) error {
	var q *node.QueryError
	if !errors.As(err, &q) {
		return err
	}
	return &node.TxError{Codespace: q.Codespace, Code: q.Code, Log: q.Log}
}

var sequenceLog = regexp.MustCompile(`account sequence mismatch, expected (\d+), got \d+`)

// expectedSequence returns the sequence that the chain names when it refuses another.
func expectedSequence(err error) (uint64, bool) {
	var refused *node.TxError
	if !errors.As(err, &refused) {
		return 0, false
	}
	m := sequenceLog.FindStringSubmatch(refused.Log)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	return n, err == nil
}

func encodeBody(memo string, msgs []sdk.Msg) ([]byte, error) {
	if len(msgs) == 0 {
		return nil, errors.New("transaction without messages")
	}
	body := txtypes.TxBody{Memo: memo, Messages: make([]*codectypes.Any, len(msgs))}
	for i, m := range msgs {
		var err error
		if body.Messages[i], err = codectypes.NewAnyWithValue(m); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
	}
	return body.Marshal()
}

func (s *Sender) sign(body []byte, gas uint64) ([]byte, error) {
	auth, err := s.authInfo(gas)
	if err != nil {
		return nil, err
	}
	doc := txtypes.SignDoc{BodyBytes: body, AuthInfoBytes: auth, ChainId: s.chainID, AccountNumber: s.number}
	text, err := doc.Marshal()
	if err != nil {
		return nil, fmt.Errorf("sign bytes: %w", err)
	}
	signature, err := s.signer.SignChain(text)
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	return s.envelope(body, gas, signature)
}

func (s *Sender) envelope(body []byte, gas uint64, signature []byte) ([]byte, error) {
	auth, err := s.authInfo(gas)
	if err != nil {
		return nil, err
	}
	raw := txtypes.TxRaw{BodyBytes: body, AuthInfoBytes: auth, Signatures: [][]byte{signature}}
	return raw.Marshal()
}

func (s *Sender) authInfo(gas uint64) ([]byte, error) {
	public, err := codectypes.NewAnyWithValue(s.signer.PublicKey())
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	direct := &txtypes.ModeInfo_Single_{Single: &txtypes.ModeInfo_Single{Mode: signing.SignMode_SIGN_MODE_DIRECT}}
	info := txtypes.AuthInfo{
		SignerInfos: []*txtypes.SignerInfo{{
			PublicKey: public, ModeInfo: &txtypes.ModeInfo{Sum: direct}, Sequence: s.next,
		}},
		Fee: &txtypes.Fee{GasLimit: gas, Amount: s.fee(gas)},
	}
	return info.Marshal()
}

// fee is the gas times its price, rounded up.
func (s *Sender) fee(gas uint64) sdk.Coins {
	r := new(big.Rat).Mul(s.price, new(big.Rat).SetInt(new(big.Int).SetUint64(gas)))
	amount := new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1)))
	amount.Quo(amount, r.Denom())
	if amount.Sign() == 0 {
		return nil
	}
	return sdk.Coins{sdk.NewCoin(types.Denom, math.NewIntFromBigInt(amount))}
}
