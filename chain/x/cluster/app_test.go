package cluster_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	"github.com/cosmos/gogoproto/proto"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/chain/app"
	"github.com/phalanx-network/phalanx/chain/app/genesis"
	"github.com/phalanx-network/phalanx/chain/queue"
	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/chain/x/mq/mqtest"
	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

const chainID = "phalanx-cluster"

var (
	began    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	operator = secp256k1.GenPrivKeyFromSecret([]byte("operator"))
	release  = sha256.Sum256([]byte("release"))
)

// chain is the application with one validator and one account.
type chain struct {
	t        *testing.T
	app      *app.App
	sequence uint64
	random   *rand.ChaCha8

	identity *sr25519.PrivateKey
	next     uint64 // the enclave's sequence
}

func (c *chain) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func address() sdk.AccAddress { return sdk.AccAddress(operator.PubKey().Address()) }

func start(t *testing.T) *chain {
	t.Helper()
	c := &chain{t: t, random: rand.NewChaCha8([32]byte{3})}
	registry := genesis.SimulatedRegistry(address(), release[:])
	registry.Params.Network.MarkInterval = 2
	doc, err := genesis.Build(genesis.Options{
		ChainID: chainID, Time: began, UnbondingTime: 365 * 24 * time.Hour,
		Validators: []genesis.Validator{{
			Moniker: "v", Operator: sdk.AccAddress{19: 1}, ConsensusKey: consensus().Key, Stake: math.NewInt(1_000_000),
		}},
		Accounts: []genesis.Account{{Address: address(), Balance: math.NewInt(1_000_000)}},
		Modules:  map[string]proto.Message{registrytypes.ModuleName: registry},
	})
	c.must(err)
	c.app, err = app.New(log.NewNopLogger(), dbm.NewMemDB(), true, simtestutil.EmptyAppOptions{},
		baseapp.SetChainID(chainID))
	c.must(err)
	params := doc.Consensus.Params.ToProto()
	_, err = c.app.InitChain(&abci.RequestInitChain{
		ChainId: chainID, Time: doc.GenesisTime, InitialHeight: doc.InitialHeight, AppStateBytes: doc.AppState,
		ConsensusParams: &params,
	})
	c.must(err)
	return c
}

func consensus() *ed25519.PubKey {
	return ed25519.GenPrivKeyFromSecret([]byte{1}).PubKey().(*ed25519.PubKey)
}

func blockHash(h int64) wire.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(h)))
}

// block executes a block of the operator's messages, each in a transaction that must succeed, and returns their data.
func (c *chain) block(msgs ...sdk.Msg) [][]byte {
	c.t.Helper()
	h := c.app.LastBlockHeight() + 1
	hash := blockHash(h)
	r := &abci.RequestFinalizeBlock{
		Height: h, Time: began.Add(time.Duration(h) * time.Second), Hash: hash[:], ProposerAddress: consensus().Address(),
	}
	if h > 1 {
		r.DecidedLastCommit.Votes = []abci.VoteInfo{{
			Validator:   abci.Validator{Address: consensus().Address(), Power: 1},
			BlockIdFlag: cmtproto.BlockIDFlagCommit,
		}}
	}
	for _, m := range msgs {
		r.Txs = append(r.Txs, c.sign(m))
	}
	result, err := c.app.FinalizeBlock(r)
	c.must(err)
	var out [][]byte
	for i, x := range result.TxResults {
		if x.Code != 0 {
			c.t.Fatalf("transaction %d: %s", i, x.Log)
		}
		c.t.Logf("%T: %d gas", msgs[i], x.GasUsed)
		var data sdk.TxMsgData
		c.must(proto.Unmarshal(x.Data, &data))
		out = append(out, data.MsgResponses[0].Value)
	}
	_, err = c.app.Commit()
	c.must(err)
	return out
}

func (c *chain) sign(m sdk.Msg) []byte {
	c.t.Helper()
	cfg := c.app.TxConfig()
	b := cfg.NewTxBuilder()
	c.must(b.SetMsgs(m))
	b.SetGasLimit(5_000_000)
	mode := signing.SignMode_SIGN_MODE_DIRECT
	empty := signing.SignatureV2{
		PubKey: operator.PubKey(), Sequence: c.sequence, Data: &signing.SingleSignatureData{SignMode: mode},
	}
	c.must(b.SetSignatures(empty))
	account := c.app.Account.GetAccount(c.app.NewContext(true), address())
	data := authsigning.SignerData{
		Address: address().String(), ChainID: chainID, AccountNumber: account.GetAccountNumber(), Sequence: c.sequence,
		PubKey: operator.PubKey(),
	}
	sig, err := tx.SignWithPrivKey(context.Background(), mode, data, b, operator, cfg, c.sequence)
	c.must(err)
	c.must(b.SetSignatures(sig))
	raw, err := cfg.TxEncoder()(b.GetTx())
	c.must(err)
	c.sequence++
	return raw
}

// register attests an enclave and registers it.
func (c *chain) register() {
	c.t.Helper()
	now := func() time.Time { return began }
	d, err := device.Open(c.t.TempDir(), device.Options{Measurement: release, Rand: c.random, Now: now})
	c.must(err)
	c.identity, err = sr25519.Generate(c.random)
	c.must(err)
	h := c.app.LastBlockHeight()
	r := wire.Registration{
		Version: wire.RegistrationVersion, Identity: c.identity.Public(), Ecdh: mqtest.Ecdh(c.t, 1).Public(),
		UID: wire.ChainUID(blockHash(1)), Incarnation: wire.Incarnation{1}, HeaderHeight: uint64(h),
		HeaderHash: blockHash(h), Operator: wire.Account(address()),
	}
	text, err := r.SigningText()
	c.must(err)
	sig, err := c.identity.Sign(c.random, text)
	c.must(err)
	data, err := r.ReportData()
	c.must(err)
	evidence, err := d.Attest(context.Background(), data)
	c.must(err)
	c.block(&registrytypes.MsgRegisterWorker{
		Operator: address().String(), Registration: scale.MustMarshal(&r), Evidence: scale.MustMarshal(&evidence),
		Signature: sig[:],
	})
}

// submit delivers the enclave's next act, which must be accepted.
func (c *chain) submit(a wire.Act) {
	c.t.Helper()
	m := wire.SignedMessage{Message: wire.EnclaveMessage{
		Identity: c.identity.Public(), Incarnation: wire.Incarnation{1}, Sequence: c.next, Act: a,
	}}
	c.next++
	text, err := m.Message.SigningText(wire.ChainUID(blockHash(1)))
	c.must(err)
	m.Signature, err = c.identity.Sign(c.random, text)
	c.must(err)
	raw := c.block(&mqtypes.MsgSubmit{Relayer: address().String(), Messages: [][]byte{scale.MustMarshal(&m)}})[0]
	var answer mqtypes.MsgSubmitResponse
	c.must(proto.Unmarshal(raw, &answer))
	if answer.Outcomes[0] != mqtypes.OutcomeAccepted {
		c.t.Fatalf("act is %s", answer.Outcomes[0])
	}
}

// proven returns a record with a proof, as a relay asks for it.
func (c *chain) proven(k wire.RecordKey, r scale.Record) {
	c.t.Helper()
	answer, err := c.app.Query(context.Background(), &abci.RequestQuery{
		Path: "/store/" + k.Store + "/key", Data: []byte(k.Key), Prove: true,
	})
	c.must(err)
	if answer.Code != 0 || answer.ProofOps == nil || len(answer.ProofOps.Ops) != 2 {
		c.t.Fatalf("no proof of %x: %s", k.Key, answer.Log)
	}
	c.must(scale.Unmarshal(answer.Value, r))
}

// TestInTheApplication takes a cluster through its life in the real application: created, its key fixed, funded,
// marked, its checkpoint finalized and its withdrawal paid.
func TestInTheApplication(t *testing.T) {
	c := start(t)
	c.block()
	c.block()
	c.register()
	signer := address().String()
	var created types.MsgCreateClusterResponse
	raw := c.block(&types.MsgCreateCluster{Creator: signer, Members: [][]byte{c.identity.Public().Bytes()}})[0]
	c.must(proto.Unmarshal(raw, &created))
	id := wire.ClusterID(created.Cluster)

	key := mqtest.Ecdh(t, 5).Public()
	c.submit(wire.Act{Kind: wire.ActKeyReport, KeyReport: &wire.KeyReport{Cluster: id, Key: key}})
	sealed := mqtest.Envelope(t, commkey.OnChain, 40)
	c.block(
		&types.MsgDeposit{Depositor: signer, Cluster: id[:], Amount: sdk.NewInt64Coin(registrytypes.Denom, 500),
			Beneficiary: sealed},
		&mqtypes.MsgPush{Sender: signer, Entries: []mqtypes.PushEntry{{Cluster: id[:], GasLog2: 20, Envelope: sealed}}},
	)
	c.block()
	c.block()
	var record wire.Cluster
	c.proven(wire.KeyCluster(id), &record)
	if record.Fixed == nil || record.Fixed.Key != key || record.Marks != 2 || record.Escrow != uint128.From64(500) {
		t.Fatalf("cluster is %+v", record)
	}
	payee := wire.Account{7}
	var head wire.Head
	c.proven(wire.KeyHead(wire.ClusterTopic(id)), &head)
	c.submit(wire.Act{Kind: wire.ActCheckpoint, Checkpoint: &wire.Checkpoint{
		Cluster: id, Mark: 2, Count: head.Count, StateRoot: wire.Hash{1},
		Withdrawals: []wire.Withdrawal{{Account: payee, Amount: uint128.From64(200)}},
	}})
	var finalized wire.Finalized
	c.proven(wire.KeyFinalized(id, 2), &finalized)
	if finalized.StateRoot != (wire.Hash{1}) {
		t.Fatalf("finalized is %+v", finalized)
	}
	ctx := c.app.NewContext(true)
	if got := c.app.Bank.GetBalance(ctx, payee[:], registrytypes.Denom).Amount.Int64(); got != 200 {
		t.Fatalf("paid %d", got)
	}
	surplus, err := c.app.Cluster.EscrowSurplus(ctx)
	c.must(err)
	if !surplus.IsZero() {
		t.Fatalf("the escrow is off by %s", surplus)
	}
	checkHead(c, id)
}

// checkHead chains the head over what the query service returns.
func checkHead(c *chain, id wire.ClusterID) {
	c.t.Helper()
	topic := wire.ClusterTopic(id)
	request, err := (&mqtypes.QueryMessagesRequest{
		Topic: queue.TopicText(topic), MaxBytes: 1,
	}).Marshal()
	c.must(err)
	answer, err := c.app.Query(context.Background(), &abci.RequestQuery{
		Path: "/phalanx.mq.v1.Query/Messages", Data: request,
	})
	c.must(err)
	var page mqtypes.QueryMessagesResponse
	c.must(page.Unmarshal(answer.Value))
	var got, want wire.Head
	for _, raw := range page.Messages {
		got = got.Next(sha256.Sum256(raw))
	}
	for d := page.Digests; len(d) > 0; d = d[32:] {
		got = got.Next(wire.Hash(d[:32]))
	}
	c.proven(wire.KeyHead(topic), &want)
	if got != want || got.Count < 9 {
		c.t.Fatalf("the page leads to %+v, the head is %+v", got, want)
	}
}
