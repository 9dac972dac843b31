package handover

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"google.golang.org/protobuf/proto"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// stage is a network with an old and a new release. Each status that is asked for is a block later.
type stage struct {
	t          *testing.T
	old, fresh *door
	record     wire.WorkerState
	members    int
	deaf       int // requests that the old release does not hear
	posted     int
	refuse     error
	crash      string // the call after which the driver is gone
}

type door struct {
	*stage
	status pb.StatusResponse
	early  int // calls that are answered with "too early"
}

func newStage(t *testing.T) *stage {
	t.Helper()
	key, err := sr25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, members: 2, record: wire.WorkerState{
		Identity: key.Public(), Operator: wire.Account{1}, Clusters: []wire.ClusterID{{5}}, Incarnation: wire.Incarnation{1},
	}}
	uid := make([]byte, 32)
	s.old = &door{stage: s, status: pb.StatusResponse{Identity: key.Public().Bytes(), Role: "worker", ChainUid: uid, Incarnation: s.record.Incarnation[:]}}
	s.fresh = &door{stage: s, status: pb.StatusResponse{Identity: key.Public().Bytes(), Role: "receiving", ChainUid: uid, Incarnation: make([]byte, 16)}}
	return s
}

var errCrash = errors.New("the driver is killed")

func (s *stage) at(call string) error {
	if s.crash == call {
		s.crash = ""
		return errCrash
	}
	return nil
}

func (d *door) Status(context.Context, *connect.Request[pb.StatusRequest]) (*connect.Response[pb.StatusResponse], error) {
	d.status.Height++
	if d.status.Role == "none" {
		d.status.Role = "worker"
		d.record.Incarnation = wire.Incarnation(d.status.Incarnation)
	}
	return connect.NewResponse(proto.Clone(&d.status).(*pb.StatusResponse)), nil
}

func (d *door) tooEarly() error {
	if d.early > 0 {
		d.early--
		return connect.NewError(connect.CodeUnavailable, errors.New("not proven yet"))
	}
	return nil
}

func (d *door) PrepareHandover(context.Context, *connect.Request[pb.PrepareHandoverRequest]) (*connect.Response[pb.PrepareHandoverResponse], error) {
	if err := errors.Join(d.tooEarly(), d.at("prepare")); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.PrepareHandoverResponse{Request: []byte("request"), Evidence: []byte("evidence")}), nil
}

func (d *door) Handover(context.Context, *connect.Request[pb.HandoverRequest]) (*connect.Response[pb.HandoverResponse], error) {
	if d.status.Role != "handed over" {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("not handed over"))
	}
	return connect.NewResponse(&pb.HandoverResponse{Offer: []byte("offer")}), d.at("handover")
}

func (d *door) AcceptHandover(_ context.Context, r *connect.Request[pb.AcceptHandoverRequest]) (*connect.Response[pb.AcceptHandoverResponse], error) {
	if err := d.tooEarly(); err != nil {
		return nil, err
	}
	if string(r.Msg.Offer) != "offer" {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("another offer"))
	}
	d.status.Role = "none"
	return connect.NewResponse(&pb.AcceptHandoverResponse{}), d.at("accept")
}

func (s *stage) Worker(context.Context, sr25519.PublicKey) (client.Proven[wire.WorkerState], error) {
	return client.Proven[wire.WorkerState]{Record: s.record}, nil
}

func (s *stage) Cluster(_ context.Context, id wire.ClusterID) (client.Proven[wire.Cluster], error) {
	return client.Proven[wire.Cluster]{Record: wire.Cluster{ID: id, Members: make([]wire.Member, s.members)}}, nil
}

func (s *stage) Address() string { return "phx1operator" }

func (s *stage) Do(_ context.Context, o tx.Options, msgs ...sdk.Msg) (tx.Result, error) {
	if s.refuse != nil {
		return tx.Result{}, s.refuse
	}
	m, ok := msgs[0].(*registrytypes.MsgRequestHandover)
	if !ok || string(m.Request) != "request" || string(m.Evidence) != "evidence and collateral" || o.Gas < registrytypes.GasRegister {
		s.t.Fatalf("posted %+v with %+v", msgs, o)
	}
	s.posted++
	if s.deaf--; s.deaf < 0 {
		s.old.status.Role = "handed over"
	}
	return tx.Result{}, s.at("post")
}

func (s *stage) config() Config {
	complete := func(_ context.Context, evidence []byte) ([]byte, error) {
		return append(evidence, " and collateral"...), nil
	}
	return Config{Old: s.old, New: s.fresh, Chain: s, Payer: s, Account: wire.Account{1}, Complete: complete}
}

// TestRun: the whole way, with calls that come too early and a request that the old release does not hear at first.
func TestRun(t *testing.T) {
	s := newStage(t)
	s.deaf, s.fresh.early = 1, 2
	r, err := Run(t.Context(), s.config())
	if err != nil || r.Identity != s.record.Identity || r.Role != "worker" || s.posted != 2 {
		t.Fatalf("%+v, %v after %d requests", r, err, s.posted)
	}
	if again, err := Run(t.Context(), s.config()); err != nil || again.Incarnation != r.Incarnation || s.posted != 2 {
		t.Fatalf("again: %+v, %v", again, err)
	}
}

// TestRunAfterACrash: whatever call was the driver's last, the next run ends what it began, and asks the chain no more than needed.
func TestRunAfterACrash(t *testing.T) {
	for _, call := range []string{"prepare", "post", "handover", "accept"} {
		s := newStage(t)
		s.crash = call
		if _, err := Run(t.Context(), s.config()); !errors.Is(err, errCrash) {
			t.Fatalf("%s: %v", call, err)
		}
		r, err := Run(t.Context(), s.config())
		if err != nil || r.Role != "worker" || s.posted != 1 {
			t.Errorf("after a crash at %s: %+v, %v, %d requests", call, r, err, s.posted)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	refusal := errors.New("measurement is not allowed")
	tests := []struct {
		name string
		edit func(*stage, *Config)
		want error
	}{
		{"another account", func(s *stage, _ *Config) { s.record.Operator[0]++ }, ErrOperator},
		{"another identity", func(s *stage, _ *Config) { s.old.status.Identity = bytes.Repeat([]byte{9}, 32) }, ErrIdentity},
		{"another network", func(s *stage, _ *Config) { s.old.status.ChainUid = bytes.Repeat([]byte{9}, 32) }, ErrNetwork},
		{"two that wait", func(s *stage, _ *Config) { s.old.status.Role = "receiving" }, ErrIdentity},
		{"the doors the other way round", func(_ *stage, c *Config) { c.Old, c.New = c.New, c.Old }, ErrDirection},
		{"an old one without a role", func(s *stage, c *Config) { c.Old = idle{s.old} }, ErrNotActive},
		{"the only member, without its state", func(s *stage, _ *Config) { s.members = 1 }, ErrOnlyMember},
		{"the chain's refusal", func(s *stage, _ *Config) { s.refuse = refusal }, refusal},
		{"an offer for another", func(s *stage, c *Config) { c.Old = otherOffer{s.old} }, ErrOtherHeir},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			c := s.config()
			tt.edit(s, &c)
			_, err := Run(t.Context(), c)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if s.fresh.status.Role != "receiving" || tt.want != ErrOtherHeir && s.posted != 0 {
				t.Fatal("something was moved")
			}
		})
	}
	s := newStage(t)
	s.members = 1
	c := s.config()
	c.WithoutState = true
	if _, err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

type idle struct{ *door }

func (i idle) Status(context.Context, *connect.Request[pb.StatusRequest]) (*connect.Response[pb.StatusResponse], error) {
	st := proto.Clone(&i.status).(*pb.StatusResponse)
	st.Role = "none"
	return connect.NewResponse(st), nil
}

type otherOffer struct{ *door }

func (o otherOffer) Handover(context.Context, *connect.Request[pb.HandoverRequest]) (*connect.Response[pb.HandoverResponse], error) {
	return connect.NewResponse(&pb.HandoverResponse{Offer: []byte("for another")}), nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestCopyState: the files are there whole or not at all, also after a crash, and a copy that was finished is left alone.
func TestCopyState(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if s, err := copyState(from, to); err != nil || s != (State{}) {
		t.Fatalf("a home without clusters: %+v, %v", s, err)
	}
	write(t, filepath.Join(from, clustersDir, "0x05", "log.1"), "ciphertext")
	write(t, filepath.Join(from, clustersDir, "0x05.code", "a"), "code")
	write(t, filepath.Join(to, clustersDir+".incoming", "0x05", "log.1"), "cipher") // what a crash left
	if err := os.Mkdir(filepath.Join(to, clustersDir), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := copyState(from, to)
	if err != nil || s != (State{2, int64(len("ciphertext") + len("code"))}) {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, want := range map[string]string{"0x05/log.1": "ciphertext", "0x05.code/a": "code"} {
		if got, err := os.ReadFile(filepath.Join(to, clustersDir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q: %v", name, got, err)
		}
	}
	if names, err := os.ReadDir(to); err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	write(t, filepath.Join(to, clustersDir, "0x05", "log.1"), "the new release has gone on")
	if s, err := copyState(from, to); err != nil || s != (State{}) {
		t.Fatalf("again: %+v, %v", s, err)
	}
	if got, _ := os.ReadFile(filepath.Join(to, clustersDir, "0x05", "log.1")); string(got) != "the new release has gone on" {
		t.Fatal("the new release's state was written over")
	}
	other := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(from, clustersDir, "0x05", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := copyState(from, other); err == nil {
		t.Fatal("a link was followed")
	}
	if _, err := os.Stat(filepath.Join(other, clustersDir)); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("half a copy was put in place")
	}
}
