package genesis_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/chain/app"
	"github.com/phalanx-network/phalanx/chain/app/genesis"
	"github.com/phalanx-network/phalanx/chain/x/registry/types"
)

const chainID = "phalanx-genesis"

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func consensusKey(n byte) *ed25519.PubKey {
	return ed25519.GenPrivKeyFromSecret([]byte{n}).PubKey().(*ed25519.PubKey)
}

// options are those of a devnet with n validators.
func options(n int) genesis.Options {
	o := genesis.Options{ChainID: chainID, Time: began, UnbondingTime: 365 * 24 * time.Hour}
	for i := range n {
		o.Validators = append(o.Validators, genesis.Validator{
			Moniker: "v", Operator: sdk.AccAddress{19: byte(i + 1)}, ConsensusKey: consensusKey(byte(i)).Key,
			Stake: math.NewInt(1_000_000),
		})
	}
	user := sdk.AccAddress{0: 1, 19: 0}
	o.Accounts = []genesis.Account{
		{Address: user, Balance: math.NewInt(1000)}, {Address: o.Validators[0].Operator, Balance: math.NewInt(7)},
	}
	o.Modules = map[string]proto.Message{types.ModuleName: genesis.SimulatedRegistry(user, []byte("release"))}
	return o
}

func open(t *testing.T) *app.App {
	t.Helper()
	a, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), true, simtestutil.EmptyAppOptions{}, baseapp.SetChainID(chainID))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// initialize gives the genesis to an application and returns the validators that it bonds.
func initialize(t *testing.T, a *app.App, doc *genutiltypes.AppGenesis) []abci.ValidatorUpdate {
	t.Helper()
	params := doc.Consensus.Params.ToProto()
	r, err := a.InitChain(&abci.RequestInitChain{
		ChainId: chainID, Time: doc.GenesisTime, InitialHeight: doc.InitialHeight, AppStateBytes: doc.AppState,
		ConsensusParams: &params,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Validators
}

// block executes a block that all of n validators have signed.
func block(a *app.App, h int64, n int) ([]byte, error) {
	hash := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(h)))
	var votes []abci.VoteInfo
	for i := range n {
		votes = append(votes, abci.VoteInfo{
			Validator:   abci.Validator{Address: consensusKey(byte(i)).Address(), Power: 1},
			BlockIdFlag: cmtproto.BlockIDFlagCommit,
		})
	}
	if a.LastBlockHeight() == 0 { // the chain's first block has no last commit
		votes = nil
	}
	r, err := a.FinalizeBlock(&abci.RequestFinalizeBlock{
		Height: h, Time: began.Add(time.Duration(h) * time.Second), Hash: hash[:],
		DecidedLastCommit: abci.CommitInfo{Votes: votes}, ProposerAddress: consensusKey(0).Address(),
	})
	if err != nil {
		return nil, err
	}
	_, err = a.Commit()
	return r.AppHash, err
}

// TestGasOfEvidence: a block full of the evidence that is slowest to judge, 5 ms, takes a validator under two seconds.
func TestGasOfEvidence(t *testing.T) {
	const slowest = 5 * time.Millisecond
	if busy := genesis.BlockGas / types.GasRegister * slowest; busy > 2*time.Second {
		t.Fatalf("a block's gas buys %s of verification", busy)
	}
}

func TestManyValidatorsMakeBlocks(t *testing.T) {
	const n = 4
	chain := func() (hashes [][]byte) {
		doc, err := genesis.Build(options(n))
		if err != nil {
			t.Fatal(err)
		}
		a := open(t)
		if got := initialize(t, a, doc); len(got) != n {
			t.Fatalf("%d validators are bonded, want %d", len(got), n)
		}
		for h := int64(1); h <= 5; h++ {
			hash, err := block(a, h, n)
			if err != nil {
				t.Fatalf("block %d: %v", h, err)
			}
			hashes = append(hashes, hash)
		}
		return hashes
	}
	first, second := chain(), chain()
	if !bytes.Equal(bytes.Join(first, nil), bytes.Join(second, nil)) {
		t.Fatalf("the same blocks gave %x and %x", first, second)
	}
}

// The control of the slashing records: without them the second block fails.
func TestWithoutSlashingRecordsTheChainHalts(t *testing.T) {
	doc, err := genesis.Build(options(1))
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(doc.AppState, &state); err != nil {
		t.Fatal(err)
	}
	a := open(t)
	state[slashingtypes.ModuleName] = a.Codec().MustMarshalJSON(slashingtypes.DefaultGenesisState())
	if doc.AppState, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	initialize(t, a, doc)
	if _, err := block(a, 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := block(a, 2, 1); err == nil {
		t.Fatal("the second block passes; are the records still needed?")
	}
}

func TestAnExportedChainGoesOn(t *testing.T) {
	doc, err := genesis.Build(options(2))
	if err != nil {
		t.Fatal(err)
	}
	a := open(t)
	initialize(t, a, doc)
	for h := int64(1); h <= 3; h++ {
		if _, err := block(a, h, 2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Export(true, nil); err == nil {
		t.Fatal("an export for height zero is made")
	}
	out, err := a.Export(false, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc.AppState, doc.InitialHeight = out.AppState, out.Height
	b := open(t)
	initialize(t, b, doc)
	for h := int64(4); h <= 6; h++ {
		if _, err := block(b, h, 2); err != nil {
			t.Fatalf("block %d of the restarted chain: %v", h, err)
		}
	}
	old, err := a.Registry.ChainUID(a.NewContext(true))
	if err != nil {
		t.Fatal(err)
	}
	if uid, err := b.Registry.ChainUID(b.NewContext(true)); err != nil || uid == old {
		t.Fatalf("the restarted chain has uid %s, the old one %s; %v", uid, old, err)
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	bad := map[string]func(o *genesis.Options){
		"no chain id":        func(o *genesis.Options) { o.ChainID = "" },
		"a long chain id":    func(o *genesis.Options) { o.ChainID = strings.Repeat("x", 51) },
		"no validator":       func(o *genesis.Options) { o.Validators = nil },
		"a key given twice":  func(o *genesis.Options) { o.Validators[1].ConsensusKey = o.Validators[0].ConsensusKey },
		"an operator twice":  func(o *genesis.Options) { o.Validators[1].Operator = o.Validators[0].Operator },
		"a short key":        func(o *genesis.Options) { o.Validators[0].ConsensusKey = []byte{1} },
		"a stake too small":  func(o *genesis.Options) { o.Validators[0].Stake = math.NewInt(999_999) },
		"no stake":           func(o *genesis.Options) { o.Validators[0].Stake = math.Int{} },
		"an account twice":   func(o *genesis.Options) { o.Accounts[1] = o.Accounts[0] },
		"an empty account":   func(o *genesis.Options) { o.Accounts[0].Balance = math.ZeroInt() },
		"an unknown module":  func(o *genesis.Options) { o.Modules["nothing"] = types.DefaultGenesis() },
		"simulated, but not": func(o *genesis.Options) { notSimulated(o) },
		"another module's":   func(o *genesis.Options) { o.Modules["mq"] = types.DefaultGenesis() },
	}
	for name, change := range bad {
		t.Run(name, func(t *testing.T) {
			o := options(2)
			change(&o)
			if _, err := genesis.Build(o); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

// notSimulated leaves the simulated platform's policy in a registry that says it does not accept it.
func notSimulated(o *genesis.Options) {
	g := o.Modules[types.ModuleName].(*types.GenesisState)
	g.Params.Network.Simulated = false
}
