// Package mqtest is a chain for tests of x/mq and x/cluster: the real queue over a store in memory, with a registry and
// a bank that are as small as they can be. Both keep their records in stores of their own, so that what a cache context
// undoes is undone in them too.
//
// Start with [New], register enclaves with [Network.Enroll], and let blocks pass with [Network.Next].
package mqtest

import (
	"bytes"
	"fmt"
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

	"github.com/phalanx-network/phalanx/chain/x/mq/keeper"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// UID is the chain's.
var UID = wire.ChainUID{0xc4, 0xa1}

// FeeCollector is the account that takes the price of gas.
const FeeCollector = "fee_collector"

// Network is the chain.
type Network struct {
	Ctx      sdk.Context
	Queue    *keeper.Keeper
	Registry *Registry
	Bank     *Bank

	multi  storetypes.CommitMultiStore
	cache  storetypes.CacheMultiStore // as in a block: what is written is in memory until the commit
	stores map[string]*storetypes.KVStoreKey
	random *rand.ChaCha8
}

// New makes the chain at height 1. more names stores beside those of mq, registry and bank.
func New(tb testing.TB, more ...string) *Network {
	tb.Helper()
	names := append([]string{wire.StoreQueue, wire.StoreRegistry, "bank"}, more...)
	n := &Network{
		multi:  store.NewCommitMultiStore(dbm.NewMemDB(), log.NewNopLogger()),
		stores: storetypes.NewKVStoreKeys(names...),
		random: rand.NewChaCha8([32]byte{7}),
	}
	for _, name := range names {
		n.multi.MountStoreWithDB(n.stores[name], storetypes.StoreTypeIAVL, nil)
	}
	if err := n.multi.LoadLatestVersion(); err != nil {
		tb.Fatal(err)
	}
	n.Registry = &Registry{store: n.Store(wire.StoreRegistry), Params: wire.NetworkParams{
		RegistrationExpiry: 1000, MarkInterval: 5, BodyRetention: 20, GasPrice: 1 << 20, Simulated: true,
	}}
	n.Bank = &Bank{store: n.Store("bank"), Blocked: make(map[string]bool)}
	n.Queue = keeper.NewKeeper(n.Store(wire.StoreQueue), n.Registry, n.Bank, FeeCollector)
	n.cache = n.multi.CacheMultiStore()
	n.Ctx = sdk.NewContext(n.cache, cmtproto.Header{}, false, log.NewNopLogger())
	n.at(1)
	return n
}

// Store returns the service of a store.
func (n *Network) Store(name string) storeService { return runtime.NewKVStoreService(n.stores[name]) }

func (n *Network) at(height int64) {
	when := time.UnixMilli(1_700_000_000_000 + 500*height).UTC()
	n.Ctx = n.Ctx.WithBlockHeight(height).WithBlockTime(when).WithEventManager(sdk.NewEventManager())
}

// Next goes on to the next block, with no events yet.
func (n *Network) Next() { n.at(n.Ctx.BlockHeight() + 1) }

// Height is the block's.
func (n *Network) Height() uint64 { return uint64(n.Ctx.BlockHeight()) }

// Commit writes everything and returns the app hash.
func (n *Network) Commit() []byte {
	n.cache.Write()
	return n.multi.Commit().Hash
}

// Dump returns every entry of a store.
func (n *Network) Dump(name string) string {
	var b bytes.Buffer
	it := n.Ctx.KVStore(n.stores[name]).Iterator(nil, nil)
	defer it.Close()
	for ; it.Valid(); it.Next() {
		fmt.Fprintf(&b, "%x=%x\n", it.Key(), it.Value())
	}
	return b.String()
}

// Raw returns the bytes of a proven record, nil where it is absent.
func (n *Network) Raw(k wire.RecordKey) []byte {
	return n.Ctx.KVStore(n.stores[k.Store]).Get([]byte(k.Key))
}

// SetRaw damages a record, or repairs it.
func (n *Network) SetRaw(k wire.RecordKey, value []byte) {
	n.Ctx.KVStore(n.stores[k.Store]).Set([]byte(k.Key), value)
}

// Account returns the i-th account and its address.
func Account(i byte) (wire.Account, string) {
	a := wire.Account{0xac, i}
	text, err := codec.BytesToString(a[:])
	if err != nil {
		panic(err)
	}
	return a, text
}

// Enclave is a registered entity whose keys the test holds.
type Enclave struct {
	Key         *sr25519.PrivateKey
	Incarnation wire.Incarnation
	Sequence    uint64 // of the next message

	random *rand.ChaCha8
}

// Enroll registers the i-th enclave, operated by the i-th account.
func (n *Network) Enroll(tb testing.TB, i byte) *Enclave {
	tb.Helper()
	mini := bytes.Repeat([]byte{i + 1}, 32)
	key, err := sr25519.FromMiniSecret(mini)
	if err != nil {
		tb.Fatal(err)
	}
	e := &Enclave{Key: key, Incarnation: wire.Incarnation{i, 1}, random: n.random}
	operator, _ := Account(i)
	w := wire.WorkerState{
		Identity:    key.Public(),
		Ecdh:        wire.EcdhEpoch{Key: Ecdh(tb, i).Public()},
		Operator:    operator,
		Incarnation: e.Incarnation,
	}
	if err := n.Registry.Put(n.Ctx, &w); err != nil {
		tb.Fatal(err)
	}
	return e
}

// Restart registers an enclave afresh: active, with a new incarnation and a sequence from 0.
func (n *Network) Restart(tb testing.TB, e *Enclave) {
	tb.Helper()
	e.Incarnation[1]++
	e.Sequence = 0
	w, found, err := n.Registry.Worker(n.Ctx, e.ID())
	if err != nil || !found {
		tb.Fatalf("worker found %v: %v", found, err)
	}
	w.Incarnation, w.Status = e.Incarnation, wire.WorkerActive
	if err := n.Registry.Put(n.Ctx, &w); err != nil {
		tb.Fatal(err)
	}
	if err := n.Registry.registered(n.Ctx, &w); err != nil {
		tb.Fatal(err)
	}
}

// ID is the enclave's IdentityKey.
func (e *Enclave) ID() sr25519.PublicKey { return e.Key.Public() }

// Sign returns the act as the enclave's next message.
func (e *Enclave) Sign(tb testing.TB, act wire.Act) []byte {
	tb.Helper()
	raw := e.SignAs(tb, UID, e.Incarnation, e.Sequence, act)
	e.Sequence++
	return raw
}

// SignAs signs an act for any chain, incarnation and sequence.
func (e *Enclave) SignAs(
	tb testing.TB, uid wire.ChainUID, incarnation wire.Incarnation, sequence uint64, act wire.Act,
) []byte {
	tb.Helper()
	m := wire.SignedMessage{Message: wire.EnclaveMessage{
		Identity: e.ID(), Incarnation: incarnation, Sequence: sequence, Act: act,
	}}
	text, err := m.Message.SigningText(uid)
	if err != nil {
		tb.Fatal(err)
	}
	if m.Signature, err = e.Key.Sign(e.random, text); err != nil {
		tb.Fatal(err)
	}
	return scale.MustMarshal(&m)
}

// Ecdh returns the i-th ECDH key.
func Ecdh(tb testing.TB, i byte) *ecdh.PrivateKey {
	tb.Helper()
	key, err := ecdh.FromMiniSecret(bytes.Repeat([]byte{i + 101}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// Envelope returns the SCALE of an envelope of a purpose, with room for n bytes.
func Envelope(tb testing.TB, purpose commkey.Purpose, n int) []byte {
	tb.Helper()
	e, err := envelope.Seal(rand.NewChaCha8([32]byte{9}), UID, Ecdh(tb, 90), Ecdh(tb, 91).Public(), 0, purpose,
		make([]byte, n))
	if err != nil {
		tb.Fatal(err)
	}
	return e.Marshal()
}
