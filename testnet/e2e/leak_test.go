package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	sdkmath "cosmossdk.io/math"
	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/rpc/client/http"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"lukechampine.com/uint128"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/examples"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/testnet"
	"github.com/phalanx-network/phalanx/wire"
)

// Nothing that is confidential is in what the chain stores, nor in any file or log of a node, a relay, or a pRuntime's
// disk: who called which contract with what and what came of it, what it logged and asked of the web, and no secret key. A
// planted secret is found in each place, so that the search sees through the databases' compression.
func TestNothingLeaks(t *testing.T) {
	n := wideNetwork(t)
	s := newSearch()
	planted := n.plant(t, s)
	registered := n.confidential(t, s)
	for _, name := range []string{"alice", "bob", "authority", "operator-worker-0", "validator-node-0"} {
		a, _ := n.account(t, name)
		userSecrets(t, s, name, a)
	}
	height := n.searchBlocks(t, s, registered)
	if got := s.finds("registered contract's id"); len(got) != 0 {
		t.Errorf("before it was registered: %q", got)
	}
	if height < registered {
		t.Fatal("the chain ends before the registration")
	}
	must(t, n.stop())
	n.enclaveSecrets(t, s)
	for _, db := range n.databases(t) {
		searchDatabase(t, s, db)
	}
	must(t, os.WriteFile(filepath.Join(n.where.Nodes[0].Home, "planted"), planted, 0o600))
	n.searchFiles(t, s)

	for _, where := range []string{"block ", "blockstore.db", "planted"} {
		if got := strings.Join(s.finds("planted "), "; "); !strings.Contains(got, where) {
			t.Errorf("the planted secrets were not found in %q, only: %s", where, got)
		}
	}
	for name, where := range s.found {
		// What is registered is public from then on, and so on the disks; the blocks before it are searched above.
		if !strings.HasPrefix(name, "planted ") && !strings.HasPrefix(name, "registered contract's id") {
			t.Errorf("%s is in %s", name, strings.Join(where, "; "))
		}
	}
}

func secretBytes(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := rand.Read(b)
	must(t, err)
	return b
}

// plant puts two secrets on the chain: one in an envelope that nobody encrypted, one in a transaction's memo. A third,
// which it returns, is for a file.
func (n *network) plant(t *testing.T, s *search) []byte {
	t.Helper()
	c := n.counter(t)
	raw, memo, file := secretBytes(t, 32), secretBytes(t, 32), secretBytes(t, 32)
	s.add("planted envelope", raw)
	s.add("planted memo", memo)
	s.add("planted file", file)
	own := n.posted(t, c.add(t, 1).Pending.Index)
	e, err := envelope.Parse(own.Envelope)
	must(t, err)
	copy(e.Data[16:], raw)
	must(t, n.push(limit(t), n.payer, own.GasLog2, e.Marshal()))
	coins := sdk.NewCoins(sdk.NewCoin(registrytypes.Denom, sdkmath.NewInt(1)))
	_, err = n.payer.Do(limit(t), tx.Options{Memo: fmt.Sprintf("%x", memo)},
		&banktypes.MsgSend{FromAddress: n.payer.Address(), ToAddress: n.payer.Address(), Amount: coins})
	must(t, err)
	return file
}

// confidential has people do what must stay secret, and returns the height at which the chain registered the contract.
func (n *network) confidential(t *testing.T, s *search) uint64 {
	t.Helper()
	owner, bidder := person(t), person(t)
	for name, p := range map[string]*account.Account{"owner": owner, "bidder": bidder} {
		s.add(name+"'s identity", p.PublicIdentity().Bytes())
		s.text(name+"'s account", p.Bech32())
		address, err := ss58.Encode(p.PublicIdentity().Array(), ss58.Generic)
		must(t, err)
		s.text(name+"'s address", address)
		userSecrets(t, s, name, p)
	}
	title := fmt.Sprintf("%x, a painting", secretBytes(t, 12))
	bid := uint128.FromBytes(append(secretBytes(t, 15), 0x3f))
	s.text("the title", title)
	var amount [16]byte
	bid.PutBytes(amount[:])
	s.add("the bid", amount[:])
	s.text("the bid in digits", bid.String())

	x := n.deploy(t, examples.Auction, client.Of(owner), "new", "10", strconv.Quote(title))
	s.add("registered contract's id", x.id[:])
	s.add("the code", x.code.Wasm()[:64])
	record, err := n.client.WaitContract(limit(t), x.id)
	must(t, err)
	n.refusedContract(t, s, owner, x.code)
	_, value := x.call(t, client.Of(bidder), "bid", bid.String())
	same(t, "the bid", value, `{"Ok":null}`)
	x.want(t, client.Of(bidder), "my_bid", `"`+bid.String()+`"`, n.workers...)
	x.want(t, client.Of(bidder), "title", strconv.Quote(title), n.workers...)
	n.logsAndAsks(t, s, owner)
	r, _ := x.call(t, client.Of(owner), "close")
	_, err = n.client.Deposit(limit(t), n.payer, n.where.Cluster, bidder.Identity(), units(50))
	must(t, err)
	n.kill(t, "worker-0") // whose snapshots and keys come anew
	n.restart(t, "worker-0")
	n.awaitRunning(t, n.workers[0])
	n.settled(t, r, n.workers...)
	return record.Record.Height
}

// logsAndAsks has a contract log secrets and put them into requests: ones that are answered, that nobody takes, and that are
// not allowed.
func (n *network) logsAndAsks(t *testing.T, s *search, owner *account.Account) {
	t.Helper()
	who := client.Of(owner)
	words := func(name string) string {
		said := fmt.Sprintf("%x", secretBytes(t, 16))
		s.text(name, said)
		return said
	}
	x := n.deploy(t, fixture(t, "pink4"), who, "new")
	s.add("the code of the one that asks", x.code.Wasm()[len(x.code.Wasm())/2:][:64])
	inCommand, inQuery := words("a line logged in a command"), words("a line logged in a query")
	x.call(t, who, "log_in_command", inCommand)
	_, _, err := x.ask(limit(t), n.workers[1], who, "log", "3", inQuery)
	must(t, err)
	logs, err := n.client.Logs(limit(t), client.LogQuery{Cluster: n.where.Cluster, Contract: x.id, From: who, Worker: n.workers[1]})
	must(t, err)
	var read []string
	for _, e := range logs.Entries {
		for _, l := range e.Lines {
			read = append(read, l.Text)
		}
	}
	same(t, "what the owner reads", read, []string{inCommand, inQuery}) // so that there was something to leak

	answering := serve(t, reachable, (*httptest.Server).Start)
	for url, status := range map[string]string{
		answering.URL + "/" + words("the path of a request"):                            `"status_code":200`,
		"http://" + freePorts(t, 1)[0] + "/" + words("the path of a request to nobody"): `"status_code":523`,
		"http://" + unreachable + ":4000/" + words("the path of a request not allowed"): `"status_code":524`,
	} {
		said, _, err := x.ask(limit(t), n.workers[0], who, "http_get", strconv.Quote(url))
		must(t, err)
		if !strings.Contains(said, status) {
			t.Fatalf("%s gives %s", url, said)
		}
	}
	x.call(t, who, "record_http", strconv.Quote(answering.URL+"/"+words("the path of a request in a command")))
	same(t, "requests", answering.requests.Load(), 1)
}

// refusedContract makes a contract whose constructor says no, so that it is never registered: its id is in nothing.
func (n *network) refusedContract(t *testing.T, s *search, owner *account.Account, code *abi.Contract) {
	t.Helper()
	m, err := code.Constructor("new")
	must(t, err)
	title := fmt.Sprintf("%x", secretBytes(t, 100)) // 200 bytes: too long
	s.text("the refused title", title)
	input, err := code.EncodeCall(m, []string{"10", strconv.Quote(title)})
	must(t, err)
	d := client.Deployment{Cluster: n.where.Cluster, From: client.Of(owner), Code: code.Wasm(), Input: input}
	d.Salt = [32]byte(secretBytes(t, 32))
	s.add("the salt", d.Salt[:])
	made, err := n.client.Deploy(limit(t), n.payer, d)
	if err == nil {
		t.Fatal("the constructor takes a title that is too long")
	}
	s.add("the refused contract's id", made.Contract[:])
}

// userSecrets adds an account's secrets.
func userSecrets(t *testing.T, s *search, name string, a *account.Account) {
	t.Helper()
	words := a.ExposeMnemonic()
	s.text(name+"'s mnemonic", words)
	key, err := a.Ed25519()
	must(t, err)
	s.add(name+"'s mini-secret", key.Seed())
	chain, err := hd.Secp256k1.Derive()(words, "", account.Path)
	must(t, err)
	s.add(name+"'s account key", chain)
}

// searchBlocks reads every block and what came of it from a node, as everybody can. The id of the registered contract
// is searched for in the blocks before its registration.
func (n *network) searchBlocks(t *testing.T, s *search, registered uint64) uint64 {
	t.Helper()
	rpc, err := http.New(n.where.Nodes[1].Endpoint, "/websocket")
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	status, err := rpc.Status(ctx)
	must(t, err)
	last := status.SyncInfo.LatestBlockHeight
	for height := int64(1); height <= last; height++ {
		into := s
		where := fmt.Sprintf("block %d", height)
		block, err := rpc.Block(ctx, &height)
		must(t, err)
		results, err := rpc.BlockResults(ctx, &height)
		must(t, err)
		if uint64(height) >= registered {
			into = s.without("registered contract's id")
		}
		for _, raw := range block.Block.Txs {
			into.in(where, raw)
		}
		for _, x := range []any{block, results} {
			text, err := json.Marshal(x)
			must(t, err)
			into.in(where, text)
		}
	}
	return uint64(last)
}

// without is the same search, which leaves what begins with name alone.
func (s *search) without(name string) *search {
	out := &search{byHead: map[uint64][]pattern{}, found: s.found, first: s.first}
	for head, patterns := range s.byHead {
		for _, p := range patterns {
			if !strings.HasPrefix(p.name, name) {
				out.byHead[head] = append(out.byHead[head], p)
			}
		}
	}
	return out
}

// sealedFile is the part of a pRuntime's sealed file that the platform sealed; package enclave/keys has the layout.
type sealedFile struct {
	uid    [32]byte
	kind   string
	sealed []byte
}

func (f *sealedFile) Scale(c *scale.Codec) {
	c.Fixed(f.uid[:])
	c.Text(&f.kind, 32)
	c.Bytes(&f.sealed, 2<<20)
}

// enclaveSecrets adds the secrets of every pRuntime: the simulated machine lets anybody open its sealed file.
func (n *network) enclaveSecrets(t *testing.T, s *search) {
	t.Helper()
	const secrets, size, prefix = 5, 32, len("PHXKEYS\x00") + 1 + 4
	names := [secrets]string{"IdentityKey", "EcdhKey", "previous EcdhKey", "next EcdhKey", "MasterKey"}
	held := map[string]int{}
	for _, p := range append(append([]testnet.Process(nil), n.where.Workers...), n.where.Gatekeepers...) {
		file, err := os.ReadFile(filepath.Join(p.Home, "keys", "keys.sealed"))
		must(t, err)
		var body sealedFile
		must(t, scale.Unmarshal(file[prefix:len(file)-32], &body))
		machine := filepath.Join(p.Home, "machine")
		d, err := device.Open(machine, device.Options{
			Measurement: simulated.Measurement("pruntime-sim"), Rand: rand.Reader, Now: time.Now, TCBStatus: tee.TCBUpToDate,
		})
		must(t, err)
		associated := wire.SigningText("sealed-keys", n.where.UID, append([]byte{2, byte(len(body.kind) << 2)}, body.kind...))
		plain, err := d.Unseal(t.Context(), body.sealed, associated)
		must(t, err)
		for i, name := range names {
			secret := plain[i*size : (i+1)*size]
			if [size]byte(secret) != [size]byte{} {
				s.add(p.ID+"'s "+name, secret)
				held[name]++
			}
		}
		raw, err := os.ReadFile(filepath.Join(machine, device.SecretFile))
		must(t, err)
		s.add(p.ID+"'s machine secret", raw[len(raw)-32:])
	}
	if held["IdentityKey"] != 3 || held["EcdhKey"] != 3 || held["MasterKey"] != 1 {
		t.Fatalf("the sealed files hold %v", held)
	}
}

// databases are those of all nodes.
func (n *network) databases(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(n.home, "nodes", "*", "data", "*.db"))
	must(t, err)
	if len(found) < 4*len(n.where.Nodes) {
		t.Fatalf("databases: %q", found)
	}
	return found
}

// searchDatabase reads every entry, decompressed.
func searchDatabase(t *testing.T, s *search, path string) {
	t.Helper()
	db, err := dbm.NewGoLevelDB(strings.TrimSuffix(filepath.Base(path), ".db"), filepath.Dir(path))
	must(t, err)
	defer db.Close()
	it, err := db.Iterator(nil, nil)
	must(t, err)
	defer it.Close()
	entries := 0
	for ; it.Valid(); it.Next() {
		s.in(path, it.Key())
		s.in(path, it.Value())
		entries++
	}
	must(t, it.Error())
	if entries == 0 && filepath.Base(path) != "evidence.db" {
		t.Errorf("%s is empty", path)
	}
}

// searchFiles reads every file below the home but those in which a secret has its place: the users' key files and the
// simulated machines' secrets.
func (n *network) searchFiles(t *testing.T, s *search) {
	t.Helper()
	logs := 0
	err := filepath.WalkDir(n.home, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(n.home, "keys") {
			return filepath.SkipDir
		}
		if !e.Type().IsRegular() || e.Name() == device.SecretFile {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".log") && len(raw) > 0 {
			logs++
		}
		s.in(path, raw)
		return nil
	})
	must(t, err)
	if want := len(n.where.Nodes) + 2*(len(n.where.Workers)+len(n.where.Gatekeepers)); logs < want {
		t.Errorf("%d logs, want %d", logs, want)
	}
}
