package enclave_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

// program is a running pRuntime.
type program struct {
	relay enclavev1connect.RelayServiceClient
	stop  func() error
}

func config(t *testing.T, home string, c *enclavetest.LightChain) enclave.Config {
	t.Helper()
	d, err := device.Open(home, device.Options{Measurement: simulated.Measurement("test"), Rand: rand.Reader, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return enclave.Config{
		Home: home, ChainID: c.ChainID(), UID: c.UID(), TrustingPeriod: 1e6 * time.Hour, Platform: enclave.Platform{Attester: d, Sealer: d},
		Software: "test", Rand: rand.Reader, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

func start(t *testing.T, cfg enclave.Config) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan enclave.Doors, 1), make(chan error, 1)
	cfg.Ready = func(d enclave.Doors) { ready <- d }
	go func() { done <- enclave.Run(ctx, cfg) }()
	t.Cleanup(cancel)
	var doors enclave.Doors
	select {
	case doors = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", doors.Socket)
	}}
	return &program{enclavev1connect.NewRelayServiceClient(&http.Client{Transport: transport}, "http://relay"), func() error {
		transport.CloseIdleConnections()
		cancel()
		return <-done
	}}
}

func (p *program) status(t *testing.T) *pb.StatusResponse {
	t.Helper()
	s, err := p.relay.Status(t.Context(), connect.NewRequest(&pb.StatusRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	return s.Msg
}

func (p *program) headers(t *testing.T, blocks ...[]byte) {
	t.Helper()
	if _, err := p.relay.Advance(t.Context(), connect.NewRequest(&pb.AdvanceRequest{LightBlocks: blocks})); err != nil {
		t.Fatal(err)
	}
}

// ring opens the keys of a pRuntime that does not run.
func ring(t *testing.T, cfg enclave.Config, use func(*keys.Keyring)) {
	t.Helper()
	k, err := keys.Open(t.Context(), filepath.Join(cfg.Home, "keys"), cfg.Platform.Sealer, cfg.UID, "pruntime", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	use(k)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

// A registration is made only of what is proven, names a verified header, and its evidence is for it.
func TestRegister(t *testing.T) {
	c := enclavetest.NewLightChain(lighttest.Config{})
	uid := c.UID()
	params := enclavetest.Must(scale.Marshal(&wire.NetworkParams{RotationGrace: 20}))
	c.Set(2, map[wire.RecordKey][]byte{wire.KeyChainUID(): uid[:], wire.KeyNetworkParams(): params})
	cfg := config(t, t.TempDir(), c)
	p := start(t, cfg)
	register := func() (*pb.RegisterResponse, error) {
		r, err := p.relay.Register(t.Context(), connect.NewRequest(&pb.RegisterRequest{Operator: make([]byte, 20)}))
		if err != nil {
			return nil, err
		}
		return r.Msg, nil
	}
	if s := p.status(t); !s.NeedsRoot || s.Trusted != 1 {
		t.Fatalf("%+v", s)
	}
	if _, err := register(); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Fatalf("before a header: %v", err)
	}
	p.headers(t, c.Block(1), c.Block(2))
	if _, err := register(); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Fatalf("before a proof: %v", err)
	}
	var proofs []*pb.Proof
	for _, w := range p.status(t).Wants {
		x := c.Proof(2, wire.RecordKey{Store: w.Store, Key: string(w.Key)})
		proofs = append(proofs, &pb.Proof{Record: w, Header: 2, Value: x.Value, Absent: x.Absent, Ops: x.Ops})
	}
	if _, err := p.relay.Advance(t.Context(), connect.NewRequest(&pb.AdvanceRequest{Proofs: proofs})); err != nil {
		t.Fatal(err)
	}
	if s := p.status(t); !s.NeedsRegistration {
		t.Fatalf("%+v", s)
	}
	got, err := register()
	if err != nil {
		t.Fatal(err)
	}
	var r wire.Registration
	if err := scale.Unmarshal(got.Registration, &r); err != nil {
		t.Fatal(err)
	}
	if h := c.Header(2); r.HeaderHeight != 2 || r.HeaderHash != h.Hash || r.UID != c.UID() || r.Software != "test" {
		t.Fatalf("%+v", r)
	}
	text, err := r.SigningText()
	if err != nil || sr25519.Verify(r.Identity, text, sr25519.Signature(got.Signature)) != nil {
		t.Fatal("the signature is not the identity's", err)
	}
	if _, err := p.relay.Register(t.Context(), connect.NewRequest(&pb.RegisterRequest{Operator: []byte("short")})); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
}

// A restart goes on from the sealed header. To forget the trust root costs nothing; to give another erases what is held
// for others, and begins another life.
func TestTrustRoot(t *testing.T) {
	c := enclavetest.NewLightChain(lighttest.Config{})
	cfg := config(t, t.TempDir(), c)
	hasMaster := func(want bool) {
		t.Helper()
		ring(t, cfg, func(k *keys.Keyring) {
			if _, ok := k.MasterPublic(); ok != want {
				t.Fatalf("master key held: %v, want %v", ok, want)
			}
		})
	}
	ring(t, cfg, func(k *keys.Keyring) {
		if _, err := k.GenerateMasterKey(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	p := start(t, cfg)
	identity := string(p.status(t).Identity)
	p.headers(t, c.Block(1), c.Block(200))
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	p = start(t, cfg)
	if s := p.status(t); s.NeedsRoot || s.Trusted != 200 || string(s.Identity) != identity || s.Height != 0 {
		t.Fatalf("after a restart: %+v", s)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	hasMaster(true)
	cfg.Trust = light.TrustRoot{Height: 300, Hash: c.Header(300).Hash}
	p = start(t, cfg)
	if s := p.status(t); !s.NeedsRoot || s.Trusted != 300 || string(s.Identity) != identity {
		t.Fatalf("with another root: %+v", s)
	}
	p.headers(t, c.Block(300))
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	hasMaster(false)
	ring(t, cfg, func(k *keys.Keyring) {
		if _, err := k.GenerateMasterKey(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	given := cfg.Trust
	cfg.Trust = light.TrustRoot{}
	if err := enclave.Run(t.Context(), cfg); !errors.Is(err, enclave.ErrTrustRoot) {
		t.Fatalf("without the root: %v", err)
	}
	hasMaster(true)
	cfg.Trust = given
	p = start(t, cfg)
	if s := p.status(t); s.NeedsRoot || s.Trusted != 300 {
		t.Fatalf("with the same root: %+v", s)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	hasMaster(true)
}

// A release that waits for an identity's keys shows that identity, follows the chain, registers nothing and answers nobody.
func TestReceiver(t *testing.T) {
	c := enclavetest.NewLightChain(lighttest.Config{})
	uid := c.UID()
	old := enclavetest.Must(sr25519.Generate(rand.Reader)).Public()
	record := enclavetest.Must(scale.Marshal(&wire.WorkerState{Identity: old, Ecdh: wire.EcdhEpoch{Key: enclavetest.NewWorld().Public(0)}}))
	params := enclavetest.Must(scale.Marshal(&wire.NetworkParams{RotationGrace: 20}))
	c.Set(2, map[wire.RecordKey][]byte{wire.KeyChainUID(): uid[:], wire.KeyNetworkParams(): params, wire.KeyWorker(old): record})
	cfg := config(t, t.TempDir(), c)
	cfg.Receive = old
	p := start(t, cfg)
	p.headers(t, c.Block(1), c.Block(2))
	var proofs []*pb.Proof
	for _, w := range p.status(t).Wants {
		x := c.Proof(2, wire.RecordKey{Store: w.Store, Key: string(w.Key)})
		proofs = append(proofs, &pb.Proof{Record: w, Header: 2, Value: x.Value, Absent: x.Absent, Ops: x.Ops})
	}
	if _, err := p.relay.Advance(t.Context(), connect.NewRequest(&pb.AdvanceRequest{Proofs: proofs})); err != nil {
		t.Fatal(err)
	}
	if s := p.status(t); s.Role != "receiving" || s.NeedsRegistration || string(s.Identity) != string(old.Bytes()) || s.Height != 2 {
		t.Fatalf("%+v", s)
	}
	_, err := p.relay.Register(t.Context(), connect.NewRequest(&pb.RegisterRequest{Operator: make([]byte, 20)}))
	if !strings.Contains(fmt.Sprint(err), enclave.ErrAway.Error()) {
		t.Fatalf("it registers: %v", err)
	}
	_, err = p.relay.ExportState(t.Context(), connect.NewRequest(&pb.ExportStateRequest{}))
	if !strings.Contains(fmt.Sprint(err), keys.ErrReceiving.Error()) {
		t.Fatalf("it exports: %v", err)
	}
	_, err = p.relay.Handover(t.Context(), connect.NewRequest(&pb.HandoverRequest{}))
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Fatalf("it hands over: %v", err)
	}
	r, err := p.relay.PrepareHandover(t.Context(), connect.NewRequest(&pb.PrepareHandoverRequest{Operator: make([]byte, 20)}))
	if err != nil {
		t.Fatal(err)
	}
	var request wire.HandoverRequest
	if err := scale.Unmarshal(r.Msg.Request, &request); err != nil || request.Identity != old || request.HeaderHeight != 2 {
		t.Fatalf("%+v, %v", request, err)
	}
	var evidence tee.Evidence
	if err := scale.Unmarshal(r.Msg.Evidence, &evidence); err != nil {
		t.Fatal(err)
	}
	data := enclavetest.Must(request.ReportData())
	m := simulated.Measurement("test")
	policy := tee.Policy{
		Accept:   []tee.Acceptance{{Kind: tee.KindSimulated, Programs: []tee.Program{tee.Exactly(m[:])}}},
		Statuses: []tee.TCBStatus{tee.TCBUpToDate},
	}
	q := tee.Question{ReportData: data, Now: time.Now()}
	if _, err := tee.Verify(tee.Verifiers{simulated.Verifier{}}, evidence, q, policy, simulated.Roots()); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	cfg.Receive = enclavetest.Must(sr25519.Generate(rand.Reader)).Public()
	if err := enclave.Run(t.Context(), cfg); !errors.Is(err, keys.ErrOtherIdentity) {
		t.Fatalf("with another identity: %v", err)
	}
}
