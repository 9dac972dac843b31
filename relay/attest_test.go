package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/auth/types"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/wire"
)

// fakeSource is a source whose answers a test gives.
type fakeSource struct {
	expiry collateral.Expiry
	err    error
	asked  atomic.Int64  // for Complete runs aside
	block  chan struct{} // if not nil, Complete waits for it or its context
}

func (f *fakeSource) Complete(ctx context.Context, ev tee.Evidence) (tee.Evidence, collateral.Expiry, error) {
	f.asked.Add(1)
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return ev, collateral.Expiry{}, ctx.Err()
		}
	}
	ev.Collateral = f.expiry.Digest[:]
	return ev, f.expiry, f.err
}

func (f *fakeSource) Stats() collateral.Stats {
	return collateral.Stats{Fetches: uint64(f.asked.Load())}
}

// registrationTest is a relay of an enclave on TDX at header 10, its clock, and what it logs.
type registrationTest struct {
	ecdh   ecdh.PublicKey
	c      *fakeChain
	e      *fakeEnclave
	s      *session
	sender *fakeSender
	source *fakeSource
	now    time.Time
	log    bytes.Buffer
}

func newRegistrationTest(t *testing.T) *registrationTest {
	t.Helper()
	r := &registrationTest{
		c: newFakeChain(10), e: newFakeEnclave(t), now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	}
	var err error
	if r.ecdh, err = ecdh.ParsePublicKey(r.e.key.Public().Bytes()); err != nil {
		t.Fatal(err)
	}
	r.source = &fakeSource{expiry: r.issue(1)}
	r.e.needsReg, r.e.platform = true, tee.KindTDX.String()
	r.e.evidence = tee.Evidence{Kind: tee.KindTDX, Data: []byte("quote")}
	r.s, r.sender = testSession(r.c, r.e)
	r.s.collateral, r.s.clock = r.source, func() time.Time { return r.now }
	r.s.cfg.Log = slog.New(slog.NewTextHandler(&r.log, nil))
	return r
}

// issue is what there is of issue n, fetched now.
func (r *registrationTest) issue(n byte) collateral.Expiry {
	return collateral.Expiry{
		Until: r.now.Add(30 * 24 * time.Hour), Renew: r.now.Add(20 * 24 * time.Hour), Fetched: r.now, Digest: [32]byte{n},
	}
}

// registered enters the enclave in the chain, as of height and now.
func (r *registrationTest) registered(height uint64) {
	self := wire.WorkerState{
		Identity: r.e.key.Public(), Ecdh: wire.EcdhEpoch{Key: r.ecdh}, Incarnation: wire.Incarnation{r.e.incarnation}, AttestedAt: height,
		AttestedTime: uint64(r.now.UnixMilli()), HeaderHeight: height,
	}
	r.c.records[wire.KeyWorker(r.e.key.Public())] = scale.MustMarshal(&self)
	r.e.needsReg = false
}

func (r *registrationTest) sent() []*registrytypes.MsgRegisterWorker {
	var out []*registrytypes.MsgRegisterWorker
	for _, m := range r.sender.msgs {
		if x, ok := m.(*registrytypes.MsgRegisterWorker); ok {
			out = append(out, x)
		}
	}
	return out
}

func (r *registrationTest) blocks(t *testing.T, n int) {
	t.Helper()
	for range n {
		bring(t, r.s, r.c.block())
	}
}

func TestRegistrationIsCompleted(t *testing.T) {
	r := newRegistrationTest(t)
	bring(t, r.s, 10)
	sent := r.sent()
	if len(sent) != 1 {
		t.Fatalf("%d registrations", len(sent))
	}
	var ev tee.Evidence
	if err := scale.Unmarshal(sent[0].Evidence, &ev); err != nil {
		t.Fatal(err)
	}
	if string(ev.Data) != "quote" || !bytes.Equal(ev.Collateral, r.source.expiry.Digest[:]) {
		t.Errorf("%q %x", ev.Data, ev.Collateral)
	}
	text := httptest.NewRecorder()
	r.s.metrics.handler().ServeHTTP(text, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{"phalanx_relay_collateral_fetches_total 1\n", "phalanx_relay_collateral_expiry_seconds 1.7749152e+09\n"} {
		if !strings.Contains(text.Body.String(), want) {
			t.Errorf("metrics lack %q:\n%s", want, text.Body)
		}
	}
}

// TestServiceIsDown says why there is no registration, and tries again at growing intervals.
func TestServiceIsDown(t *testing.T) {
	r := newRegistrationTest(t)
	r.source.err = errors.New("the service is on fire")
	bring(t, r.s, 10)
	r.blocks(t, 5)
	if r.source.asked.Load() != 1 || !strings.Contains(r.log.String(), "the service is on fire") {
		t.Errorf("asked %d times without a pause:\n%s", r.source.asked.Load(), r.log.String())
	}
	for range 3 {
		r.now = r.now.Add(time.Minute)
		r.blocks(t, 2)
	}
	if r.source.asked.Load() != 4 || len(r.sent()) != 0 {
		t.Errorf("asked %d times in three minutes, %d registrations", r.source.asked.Load(), len(r.sent()))
	}
	r.source.err = nil
	r.now = r.now.Add(time.Minute)
	r.blocks(t, 1)
	if len(r.sent()) != 1 {
		t.Errorf("%d registrations once it is back", len(r.sent()))
	}
}

// TestSlowServiceStopsNothing brings headers while a service takes its time.
func TestSlowServiceStopsNothing(t *testing.T) {
	r := newRegistrationTest(t)
	r.source.block = make(chan struct{})
	bring(t, r.s, 10)
	r.blocks(t, 1)
	if r.e.height != 11 || len(r.sent()) != 0 || r.source.asked.Load() != 1 {
		t.Fatalf("enclave at %d, %d registrations, asked %d times", r.e.height, len(r.sent()), r.source.asked.Load())
	}
	close(r.source.block)
	r.blocks(t, 1)
	if len(r.sent()) != 1 {
		t.Errorf("%d registrations once it is there", len(r.sent()))
	}
}

// TestSessionEndsWithItsWork leaves nothing running when its context ends.
func TestSessionEndsWithItsWork(t *testing.T) {
	r := newRegistrationTest(t)
	r.source.block = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	if err := r.s.block(ctx, 10); err != nil {
		t.Fatal(err)
	}
	cancel()
	r.s.endWork()
	if r.s.attest.job != nil {
		t.Error("the completion is still there")
	}
}

// TestOtherIncarnationMeanwhile sends nothing of an enclave that is no more.
func TestOtherIncarnationMeanwhile(t *testing.T) {
	r := newRegistrationTest(t)
	r.source.block = make(chan struct{})
	bring(t, r.s, 10)
	r.e.restart()
	close(r.source.block)
	r.blocks(t, 1)
	if n := len(r.sent()); n != 0 {
		t.Fatalf("%d registrations of the old incarnation", n)
	}
	r.blocks(t, 1)
	if sent := r.sent(); len(sent) != 1 || sent[0].Registration[0] != r.e.incarnation {
		t.Errorf("%d registrations of the new one", len(sent))
	}
}

func TestReattestsOnNewerCollateral(t *testing.T) {
	r := newRegistrationTest(t)
	bring(t, r.s, 10)
	r.registered(10)
	r.blocks(t, 2*reattestAgain)
	if r.source.asked.Load() != 1 {
		t.Fatalf("asked %d times before renewal is due", r.source.asked.Load())
	}
	r.now = r.source.expiry.Renew
	r.blocks(t, 3)
	if r.source.asked.Load() != 2 || len(r.sent()) != 1 {
		t.Fatalf("asked %d times, %d registrations though there is nothing newer", r.source.asked.Load(), len(r.sent()))
	}
	r.source.expiry = r.issue(2)
	r.now = r.now.Add(lookEvery)
	r.blocks(t, 3)
	if len(r.sent()) != 2 {
		t.Fatalf("%d registrations with newer collateral", len(r.sent()))
	}
	r.registered(r.c.height)
	r.source.expiry = r.issue(3)
	r.now = r.source.expiry.Renew
	r.blocks(t, reattestAgain-3)
	if len(r.sent()) != 2 {
		t.Fatalf("%d registrations within %d blocks", len(r.sent()), reattestAgain)
	}
	r.blocks(t, 5)
	if len(r.sent()) != 3 {
		t.Errorf("%d registrations", len(r.sent()))
	}
}

// TestRenewalWithoutEffect sends a renewed registration again that the chain did not take, some time later, and looks on
// until one is taken.
func TestRenewalWithoutEffect(t *testing.T) {
	r := newRegistrationTest(t)
	bring(t, r.s, 10)
	r.registered(10)
	r.blocks(t, 1)
	r.now = r.source.expiry.Renew
	r.source.expiry = r.issue(2)
	r.blocks(t, reattestAgain)
	if len(r.sent()) != 2 {
		t.Fatalf("%d registrations", len(r.sent()))
	}
	r.now = r.now.Add(lookEvery - time.Second)
	r.blocks(t, reattestAgain+1)
	if len(r.sent()) != 2 {
		t.Fatalf("%d registrations before it is time", len(r.sent()))
	}
	r.now = r.now.Add(time.Second)
	r.blocks(t, 2)
	if len(r.sent()) != 3 || !strings.Contains(r.log.String(), "registration with newer collateral had no effect") {
		t.Fatalf("%d registrations:\n%s", len(r.sent()), r.log.String())
	}
	r.registered(r.c.height)
	r.now = r.now.Add(lookEvery)
	r.blocks(t, 2*reattestAgain)
	if len(r.sent()) != 3 {
		t.Errorf("%d registrations though the chain has taken the last", len(r.sent()))
	}
	asked := r.source.asked.Load()
	r.now = r.now.Add(lookEvery)
	r.blocks(t, 2)
	if r.source.asked.Load() != asked {
		t.Error("looked on though nothing is due")
	}
}

// TestFailedLookHoldsNothingUp registers an enclave that was started anew at once, whatever the last look for newer
// collateral came to.
func TestFailedLookHoldsNothingUp(t *testing.T) {
	r := newRegistrationTest(t)
	bring(t, r.s, 10)
	r.registered(10)
	r.now = r.source.expiry.Renew
	r.source.err = collateral.ErrUnavailable
	r.blocks(t, reattestAgain)
	asked := r.source.asked.Load()
	r.blocks(t, reattestAgain)
	if asked != 2 || r.source.asked.Load() != asked {
		t.Fatalf("asked %d times, then %d", asked, r.source.asked.Load())
	}
	r.source.err = nil
	r.e.restart()
	r.e.needsReg = true
	r.blocks(t, 3)
	if sent := r.sent(); len(sent) != 2 || sent[1].Registration[0] != r.e.incarnation {
		t.Errorf("%d registrations", len(sent))
	}
}

// TestRestartedRelay knows from the enclave's record and the cache whether the chain has seen the newest collateral.
func TestRestartedRelay(t *testing.T) {
	for name, x := range map[string]struct {
		fetched time.Duration // after the registration
		sent    int
	}{"fetched before": {-time.Hour, 0}, "fetched after": {time.Hour, 1}} {
		r := newRegistrationTest(t)
		r.registered(1)
		r.source.expiry.Fetched = r.now.Add(x.fetched)
		r.c.height = reattestAgain + 1
		bring(t, r.s, r.c.height)
		r.blocks(t, 3)
		if len(r.sent()) != x.sent || r.source.asked.Load() != 1 {
			t.Errorf("%s: %d registrations, asked %d times", name, len(r.sent()), r.source.asked.Load())
		}
	}
}

// TestExpiryIsForetold warns when collateral is about to end and there is none that is newer.
func TestExpiryIsForetold(t *testing.T) {
	r := newRegistrationTest(t)
	bring(t, r.s, 10)
	r.registered(10)
	r.now = r.source.expiry.Until.Add(-time.Hour)
	r.blocks(t, reattestAgain)
	if !strings.Contains(r.log.String(), "collateral ends soon") {
		t.Error(r.log.String())
	}
}

// TestSimulatedIsNotLookedAfter asks nobody about platforms whose makers publish nothing.
func TestSimulatedIsNotLookedAfter(t *testing.T) {
	r := newRegistrationTest(t)
	r.e.platform = tee.KindSimulated.String()
	r.registered(1)
	bring(t, r.s, 10)
	r.blocks(t, 2*reattestAgain)
	if r.source.asked.Load() != 0 || r.e.registrations != 0 {
		t.Errorf("asked %d times, %d registrations", r.source.asked.Load(), r.e.registrations)
	}
}

// gasSender keeps the gas of the last transaction.
type gasSender struct {
	fakeSender
	gas uint64
}

func (s *gasSender) Send(ctx context.Context, o tx.Options, msgs ...sdk.Msg) ([]byte, error) {
	s.gas = o.Gas
	return s.fakeSender.Send(ctx, o, msgs...)
}

// TestHardwareEvidenceFits checks that real collateral fits the chain's bounds and that its gas is paid for.
func TestHardwareEvidenceFits(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	for range 20 { // a real TCB info has as many levels
		w.TCBInfo.Levels = append(w.TCBInfo.Levels, w.TCBInfo.Levels[1])
	}
	ev, err := w.Build()
	if err != nil {
		t.Fatal(err)
	}
	h, err := dcaptest.Handler(ev.Quote, ev.Collateral)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	source, err := collateral.New(collateral.Config{Intel: server.URL, Now: func() time.Time { return w.Now }})
	if err != nil {
		t.Fatal(err)
	}
	r := newRegistrationTest(t)
	r.e.evidence.Data = ev.Quote
	sender := &gasSender{}
	r.s.sender, r.s.collateral, r.now = sender, source, w.Now
	bring(t, r.s, 10)
	if len(sender.msgs) != 1 {
		t.Fatalf("%d registrations:\n%s", len(sender.msgs), r.log.String())
	}
	m := sender.msgs[0].(*registrytypes.MsgRegisterWorker)
	var completed tee.Evidence
	if err := scale.Unmarshal(m.Evidence, &completed); err != nil {
		t.Fatal(err)
	}
	c, err := dcap.ParseCollateral(completed.Collateral)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dcap.Verify(completed.Data, c, dcap.Options{Now: w.Now, Roots: ev.Roots}); err != nil {
		t.Error(err)
	}
	size := uint64(m.Size())
	if size < 20<<10 || size > 64<<10 || len(m.Evidence) > registrytypes.MaxEvidence {
		t.Errorf("a registration of %d bytes", size)
	}
	// What the chain takes for the evidence and for the transaction's bytes leaves what a registration without them has.
	if least := gasTx + registrytypes.GasRegister + size*(registrytypes.GasRegisterPerByte+types.DefaultTxSizeCostPerByte); sender.gas < least {
		t.Errorf("%d gas for %d bytes, %d are needed", sender.gas, size, least)
	}
	if !strings.Contains(r.log.String(), "a network that trusts the makers' own roots would refuse this evidence") {
		t.Error("nobody was told that these are not Intel's roots")
	}
}

// TestRunChecksItsConfiguration refuses base URLs that would be asked in the open.
func TestRunChecksItsConfiguration(t *testing.T) {
	err := Run(t.Context(), Config{
		Socket: "nowhere", Nodes: []string{"http://127.0.0.1:1"}, Account: fakeAccount{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Collateral: collateral.Config{AMD: "http://kds.example.org"},
	})
	if !errors.Is(err, collateral.ErrConfig) {
		t.Error(err)
	}
}
