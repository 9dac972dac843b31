package keeper_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/keeper"
	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

const expiry = 50

var (
	release    = simulated.Measurement("release")
	governance = accountText(0xff)
	authority  = accountText(0xfe)
)

func account(n byte) wire.Account { return wire.Account{19: n} }

func accountText(n byte) string {
	a := account(n)
	text, err := types.AccountCodec().BytesToString(a[:])
	if err != nil {
		panic(err)
	}
	return text
}

// chain is the registry over a store in memory, with blocks that a test makes.
type chain struct {
	t      *testing.T
	ctx    sdk.Context
	k      *keeper.Keeper
	msg    types.MsgServer
	query  types.QueryServer
	multi  storetypes.CommitMultiStore
	store  storetypes.StoreKey
	hooks  *hooks
	began  time.Time
	random *rand.ChaCha8
}

// hooks records what the registry tells.
type hooks struct {
	lost, registered []wire.WorkerState
	err              error
}

func (h *hooks) WorkerLost(_ context.Context, w *wire.WorkerState) error {
	h.lost = append(h.lost, *w)
	return h.err
}

func (h *hooks) WorkerRegistered(_ context.Context, w *wire.WorkerState) error {
	h.registered = append(h.registered, *w)
	return h.err
}

// devnetGenesis believes the simulated platform for the program "release".
func devnetGenesis() *types.GenesisState {
	g := types.DefaultGenesis()
	roots := simulated.Roots()
	g.Params.Policy = scale.MustMarshal(policy(release[:]))
	g.Params.Roots = scale.MustMarshal(&roots)
	g.Params.GatekeeperConfidence = tee.ConfidenceNone
	g.Params.Network.Simulated = true
	g.Params.Network.RegistrationExpiry = expiry
	g.Params.Authority = authority
	g.Params.Delay = 0
	return g
}

func policy(measurements ...[]byte) *tee.Policy {
	rule := tee.Acceptance{Kind: tee.KindSimulated}
	for _, m := range measurements {
		rule.Programs = append(rule.Programs, tee.Exactly(m))
	}
	return &tee.Policy{
		Accept:   []tee.Acceptance{rule},
		Statuses: []tee.TCBStatus{tee.TCBUpToDate},
	}
}

// newChain makes a chain of the simulated platform whose blocks 1 to 3 are begun.
func newChain(t *testing.T, g *types.GenesisState) *chain {
	t.Helper()
	return newChainAt(t, g, time.UnixMilli(1_700_000_000_000), tee.Verifiers{simulated.Verifier{}})
}

// newChainAt is newChain with other verifiers, and its genesis at another time.
func newChainAt(t *testing.T, g *types.GenesisState, began time.Time, verifiers tee.Verifiers) *chain {
	t.Helper()
	key := storetypes.NewKVStoreKey(types.StoreKey)
	multi := store.NewCommitMultiStore(dbm.NewMemDB(), log.NewNopLogger())
	multi.MountStoreWithDB(key, storetypes.StoreTypeIAVL, nil)
	if err := multi.LoadLatestVersion(); err != nil {
		t.Fatal(err)
	}
	k := keeper.NewKeeper(runtime.NewKVStoreService(key), verifiers, governance)
	c := &chain{
		t: t, k: k, began: began, msg: keeper.NewMsgServer(k), query: keeper.NewQueryServer(k), multi: multi, store: key, hooks: &hooks{},
		random: rand.NewChaCha8([32]byte{1}),
		ctx:    sdk.NewContext(multi, cmtproto.Header{}, false, log.NewNopLogger()),
	}
	k.SetHooks(c.hooks)
	if err := k.InitGenesis(c.ctx, g); err != nil {
		t.Fatal(err)
	}
	c.advance(3)
	return c
}

// headerHash is that of the chain's block at a height.
func headerHash(h uint64) wire.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("header"), h))
}

func (c *chain) height() uint64 { return uint64(c.ctx.BlockHeight()) }

// advance ends the current block and begins the next one, n times.
func (c *chain) advance(n int) {
	c.t.Helper()
	for range n {
		if c.height() > 0 {
			if err := c.k.EndBlock(c.ctx); err != nil {
				c.t.Fatal(err)
			}
		}
		h := c.height() + 1
		hash := headerHash(h)
		c.ctx = c.ctx.WithBlockHeight(int64(h)).
			WithBlockTime(c.began.Add(time.Duration(h) * 500 * time.Millisecond).UTC()).
			WithHeaderHash(hash[:]).
			WithEventManager(sdk.NewEventManager())
		if err := c.k.BeginBlock(c.ctx); err != nil {
			c.t.Fatal(err)
		}
	}
}

// tx runs f as a transaction: what it writes is undone where it fails.
func (c *chain) tx(f func(ctx sdk.Context) error) error {
	cached, write := c.ctx.CacheContext()
	err := f(cached)
	if err == nil {
		write()
	}
	return err
}

// enclave is one pRuntime on one simulated machine.
type enclave struct {
	c           *chain
	device      *device.Device
	identity    *sr25519.PrivateKey
	ecdh        ecdh.PublicKey
	incarnation wire.Incarnation
	operator    byte
}

func (c *chain) enclave(o device.Options) *enclave {
	c.t.Helper()
	if o.Measurement == [32]byte{} {
		o.Measurement = release
	}
	o.Rand = c.random
	o.Now = func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	d, err := device.Open(c.t.TempDir(), o)
	if err != nil {
		c.t.Fatal(err)
	}
	identity, err := sr25519.Generate(c.random)
	if err != nil {
		c.t.Fatal(err)
	}
	e := &enclave{c: c, device: d, identity: identity, operator: 1}
	e.restart()
	e.ecdh = c.key()
	return e
}

// key makes a public EcdhKey.
func (c *chain) key() ecdh.PublicKey {
	k, err := ecdh.Generate(c.random)
	if err != nil {
		c.t.Fatal(err)
	}
	return k.Public()
}

func (e *enclave) restart() {
	if _, err := e.c.random.Read(e.incarnation[:]); err != nil {
		e.c.t.Fatal(err)
	}
}

func (e *enclave) public() sr25519.PublicKey { return e.identity.Public() }

func (e *enclave) life() wire.WorkerLife {
	return wire.WorkerLife{Identity: e.public(), Incarnation: e.incarnation}
}

// registration is an honest one, which names the block before this one.
func (e *enclave) registration() wire.Registration {
	h := e.c.height() - 1
	return wire.Registration{
		Version: wire.RegistrationVersion, Identity: e.public(), Ecdh: e.ecdh, UID: wire.ChainUID(headerHash(1)),
		Incarnation: e.incarnation, HeaderHeight: h, HeaderHash: headerHash(h), Operator: account(e.operator),
		Software: "v1",
	}
}

// message signs a registration, gets evidence for it, and puts both into the operator's message.
func (e *enclave) message(r wire.Registration) *types.MsgRegisterWorker {
	e.c.t.Helper()
	text, err := r.SigningText()
	if err != nil {
		e.c.t.Fatal(err)
	}
	sig, err := e.identity.Sign(e.c.random, text)
	if err != nil {
		e.c.t.Fatal(err)
	}
	data, err := r.ReportData()
	if err != nil {
		e.c.t.Fatal(err)
	}
	evidence, err := e.device.Attest(context.Background(), data)
	if err != nil {
		e.c.t.Fatal(err)
	}
	return &types.MsgRegisterWorker{
		Operator: accountText(e.operator), Registration: scale.MustMarshal(&r),
		Evidence: scale.MustMarshal(&evidence), Signature: sig[:],
	}
}

func (c *chain) send(m *types.MsgRegisterWorker) error {
	return c.tx(func(ctx sdk.Context) error { _, err := c.msg.RegisterWorker(ctx, m); return err })
}

// register registers the enclave honestly.
func (e *enclave) register() error { return e.c.send(e.message(e.registration())) }

// enrolled is an enclave that has registered.
func (c *chain) enrolled() *enclave {
	c.t.Helper()
	e := c.enclave(device.Options{})
	if err := e.register(); err != nil {
		c.t.Fatal(err)
	}
	return e
}

func (c *chain) worker(pk sr25519.PublicKey) wire.WorkerState {
	c.t.Helper()
	w, found, err := c.k.Worker(c.ctx, pk)
	if err != nil || !found {
		c.t.Fatalf("worker %s: found %v, %v", pk, found, err)
	}
	return w
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
