package relay

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/cosmos/gogoproto/proto"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// member is an enclave that gives its state away, in order, after it was asked notYet times.
type member struct {
	enclaveDoor
	mu      sync.Mutex
	chunks  []string
	notYet  int
	refuses bool
	block   chan struct{}
}

func (m *member) ExportState(_ context.Context, r *connect.Request[pb.ExportStateRequest]) (*connect.Response[pb.ExportStateResponse], error) {
	if m.block != nil {
		<-m.block
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuses || string(r.Msg.Request) != "request" || int(r.Msg.Chunk) >= len(m.chunks) {
		return nil, refuse(connect.CodeFailedPrecondition, "refused")
	}
	if m.notYet > 0 {
		m.notYet--
		return nil, refuse(connect.CodeUnavailable, "not yet")
	}
	return connect.NewResponse(&pb.ExportStateResponse{Offer: []byte("offer"), Chunk: []byte(m.chunks[r.Msg.Chunk])}), nil
}

// joiner is an enclave that asks for the state.
type joiner struct {
	*fakeEnclave
	want  int
	got   []string
	fails bool
}

func (j *joiner) RequestState(context.Context, *connect.Request[pb.RequestStateRequest]) (*connect.Response[pb.RequestStateResponse], error) {
	j.got = nil
	return connect.NewResponse(&pb.RequestStateResponse{Request: []byte("request")}), nil
}

func (j *joiner) ImportState(_ context.Context, r *connect.Request[pb.ImportStateRequest]) (*connect.Response[pb.ImportStateResponse], error) {
	if j.fails || int(r.Msg.Index) != len(j.got) {
		return nil, refuse(connect.CodeFailedPrecondition, "wrong chunk")
	}
	j.got = append(j.got, string(r.Msg.Chunk))
	return connect.NewResponse(&pb.ImportStateResponse{Done: len(j.got) == j.want}), nil
}

// directory is a chain that knows where workers are reached.
type directory struct {
	*fakeChain
	urls map[string][]string // identity to peer URLs
}

func (d *directory) Query(ctx context.Context, method string, request, response proto.Message) error {
	q, ok := request.(*registrytypes.QueryWorkerRequest)
	if !ok {
		return d.fakeChain.Query(ctx, method, request, response)
	}
	urls, ok := d.urls[q.Identity]
	if !ok {
		return node.ErrNotFound
	}
	var identity sr25519.PublicKey
	if err := identity.UnmarshalText([]byte(q.Identity)); err != nil {
		return err
	}
	key, err := ecdh.ParsePublicKey(identity.Bytes())
	if err != nil {
		return err
	}
	w := wire.WorkerState{Identity: identity, Ecdh: wire.EcdhEpoch{Key: key}, Info: wire.WorkerInfo{PeerURLs: urls}}
	response.(*registrytypes.QueryWorkerResponse).Worker.Record = scale.MustMarshal(&w)
	return nil
}

func publicKey(t *testing.T, seed byte) sr25519.PublicKey {
	t.Helper()
	k, err := sr25519.FromMiniSecret(slices.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

// TestFetchState asks members until one gives its state: one that is unknown, one without a door, one that refuses, and
// one that must be asked again.
func TestFetchState(t *testing.T) {
	refusing := httptest.NewServer(newPeerHandler(&member{refuses: true}))
	defer refusing.Close()
	giving := httptest.NewServer(newPeerHandler(&member{chunks: []string{"a", "b", "c"}, notYet: 1}))
	defer giving.Close()
	unknown, doorless, refuser, giver := publicKey(t, 1), publicKey(t, 2), publicKey(t, 3), publicKey(t, 4)
	chain := &directory{newFakeChain(9), map[string][]string{
		doorless.String(): nil,
		refuser.String():  {refusing.URL},
		giver.String():    {"http://127.0.0.1:1", giving.URL + "/"},
	}}
	j := &joiner{fakeEnclave: newFakeEnclave(t), want: 3}
	s, _ := testSession(chain.fakeChain, j.fakeEnclave)
	s.chain, s.enclave = chain, j
	members := [][]byte{unknown.Bytes(), doorless.Bytes(), refuser.Bytes(), giver.Bytes(), {1, 2, 3}}
	s.fetchState(t.Context(), wire.ClusterID{1}, members[:3])
	if len(j.got) != 0 || s.metrics.states.Load() != 0 {
		t.Fatalf("got %v from members that give nothing", j.got)
	}
	s.fetchState(t.Context(), wire.ClusterID{1}, members)
	if !slices.Equal(j.got, []string{"a", "b", "c"}) || s.metrics.states.Load() != 1 {
		t.Errorf("got %v", j.got)
	}
	j.fails = true
	if _, err := s.fetchFrom(t.Context(), wire.ClusterID{1}, giver.Bytes()); !enclaveFault(err) {
		t.Errorf("chunk that the enclave refuses: %v", err)
	}
}

// TestPeerDoor sends what the door must refuse: other methods, other paths, oversized requests, too many at a time.
func TestPeerDoor(t *testing.T) {
	m := &member{chunks: []string{"a"}, block: make(chan struct{})}
	server := httptest.NewServer(newPeerHandler(m))
	defer server.Close()
	peer := dialPeer(server.URL)
	request := func(size int) *connect.Request[pb.ExportStateRequest] {
		return connect.NewRequest(&pb.ExportStateRequest{Request: bytes.Repeat([]byte{1}, size)})
	}
	if _, err := peer.CallUnary(t.Context(), request(2*peerRequestBytes)); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("oversized: %v", err)
	}
	for _, path := range []string{"/", "/phalanx.enclave.v1.RelayService/Register", "/phalanx.enclave.v1.RelayService/Advance"} {
		r, err := server.Client().Post(server.URL+path, "application/json", strings.NewReader("{}"))
		if err != nil || r.StatusCode != 404 {
			t.Errorf("%s: %v, %v", path, r, err)
		}
	}
	var group sync.WaitGroup
	results := make(chan error, 2*peerConcurrency)
	for range 2 * peerConcurrency {
		group.Go(func() {
			_, err := peer.CallUnary(t.Context(), request(1))
			results <- err
		})
	}
	busy := 0
	for range peerConcurrency { // the others hold all slots
		if err := <-results; connect.CodeOf(err) == connect.CodeUnavailable {
			busy++
		}
	}
	close(m.block)
	group.Wait()
	if busy != peerConcurrency {
		t.Errorf("%d of %d were told that the door is busy", busy, peerConcurrency)
	}
}

// TestRedirectsAreNotFollowed shows that a peer cannot send a relay somewhere else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	m := &member{chunks: []string{"a"}}
	target := httptest.NewServer(newPeerHandler(m))
	defer target.Close()
	redirect := httptest.NewServer(redirectTo(target.URL))
	defer redirect.Close()
	_, err := dialPeer(redirect.URL).CallUnary(t.Context(), connect.NewRequest(&pb.ExportStateRequest{Request: []byte("request")}))
	if err == nil {
		t.Error("the redirect was followed")
	}
	if errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func redirectTo(url string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, url+r.URL.Path, http.StatusTemporaryRedirect)
	})
}
