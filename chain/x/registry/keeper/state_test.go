package keeper_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

func TestTheUIDIsTheFirstBlocksHash(t *testing.T) {
	c := newChain(t, devnetGenesis())
	uid, err := c.k.ChainUID(c.ctx)
	ok(t, err)
	if uid != wire.ChainUID(headerHash(1)) {
		t.Fatalf("uid is %s", uid)
	}
}

func TestAWorkerExpiresUnlessAttestedAgain(t *testing.T) {
	c := newChain(t, devnetGenesis())
	idle, busy := c.enrolled(), c.enrolled() // at height 3
	c.advance(expiry / 2)
	ok(t, busy.register())
	c.advance(expiry/2 - 1) // the block at height 3+expiry is not ended yet
	if s := c.worker(idle.public()).Status; s != wire.WorkerActive {
		t.Fatalf("before its time: %s", s)
	}
	c.advance(2)
	if s := c.worker(idle.public()).Status; s != wire.WorkerExpired {
		t.Fatalf("after its time: %s", s)
	}
	if s := c.worker(busy.public()).Status; s != wire.WorkerActive {
		t.Fatalf("the one that attested again: %s", s)
	}
	if len(c.hooks.lost) != 1 || c.hooks.lost[0].Identity != idle.public() {
		t.Fatalf("hooks were told of %d losses", len(c.hooks.lost))
	}
	ok(t, idle.register())
	if s := c.worker(idle.public()).Status; s != wire.WorkerActive {
		t.Fatalf("after it has attested again: %s", s)
	}
	c.advance(expiry + 1)
	if s := c.worker(idle.public()).Status; s != wire.WorkerExpired {
		t.Fatalf("after its second time: %s", s)
	}
}

func TestMoreExpiriesThanOneBlockTakesFollowInTheNext(t *testing.T) {
	c := newChain(t, devnetGenesis())
	const n = 300 // over the bound of a block, 256
	var all []*enclave
	for range n {
		all = append(all, c.enrolled())
	}
	count := func() (expired int) {
		for _, e := range all {
			if c.worker(e.public()).Status == wire.WorkerExpired {
				expired++
			}
		}
		return expired
	}
	c.advance(expiry + 1)
	if got := count(); got != 256 {
		t.Fatalf("%d expired in the first block", got)
	}
	c.advance(1)
	if got := count(); got != n {
		t.Fatalf("%d expired after the second block", got)
	}
}

func TestRotationOfEcdhKeys(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	rotate := func(life wire.WorkerLife, r wire.RotateEcdh) error {
		return c.tx(func(ctx sdk.Context) error {
			return c.k.HandleAct(ctx, life, &wire.Act{Kind: wire.ActRotateEcdh, RotateEcdh: &r})
		})
	}
	next := c.key()
	stranger := c.enclave(device.Options{})
	dead := e.life()
	dead.Incarnation[0]++
	want(t, rotate(e.life(), wire.RotateEcdh{Key: next, Epoch: 0}), types.ErrEcdhKey)
	want(t, rotate(e.life(), wire.RotateEcdh{Key: next, Epoch: 2}), types.ErrEcdhKey)
	want(t, rotate(e.life(), wire.RotateEcdh{Key: e.ecdh, Epoch: 1}), types.ErrEcdhKey)
	want(t, rotate(e.life(), wire.RotateEcdh{Epoch: 1}), types.ErrEcdhKey)
	want(t, rotate(stranger.life(), wire.RotateEcdh{Key: next, Epoch: 1}), types.ErrNoWorker)
	want(t, rotate(dead, wire.RotateEcdh{Key: next, Epoch: 1}), types.ErrIncarnation)

	c.advance(4)
	ok(t, rotate(e.life(), wire.RotateEcdh{Key: next, Epoch: 1}))
	w := c.worker(e.public())
	if w.Ecdh != (wire.EcdhEpoch{Key: next, Epoch: 1, Since: 7}) || w.PreviousEcdh == nil ||
		*w.PreviousEcdh != (wire.EcdhEpoch{Key: e.ecdh, Epoch: 0, Since: 3}) {
		t.Fatalf("after rotation: %+v, previous %+v", w.Ecdh, w.PreviousEcdh)
	}
	want(t, rotate(e.life(), wire.RotateEcdh{Key: e.ecdh, Epoch: 2}), types.ErrEcdhKey)

	old := e.ecdh
	c.advance(1)
	want(t, e.register(), types.ErrEcdhKey) // the key before the rotation, in the same incarnation
	e.restart()
	want(t, e.register(), types.ErrEcdhKey) // and from an older disk
	e.ecdh = next
	ok(t, e.register())
	if w := c.worker(e.public()); w.PreviousEcdh == nil || w.PreviousEcdh.Key != old {
		t.Fatal("the previous key is lost at a restart, and what is in flight to it with it")
	}
	ok(t, c.k.Suspend(c.ctx, e.public()))
	want(t, rotate(e.life(), wire.RotateEcdh{Key: c.key(), Epoch: 2}), types.ErrInactive)
}

func TestClustersOfAWorker(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	id := func(n byte) wire.ClusterID { return wire.ClusterID{n} }
	ok(t, c.k.JoinCluster(c.ctx, e.public(), id(1)))
	ok(t, c.k.JoinCluster(c.ctx, e.public(), id(2)))
	want(t, c.k.JoinCluster(c.ctx, e.public(), id(1)), types.ErrMember)
	want(t, c.k.LeaveCluster(c.ctx, e.public(), id(3)), types.ErrMember)
	want(t, c.k.JoinCluster(c.ctx, c.enclave(device.Options{}).public(), id(1)), types.ErrNoWorker)
	ok(t, c.k.LeaveCluster(c.ctx, e.public(), id(1)))
	c.advance(1)
	e.restart()
	ok(t, e.register())
	if w := c.worker(e.public()); len(w.Clusters) != 1 || w.Clusters[0] != id(2) {
		t.Fatalf("a restart changed the clusters: %v", w.Clusters)
	}
	for n := 3; n < 3+wire.MaxWorkerClusters-1; n++ {
		ok(t, c.k.JoinCluster(c.ctx, e.public(), id(byte(n))))
	}
	want(t, c.k.JoinCluster(c.ctx, e.public(), id(200)), types.ErrMember)
	ok(t, c.k.Suspend(c.ctx, e.public()))
	ok(t, c.k.LeaveCluster(c.ctx, e.public(), id(2)))
	want(t, c.k.JoinCluster(c.ctx, e.public(), id(2)), types.ErrInactive)
}

func TestEndpoints(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	update := func(operator byte, endpoints ...string) error {
		_, err := c.msg.UpdateEndpoints(c.ctx, &types.MsgUpdateEndpoints{
			Operator: accountText(operator), Identity: e.public().Bytes(), Endpoints: endpoints,
		})
		return err
	}
	ok(t, update(1, "http://127.0.0.1:8080", "https://worker.example/client"))
	want(t, update(2, "https://evil.example"), types.ErrUnauthorized)
	if w := c.worker(e.public()); len(w.Info.Endpoints) != 2 {
		t.Fatalf("endpoints are %v", w.Info.Endpoints)
	}
	var many []string
	for n := range wire.MaxEndpoints + 1 {
		many = append(many, fmt.Sprintf("https://w%d.example", n))
	}
	want(t, update(1, many...), types.ErrEndpoint)
	for _, bad := range []string{
		"", "worker.example", "ftp://worker.example", "http://", "http:opaque", "javascript:alert(1)", "https://u:p@worker.example",
		"https://worker.example/?q=1", "https://worker.example/?", "https://worker.example/#f", "https://worker.example/\n",
		"HTTPS://worker.example", "https://" + strings.Repeat("a", wire.MaxEndpointLength),
	} {
		want(t, update(1, bad), types.ErrEndpoint)
	}
	want(t, update(1, "https://a.example", "https://a.example"), types.ErrEndpoint)
	ok(t, update(1))
}

func TestNamingGatekeepers(t *testing.T) {
	c := newChain(t, devnetGenesis())
	gate, worker := c.enrolled(), c.enrolled()
	name := func(by string, members ...sr25519.PublicKey) error {
		m := &types.MsgNameGatekeepers{Authority: by}
		for _, pk := range members {
			m.Identities = append(m.Identities, pk.Bytes())
		}
		return c.tx(func(ctx sdk.Context) error { _, err := c.msg.NameGatekeepers(ctx, m); return err })
	}
	want(t, name(accountText(1), gate.public()), types.ErrUnauthorized)
	want(t, name("", gate.public()), types.ErrUnauthorized)
	want(t, name(authority), types.ErrGatekeeper)
	want(t, name(authority, gate.public(), worker.public()), types.ErrGatekeeper)
	want(t, name(authority, c.enclave(device.Options{}).public()), types.ErrNoWorker)
	ok(t, c.k.JoinCluster(c.ctx, worker.public(), wire.ClusterID{1}))
	want(t, name(authority, worker.public()), types.ErrGatekeeper)

	ok(t, c.k.SetEndpoints(c.ctx, account(1), gate.public(), []string{"https://gate.example"}, nil))
	ok(t, name(authority, gate.public()))
	list, err := c.k.Gatekeepers(c.ctx)
	ok(t, err)
	if list.Since != c.height() || !list.Has(gate.public()) || len(list.Members) != 1 {
		t.Fatalf("list is %+v", list)
	}
	if w := c.worker(gate.public()); len(w.Info.Endpoints) != 0 {
		t.Fatal("the gatekeeper still publishes an endpoint")
	}
	want(t, c.k.SetEndpoints(c.ctx, account(1), gate.public(), []string{"https://gate.example"}, nil), types.ErrGatekeeper)
	want(t, c.k.JoinCluster(c.ctx, gate.public(), wire.ClusterID{1}), types.ErrGatekeeper)
	ok(t, name(governance, gate.public()))
}

func TestTheMasterKeyIsAnnouncedOnceByTheGatekeeper(t *testing.T) {
	c := newChain(t, devnetGenesis())
	gate, other := c.enrolled(), c.enrolled()
	key := element(t, 1)
	announce := func(e *enclave, k group.Element, epoch uint32) error {
		return c.k.HandleAct(c.ctx, e.life(), &wire.Act{
			Kind: wire.ActMasterKey, MasterKey: &wire.MasterKeyReport{Key: k, Epoch: epoch},
		})
	}
	want(t, announce(gate, key, 0), types.ErrUnauthorized)
	_, err := c.k.NameGatekeepers(c.ctx, []sr25519.PublicKey{gate.public()})
	ok(t, err)
	want(t, announce(other, key, 0), types.ErrUnauthorized)
	want(t, announce(gate, key, 1), types.ErrMasterKey)
	ok(t, announce(gate, key, 0))
	ok(t, announce(gate, key, 0))
	want(t, announce(gate, element(t, 2), 0), types.ErrMasterKey)
	record, found, err := c.k.MasterKey(c.ctx)
	ok(t, err)
	if !found || record.Key != key || record.Threshold != 1 || len(record.Holders) != 1 || record.Since != c.height() {
		t.Fatalf("record is %+v", record)
	}
	_, err = c.k.NameGatekeepers(c.ctx, []sr25519.PublicKey{other.public()})
	want(t, err, types.ErrGatekeeper)
	want(t, c.k.HandleAct(c.ctx, gate.life(), &wire.Act{Kind: wire.ActKeyReport}), types.ErrAct)
	want(t, c.k.HandleAct(c.ctx, gate.life(), &wire.Act{Kind: wire.ActMasterKey}), types.ErrAct)
	ok(t, c.k.Suspend(c.ctx, gate.public()))
	want(t, announce(gate, key, 0), types.ErrInactive)
}

func TestADecisionTakesEffectAfterItsDelay(t *testing.T) {
	g := devnetGenesis()
	g.Params.Delay = 10
	c := newChain(t, g)
	gate := c.enrolled()
	next := simulated.Measurement("next")
	newer := c.enclave(device.Options{Measurement: next})
	want(t, newer.register(), types.ErrEvidence)

	roots := simulated.Roots()
	update := &types.MsgUpdatePolicy{
		Authority: accountText(1), Policy: scale.MustMarshal(policy(next[:])), Roots: scale.MustMarshal(&roots),
	}
	_, err := c.msg.UpdatePolicy(c.ctx, update)
	want(t, err, types.ErrUnauthorized)
	update.Authority = governance
	answer, err := c.msg.UpdatePolicy(c.ctx, update)
	ok(t, err)
	since, err := c.k.NameGatekeepers(c.ctx, []sr25519.PublicKey{gate.public()})
	ok(t, err)
	if since != 13 || answer.Since != 13 {
		t.Fatalf("in force at %d and %d, want 13", since, answer.Since)
	}
	c.advance(9)
	want(t, newer.register(), types.ErrEvidence)
	list, err := c.k.Gatekeepers(c.ctx)
	ok(t, err)
	if len(list.Members) != 0 {
		t.Fatal("gatekeepers are in force before the delay")
	}
	want(t, c.k.JoinCluster(c.ctx, gate.public(), wire.ClusterID{1}), types.ErrGatekeeper)
	c.advance(1)
	ok(t, newer.register())
	want(t, gate.register(), types.ErrEvidence) // its program is allowed no more
	if list, err = c.k.Gatekeepers(c.ctx); err != nil || !list.Has(gate.public()) {
		t.Fatalf("list is %+v, %v", list, err)
	}
}

func TestProductionNeverAcceptsTheSimulatedPlatform(t *testing.T) {
	roots := simulated.Roots()
	bad := map[string]func(p *types.Params){
		"policy":      func(p *types.Params) { p.Policy = scale.MustMarshal(policy(release[:])) },
		"roots":       func(p *types.Params) { p.Roots = scale.MustMarshal(&roots) },
		"gatekeepers": func(p *types.Params) { p.GatekeeperConfidence = tee.ConfidenceNone },
		"authority":   func(p *types.Params) { p.Authority = authority },
		"no delay":    func(p *types.Params) { p.Delay = 0 },
	}
	for name, change := range bad {
		t.Run(name, func(t *testing.T) {
			g := types.DefaultGenesis()
			ok(t, g.Validate())
			change(&g.Params)
			want(t, g.Validate(), types.ErrParams)
		})
	}
	c := newChain(t, types.DefaultGenesis())
	want(t, c.enclave(device.Options{}).register(), types.ErrEvidence)
	_, err := c.k.DecideTrust(c.ctx, scale.MustMarshal(policy(release[:])), scale.MustMarshal(&roots), 1)
	want(t, err, types.ErrParams)
	network := types.DefaultParams().Network
	network.Simulated = true
	want(t, c.k.SetNetworkParams(c.ctx, network), types.ErrParams)
	can, err := c.k.IsAuthority(c.ctx, authority)
	ok(t, err)
	if can {
		t.Fatal("an account has authority on a production network")
	}
}

func TestExportAndImport(t *testing.T) {
	c := newChain(t, devnetGenesis())
	gate, worker := c.enrolled(), c.enrolled()
	first := worker.incarnation
	_, err := c.k.NameGatekeepers(c.ctx, []sr25519.PublicKey{gate.public()})
	ok(t, err)
	ok(t, c.k.SetMasterKey(c.ctx, gate.life(), wire.MasterKeyReport{Key: element(t, 1)}))
	c.advance(1)
	worker.restart()
	ok(t, worker.register())
	exported, err := c.k.ExportGenesis(c.ctx)
	ok(t, err)

	next := newChain(t, exported)
	if s := next.worker(worker.public()).Status; s != wire.WorkerExpired {
		t.Fatalf("a worker of the old chain is %s on the new one", s)
	}
	list, err := next.k.Gatekeepers(next.ctx)
	ok(t, err)
	if !list.Has(gate.public()) {
		t.Fatal("gatekeepers are lost")
	}
	next.advance(3)
	worker.c = next
	worker.incarnation = first
	want(t, worker.register(), types.ErrIncarnation)
	worker.restart()
	ok(t, worker.register())
}

func TestQueries(t *testing.T) {
	c := newChain(t, devnetGenesis())
	var all []*enclave
	for range 5 {
		all = append(all, c.enrolled())
	}
	one, err := c.query.Worker(c.ctx, &types.QueryWorkerRequest{Identity: all[0].public().String()})
	ok(t, err)
	w := c.worker(all[0].public())
	if !bytes.Equal(one.Worker.Record, scale.MustMarshal(&w)) || one.Worker.Operator != accountText(1) {
		t.Fatalf("answer is %+v", one.Worker)
	}
	seen := make(map[string]bool)
	var next []byte
	for {
		page, err := c.query.Workers(c.ctx, &types.QueryWorkersRequest{Pagination: &query.PageRequest{Key: next, Limit: 2}})
		ok(t, err)
		for _, w := range page.Workers {
			seen[w.Identity] = true
		}
		if next = page.Pagination.NextKey; next == nil {
			break
		}
	}
	if len(seen) != len(all) {
		t.Fatalf("pages hold %d workers, want %d", len(seen), len(all))
	}
	for _, p := range []*query.PageRequest{{Limit: 201}, {CountTotal: true}, {Offset: 1}} {
		if _, err := c.query.Workers(c.ctx, &types.QueryWorkersRequest{Pagination: p}); err == nil {
			t.Fatalf("page %+v is answered", p)
		}
	}
	for _, text := range []string{"", "0x", "zz", strings.Repeat("0", 64), strings.Repeat("f", 64)} {
		if _, err := c.query.Worker(c.ctx, &types.QueryWorkerRequest{Identity: text}); err == nil {
			t.Fatalf("identity %q is answered", text)
		}
	}
}

// The same blocks give the same app hash, however often they are run.
func TestTheStateIsAFunctionOfTheBlocks(t *testing.T) {
	run := func() []byte {
		c := newChain(t, devnetGenesis())
		for range 10 {
			e := c.enrolled()
			ok(t, c.k.JoinCluster(c.ctx, e.public(), wire.ClusterID{1}))
			c.advance(7)
		}
		return c.multi.Commit().Hash
	}
	if first, second := run(), run(); !bytes.Equal(first, second) {
		t.Fatalf("%x and then %x", first, second)
	}
}

func element(t *testing.T, n byte) group.Element {
	t.Helper()
	k, err := sr25519.FromMiniSecret(bytes.Repeat([]byte{n}, 32))
	ok(t, err)
	var e group.Element
	ok(t, scale.Unmarshal(k.Public().Bytes(), &e))
	return e
}
