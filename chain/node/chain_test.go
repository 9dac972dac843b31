package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/rpc/client"
	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/phalanx-network/phalanx/chain/app"
	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

// sign makes a transaction of one message by an account that has sent sequence of them before.
func sign(t *testing.T, key *secp256k1.PrivKey, number, sequence uint64, msg sdk.Msg) []byte {
	t.Helper()
	enc, err := app.NewEncoding()
	if err != nil {
		t.Fatal(err)
	}
	b := enc.Tx.NewTxBuilder()
	if err := b.SetMsgs(msg); err != nil {
		t.Fatal(err)
	}
	b.SetGasLimit(2_000_000)
	empty := signing.SignatureV2{PubKey: key.PubKey(), Sequence: sequence, Data: &signing.SingleSignatureData{
		SignMode: signing.SignMode_SIGN_MODE_DIRECT,
	}}
	if err := b.SetSignatures(empty); err != nil {
		t.Fatal(err)
	}
	data := authsigning.SignerData{
		Address: sdk.AccAddress(key.PubKey().Address()).String(), ChainID: chainID, AccountNumber: number,
		Sequence: sequence, PubKey: key.PubKey(),
	}
	sig, err := tx.SignWithPrivKey(context.Background(), signing.SignMode_SIGN_MODE_DIRECT, data, b, key, enc.Tx, sequence)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.SetSignatures(sig); err != nil {
		t.Fatal(err)
	}
	raw, err := enc.Tx.TxEncoder()(b.GetTx())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// deliver broadcasts a transaction and waits until it is in a block, which must take it.
func deliver(t *testing.T, n started, raw []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := n.client.BroadcastTxCommit(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("gas used: %d", r.TxResult.GasUsed)
	if r.CheckTx.Code != 0 || r.TxResult.Code != 0 {
		t.Fatalf("refused: %s%s", r.CheckTx.Log, r.TxResult.Log)
	}
}

// header returns the hash of the chain's header at a height, as a light client would see it.
func header(t *testing.T, n started, height int64) wire.Hash {
	t.Helper()
	commit, err := n.client.Commit(context.Background(), &height)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Hash(commit.Header.Hash())
}

func TestARealChainRegistersAWorker(t *testing.T) {
	n := start(t, folder(t), nil)
	defer func() {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	}()
	waitHeight(t, n.client, 3)

	uid := wire.ChainUID(header(t, n, 1))
	proven, err := n.client.ABCIQueryWithOptions(context.Background(), "/store/"+wire.StoreRegistry+"/key",
		[]byte(wire.KeyChainUID().Key), client.ABCIQueryOptions{Prove: true})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(proven.Response.Value, uid[:]) || proven.Response.ProofOps == nil {
		t.Fatalf("stored uid is %x, the first header's hash %s", proven.Response.Value, uid)
	}

	registration, identity := register(t, n, uid)
	conn, err := grpc.NewClient(n.identity.Settings.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := types.NewQueryClient(conn).Worker(context.Background(),
		&types.QueryWorkerRequest{Identity: identity.String()})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Worker.Incarnation != registration.Incarnation.String() || answer.Worker.Status != "active" {
		t.Fatalf("worker is %+v", answer.Worker)
	}
	checkGateway(t, n, identity)
	checkEvents(t, n, identity)
}

// register attests a simulated enclave of the release that the genesis allows.
func register(t *testing.T, n started, uid wire.ChainUID) (wire.Registration, sr25519.PublicKey) {
	t.Helper()
	d, err := device.Open(t.TempDir(), device.Options{Measurement: release, Rand: rand.Reader, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	identity, err := sr25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := ecdh.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := wire.Registration{
		Version: wire.RegistrationVersion, Identity: identity.Public(), Ecdh: channel.Public(), UID: uid,
		Incarnation: wire.Incarnation{1}, HeaderHeight: 2, HeaderHash: header(t, n, 2),
		Operator: wire.Account(funded.PubKey().Address()),
	}
	text, err := r.SigningText()
	if err != nil {
		t.Fatal(err)
	}
	sig, err := identity.Sign(rand.Reader, text)
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.ReportData()
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := d.Attest(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, n, sign(t, funded, 0, 0, &types.MsgRegisterWorker{
		Operator: sdk.AccAddress(funded.PubKey().Address()).String(), Registration: scale.MustMarshal(&r),
		Evidence: scale.MustMarshal(&evidence), Signature: sig[:],
	}))
	return r, identity.Public()
}

func checkGateway(t *testing.T, n started, identity sr25519.PublicKey) {
	t.Helper()
	url := fmt.Sprintf("http://%s/phalanx/registry/v1/workers/%s", n.identity.Settings.Gateway, identity)
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Worker struct{ Identity, Status string }
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Worker.Identity != identity.String() {
		t.Fatalf("gateway answered %s: %s", r.Status, body)
	}
}

// checkEvents finds the registration by its event.
func checkEvents(t *testing.T, n started, identity sr25519.PublicKey) {
	t.Helper()
	q := fmt.Sprintf(`phalanx.registry.v1.EventWorkerRegistered.identity='"%s"'`, identity)
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		found, err := n.client.TxSearch(context.Background(), q, false, nil, nil, "asc")
		if err != nil && !strings.Contains(err.Error(), "indexing") {
			t.Fatal(err)
		}
		if err == nil && found.TotalCount == 1 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the event is not indexed")
}
