package relay

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// fakeChain is a chain with one topic. A light block is its height in 8 bytes, a proof's Ops the same of its header.
type fakeChain struct {
	mu       sync.Mutex
	height   uint64
	messages [][]byte // of the topic
	since    []uint64 // state in which each is first there
	lowest   uint64
	page     int // messages of a page, 0 for all
	digests  int // digests of a page, 0 for all
	tamper   func(*mqtypes.QueryMessagesResponse)
	records  map[wire.RecordKey][]byte

	blocks []uint64 // that were asked for
	proofs int
	down   bool
}

var testTopic = wire.ClusterTopic(wire.ClusterID{7})

func newFakeChain(height uint64) *fakeChain {
	return &fakeChain{height: height, records: map[wire.RecordKey][]byte{}}
}

func (c *fakeChain) post(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		m := wire.Message{Height: c.height, Topic: testTopic, Sender: wire.Sender{Variant: wire.SenderAccount},
			Payload: binary.BigEndian.AppendUint64(nil, uint64(len(c.messages)))}
		c.messages = append(c.messages, scale.MustMarshal(&m))
		c.since = append(c.since, c.height)
	}
}

func (c *fakeChain) block() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.height++
	return c.height
}

// head returns the topic's head in a state.
func (c *fakeChain) head(state uint64) wire.Head {
	var h wire.Head
	for i, m := range c.messages {
		if c.since[i] <= state {
			h = h.Next(sha256.Sum256(m))
		}
	}
	return h
}

func (c *fakeChain) Status(context.Context) (node.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return node.Status{ChainID: "test", Height: c.height}, nil
}

func (c *fakeChain) Heights(context.Context, time.Duration, func(uint64) error) error {
	return errors.New("not used")
}

func (c *fakeChain) LightBlock(_ context.Context, height uint64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height > c.height || c.down {
		return nil, node.ErrUnreachable
	}
	c.blocks = append(c.blocks, height)
	return binary.BigEndian.AppendUint64(nil, height), nil
}

func (c *fakeChain) Prove(_ context.Context, key wire.RecordKey, state uint64) (node.Proof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state >= c.height || state <= 1 || c.down {
		return node.Proof{}, node.ErrUnreachable
	}
	c.proofs++
	p := node.Proof{Key: key, State: state, Ops: binary.BigEndian.AppendUint64(nil, state+1)}
	if key == wire.KeyHead(testTopic) {
		if h := c.head(state); h.Count > 0 {
			p.Value = scale.MustMarshal(&h)
		}
	} else {
		p.Value = c.records[key]
	}
	p.Absent = p.Value == nil
	return p, nil
}

func (c *fakeChain) Query(_ context.Context, method string, request, response proto.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch method {
	case "/phalanx.mq.v1.Query/Head":
		h := c.head(c.height)
		*response.(*mqtypes.QueryHeadResponse) = mqtypes.QueryHeadResponse{Count: h.Count, Hash: h.Hash[:], Lowest: c.lowest}
		return nil
	case "/phalanx.mq.v1.Query/Messages":
		return c.query(request.(*mqtypes.QueryMessagesRequest), response.(*mqtypes.QueryMessagesResponse))
	}
	return node.ErrNotFound
}

func (c *fakeChain) query(q *mqtypes.QueryMessagesRequest, out *mqtypes.QueryMessagesResponse) error {
	if q.Topic != hex.EncodeToString(testTopic.Bytes()) || q.Until > uint64(len(c.messages)) || q.From > q.Until {
		return &node.QueryError{Codespace: "sdk", Code: 18, Log: "no such place"}
	}
	if q.From < c.lowest {
		return &node.QueryError{Codespace: "sdk", Code: 6, Log: "body is pruned"}
	}
	rest := c.messages[q.From:q.Until]
	n := len(rest)
	if c.page > 0 {
		n = min(n, c.page)
	}
	if q.MaxBytes == 1 {
		n = 1
	}
	out.Messages, rest = slices.Clone(rest[:n]), rest[n:]
	for i, m := range rest {
		if c.digests > 0 && i == c.digests {
			break
		}
		d := sha256.Sum256(m)
		out.Digests = append(out.Digests, d[:]...)
	}
	out.Lowest = c.lowest
	if c.tamper != nil {
		c.tamper(out)
	}
	return nil
}

func (c *fakeChain) Tx(context.Context, []byte) (node.TxResult, error) {
	return node.TxResult{}, node.ErrNotFound
}

// fakeEnclave judges what it is brought as an enclave does: headers it can skip to, proofs against its newest header,
// messages that lead to the proven head.
type fakeEnclave struct {
	mu          sync.Mutex
	key         *sr25519.PrivateKey
	incarnation byte
	trusted     uint64
	needsRoot   bool
	height      uint64
	skip        uint64 // how far it can skip, 0 for any distance
	wants       []wire.RecordKey
	later       []wire.RecordKey // wanted once the head is proven
	proven      map[wire.RecordKey]bool
	head        wire.Head // its place
	provenHead  *wire.Head
	stalled     bool
	pruned      uint64
	needsReg    bool
	role        string
	platform    string
	evidence    tee.Evidence // of the simulated platform, unless a test says otherwise
	outFirst    uint64
	outbox      [][]byte

	registrations int
	advances      int
	executed      []uint64
	enclaveDoor   // the other methods are not called
}

type enclaveDoor struct{ Enclave }

func newFakeEnclave(t *testing.T) *fakeEnclave {
	t.Helper()
	key, err := sr25519.FromMiniSecret(slices.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	e := &fakeEnclave{key: key, trusted: 1, needsRoot: true, role: "worker"}
	e.restart()
	return e
}

// restart begins a new incarnation, with the trusted header and the place sealed.
func (e *fakeEnclave) restart() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.incarnation++
	e.height, e.proven, e.provenHead = 0, map[wire.RecordKey]bool{}, nil
	e.wants = []wire.RecordKey{wire.KeyNetworkParams(), wire.KeyWorker(e.key.Public()), wire.KeyHead(testTopic)}
	e.outFirst, e.outbox = 0, nil
}

func (e *fakeEnclave) status() *pb.StatusResponse {
	incarnation := wire.Incarnation{e.incarnation}
	st := &pb.StatusResponse{
		Identity: e.key.Public().Bytes(), Incarnation: incarnation[:], Height: e.height, Trusted: e.trusted,
		NeedsRoot: e.needsRoot, NeedsRegistration: e.needsReg, Role: e.role,
		Platform:    e.platform,
		OutboxFirst: e.outFirst, OutboxNext: e.outFirst + uint64(len(e.outbox)),
	}
	for _, k := range e.wants {
		st.Wants = append(st.Wants, &pb.Record{Store: k.Store, Key: []byte(k.Key)})
	}
	st.Topics = []*pb.TopicPlace{{Topic: testTopic.Bytes(), Count: e.head.Count}}
	return st
}

func (e *fakeEnclave) Status(context.Context, *connect.Request[pb.StatusRequest]) (*connect.Response[pb.StatusResponse], error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return connect.NewResponse(e.status()), nil
}

func refuse(code connect.Code, text string) error { return connect.NewError(code, errors.New(text)) }

func (e *fakeEnclave) Advance(_ context.Context, r *connect.Request[pb.AdvanceRequest]) (*connect.Response[pb.AdvanceResponse], error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.advances++
	for _, b := range r.Msg.LightBlocks {
		if err := e.header(binary.BigEndian.Uint64(b)); err != nil {
			return nil, err
		}
	}
	for _, p := range r.Msg.Proofs {
		if err := e.prove(p); err != nil {
			return nil, err
		}
	}
	for _, b := range r.Msg.Batches {
		if err := e.deliver(b); err != nil {
			return nil, err
		}
	}
	return connect.NewResponse(&pb.AdvanceResponse{Status: e.status()}), nil
}

func (e *fakeEnclave) header(h uint64) error {
	switch {
	case e.needsRoot && h != e.trusted:
		return refuse(connect.CodeInvalidArgument, "not the root")
	case h < e.trusted:
		return nil
	case e.skip > 0 && h > e.trusted+e.skip:
		return refuse(connect.CodeOutOfRange, "too far")
	}
	if h > e.height {
		e.proven, e.provenHead = map[wire.RecordKey]bool{}, nil
	}
	e.needsRoot, e.trusted, e.height = false, h, h
	return nil
}

func (e *fakeEnclave) prove(p *pb.Proof) error {
	key := wire.RecordKey{Store: p.Record.Store, Key: string(p.Record.Key)}
	if p.Header != e.height {
		return refuse(connect.CodeAborted, "stale")
	}
	if binary.BigEndian.Uint64(p.Ops) != e.height {
		return refuse(connect.CodeInvalidArgument, "false proof")
	}
	e.proven[key] = true
	if key == wire.KeyHead(testTopic) {
		e.provenHead = new(wire.Head)
		if !p.Absent {
			if err := scale.Unmarshal(p.Value, e.provenHead); err != nil {
				return err
			}
		}
		for _, k := range e.later {
			if !slices.Contains(e.wants, k) {
				e.wants = append(e.wants, k)
			}
		}
	}
	return nil
}

func (e *fakeEnclave) deliver(b *pb.Batch) error {
	if b.From != e.head.Count || e.stalled {
		return nil
	}
	if b.PrunedBelow > b.From {
		e.pruned = b.PrunedBelow
		e.stalled = true
		return nil
	}
	head := e.head
	for _, m := range b.Messages {
		head = head.Next(sha256.Sum256(m))
	}
	end := head
	for _, d := range b.Digests {
		end = end.Next(wire.Hash(d))
	}
	if e.provenHead == nil || end != *e.provenHead {
		return refuse(connect.CodeAborted, "does not lead to the head")
	}
	for i := range b.Messages {
		e.executed = append(e.executed, b.From+uint64(i))
	}
	e.head = head
	return nil
}

func (e *fakeEnclave) Register(context.Context, *connect.Request[pb.RegisterRequest]) (*connect.Response[pb.RegisterResponse], error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.proven[wire.KeyWorker(e.key.Public())] {
		return nil, refuse(connect.CodeFailedPrecondition, "not ready")
	}
	e.registrations++
	return connect.NewResponse(&pb.RegisterResponse{
		Registration: []byte{e.incarnation}, Evidence: scale.MustMarshal(&e.evidence), Signature: []byte{1},
	}), nil
}

func (e *fakeEnclave) Outbox(_ context.Context, r *connect.Request[pb.OutboxRequest]) (*connect.Response[pb.OutboxResponse], error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	from := max(r.Msg.From, e.outFirst) - e.outFirst
	if from >= uint64(len(e.outbox)) {
		return connect.NewResponse(&pb.OutboxResponse{}), nil
	}
	rest := e.outbox[from:]
	return connect.NewResponse(&pb.OutboxResponse{Messages: rest[:min(len(rest), 100)]}), nil
}

// fakeSender remembers what was sent.
type fakeSender struct {
	msgs []sdk.Msg
	err  error
}

func (s *fakeSender) Address() string { return "phx1operator" }

func (s *fakeSender) Send(_ context.Context, o tx.Options, msgs ...sdk.Msg) ([]byte, error) {
	if o.Gas == 0 {
		return nil, errors.New("no gas")
	}
	if s.err != nil {
		return nil, s.err
	}
	s.msgs = append(s.msgs, msgs...)
	return []byte("hash" + strconv.Itoa(len(s.msgs))), nil
}

// submitted returns the messages of all submissions so far.
func (s *fakeSender) submitted() [][]byte {
	var out [][]byte
	for _, m := range s.msgs {
		if x, ok := m.(*mqtypes.MsgSubmit); ok {
			out = append(out, x.Messages...)
		}
	}
	return out
}

type fakeAccount struct{}

func (fakeAccount) Bech32() string                   { return "phx1operator" }
func (fakeAccount) PublicKey() cryptotypes.PubKey    { return nil }
func (fakeAccount) SignChain([]byte) ([]byte, error) { return nil, errors.New("not used") }
func (fakeAccount) Address() wire.Account            { return wire.Account{1} }

// plainCollateral leaves evidence as it is.
type plainCollateral struct{}

func (plainCollateral) Complete(_ context.Context, ev tee.Evidence) (tee.Evidence, collateral.Expiry, error) {
	return ev, collateral.Expiry{}, nil
}

func (plainCollateral) Stats() collateral.Stats { return collateral.Stats{} }

func testSession(c *fakeChain, e *fakeEnclave) (*session, *fakeSender) {
	sender := &fakeSender{}
	r := &relay{
		cfg:     Config{Account: fakeAccount{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))},
		enclave: e, metrics: newMetrics(), collateral: plainCollateral{}, clock: time.Now,
	}
	return newSession(r, c, sender), sender
}
