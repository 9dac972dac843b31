package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/handover"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

// fake stands behind both doors.
type fake struct {
	err   error
	block chan struct{}
	panic any
}

func (f *fake) do() error {
	if f.panic != nil {
		panic(f.panic)
	}
	if f.block != nil {
		<-f.block
	}
	return f.err
}

func (f *fake) Advance(context.Context, [][]byte, []dispatch.Proof, []dispatch.Batch) error {
	return f.do()
}
func (f *fake) Status() dispatch.Status {
	return dispatch.Status{Header: light.Header{Height: 5}, Seen: true}
}
func (f *fake) Header() (light.Header, time.Duration, bool) { return light.Header{Height: 5}, 0, true }
func (f *fake) Outbox(uint64, int) [][]byte                 { return nil }

type fakeClusters struct{ *fake }

func (f fakeClusters) Status() []worker.ClusterStatus {
	return []worker.ClusterStatus{{Phase: "running"}}
}
func (f fakeClusters) Query(_ context.Context, _ wire.ClusterID, e []byte) ([]byte, error) {
	return append([]byte("re:"), e...), f.do()
}

func (f fakeClusters) Receipt(context.Context, wire.ClusterID, uint64, bool) (worker.Receipt, error) {
	return worker.Receipt{Envelope: []byte("r"), Path: []wire.Hash{{1}}}, f.do()
}
func (f fakeClusters) RequestState(wire.ClusterID, sr25519.PublicKey) ([]byte, error) {
	return nil, f.do()
}
func (f fakeClusters) ExportState(context.Context, []byte, uint32) ([]byte, []byte, error) {
	return nil, nil, f.do()
}
func (f fakeClusters) ImportState(context.Context, []byte, uint32, []byte) (bool, error) {
	return false, f.do()
}

type fakeSelf struct{ *fake }

func (f fakeSelf) Register(context.Context, wire.Account) (Registration, error) {
	return Registration{}, f.do()
}
func (f fakeSelf) About() About { return About{Identity: []byte("me")} }

type fakeCustody struct{ *fake }

func (f fakeCustody) Prepare(context.Context, wire.Account) (handover.Request, error) {
	return handover.Request{Request: []byte("please")}, f.do()
}
func (f fakeCustody) Handed() ([]byte, error)              { return []byte("offer"), f.do() }
func (f fakeCustody) Accept(context.Context, []byte) error { return f.do() }

// serve runs a handler on a listener until the test ends.
func serve(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func clientDoorOf(t *testing.T, f *fake) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, NewClientHandler(f, fakeClusters{f}, fakeSelf{f}))
	return "http://" + l.Addr().String()
}

// plain is an HTTP client that speaks both versions without TLS.
func plain(t *testing.T) *http.Client {
	tr := &http.Transport{Protocols: protocols()}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

var someCluster = make([]byte, 32)

// The client port has three methods, in every protocol that Connect speaks.
func TestClientPort(t *testing.T) {
	url := clientDoorOf(t, &fake{})
	grpc := &http.Transport{Protocols: new(http.Protocols)}
	grpc.Protocols.SetUnencryptedHTTP2(true)
	defer grpc.CloseIdleConnections()
	for name, c := range map[string]enclavev1connect.ClientServiceClient{
		"connect":  enclavev1connect.NewClientServiceClient(plain(t), url),
		"json":     enclavev1connect.NewClientServiceClient(plain(t), url, connect.WithProtoJSON()),
		"grpc-web": enclavev1connect.NewClientServiceClient(plain(t), url, connect.WithGRPCWeb()),
		"grpc":     enclavev1connect.NewClientServiceClient(&http.Client{Transport: grpc}, url, connect.WithGRPC()),
	} {
		info, err := c.Info(t.Context(), connect.NewRequest(&pb.InfoRequest{}))
		if err != nil || info.Msg.Height != 5 || string(info.Msg.Identity) != "me" {
			t.Fatalf("%s: %v", name, err)
		}
		q, err := c.Query(t.Context(), connect.NewRequest(&pb.QueryRequest{Cluster: someCluster, Envelope: []byte("q")}))
		if err != nil || string(q.Msg.Envelope) != "re:q" {
			t.Fatalf("%s: %v", name, err)
		}
		r, err := c.Receipt(t.Context(), connect.NewRequest(&pb.ReceiptRequest{Cluster: someCluster}))
		if err != nil || len(r.Msg.Path) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := c.Query(t.Context(), connect.NewRequest(&pb.QueryRequest{Cluster: []byte{1}})); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// No method of the relay's door is at the client port, whatever it is asked with.
func TestNoRelayMethodAtTheClientPort(t *testing.T) {
	f := &fake{}
	url := clientDoorOf(t, f)
	service := reflect.TypeFor[enclavev1connect.RelayServiceHandler]()
	if service.NumMethod() < 10 {
		t.Fatalf("only %d methods: the list is not the service's", service.NumMethod())
	}
	dir := t.TempDir()
	l, err := ListenRelay(filepath.Join(dir, "relay.sock"))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, NewRelayHandler(f, fakeClusters{f}, fakeSelf{f}, fakeCustody{f}))
	unix := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(dir, "relay.sock"))
	}}
	defer unix.CloseIdleConnections()
	post := func(c *http.Client, url, kind string) int {
		t.Helper()
		resp, err := c.Post(url, kind, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	for i := range service.NumMethod() {
		path := "/" + enclavev1connect.RelayServiceName + "/" + service.Method(i).Name
		for _, kind := range []string{"application/json", "application/proto", "application/grpc", "application/grpc-web+proto", "text/plain"} {
			for _, p := range []string{path, "/" + path, path + "/", "/x/.." + path} {
				if code := post(plain(t), url+p, kind); code != http.StatusNotFound {
					t.Errorf("%s as %s: %d", p, kind, code)
				}
			}
		}
		// The control: the same path at the relay's door is there.
		if code := post(&http.Client{Transport: unix}, "http://relay"+path, "application/json"); code == http.StatusNotFound {
			t.Errorf("%s is not at the relay's door either: the test proves nothing", path)
		}
	}
}

// The relay's socket is its owner's alone; a dead one is replaced.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "relay.sock")
	for range 2 {
		l, err := ListenRelay(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode(); mode.Perm() != 0o600 || mode.Type() != os.ModeSocket {
			t.Fatalf("mode %s", mode)
		}
		if dir, _ := os.Stat(filepath.Dir(path)); dir.Mode().Perm() != 0o700 {
			t.Fatalf("directory has mode %s", dir.Mode())
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close() // as if the process had died
	}
	if _, err := ListenRelay(filepath.Join(t.TempDir(), strings.Repeat("long", 40))); err == nil {
		t.Fatal("a path that is too long")
	}
}

// What is too large, too slow or too much is refused; what goes wrong inside is not told.
func TestBounds(t *testing.T) {
	f := &fake{}
	url := clientDoorOf(t, f)
	c := enclavev1connect.NewClientServiceClient(plain(t), url)
	query := func() error {
		_, err := c.Query(context.Background(), connect.NewRequest(&pb.QueryRequest{Cluster: someCluster, Envelope: []byte("q")}))
		return err
	}
	big := &pb.QueryRequest{Cluster: someCluster, Envelope: make([]byte, maxClientRequest)}
	if _, err := c.Query(t.Context(), connect.NewRequest(big)); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("a large request: %v", err)
	}
	zipped := enclavev1connect.NewClientServiceClient(plain(t), url, connect.WithSendGzip())
	bomb := &pb.QueryRequest{Cluster: someCluster, Envelope: bytes.Repeat([]byte{0}, 32<<20)}
	if _, err := zipped.Query(t.Context(), connect.NewRequest(bomb)); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("a request that grows: %v", err)
	}
	const secret = "the state's secret"
	f.panic = secret
	if err := query(); connect.CodeOf(err) != connect.CodeInternal || strings.Contains(err.Error(), "secret") {
		t.Errorf("a panic: %v", err)
	}
	f.panic = nil
	f.err = errors.New(secret)
	if err := query(); connect.CodeOf(err) != connect.CodeInternal || strings.Contains(err.Error(), "secret") {
		t.Errorf("a fault: %v", err)
	}
	for is, code := range map[error]connect.Code{
		worker.ErrBehind: connect.CodeUnavailable, worker.ErrStale: connect.CodeUnavailable, worker.ErrQuery: connect.CodeInvalidArgument,
		worker.ErrReplayed: connect.CodeInvalidArgument, worker.ErrExpired: connect.CodeInvalidArgument,
		worker.ErrUnknownCluster: connect.CodeNotFound, worker.ErrNoReceipt: connect.CodeNotFound, worker.ErrBusy: connect.CodeResourceExhausted,
		worker.ErrNotRunning: connect.CodeUnavailable, worker.ErrNotYet: connect.CodeUnavailable,
		keys.ErrHandedOver: connect.CodeUnavailable, keys.ErrReceiving: connect.CodeUnavailable,
	} {
		f.err = fmt.Errorf("%s: %w", secret, is)
		err := query()
		if connect.CodeOf(err) != code || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), is.Error()) {
			t.Errorf("%v: %v", is, err)
		}
	}
	f.err = nil
	if err := query(); err != nil {
		t.Fatal(err)
	}
}

// No more than so many run at a time; the next is told at once, and served when there is room.
func TestTooManyAtOnce(t *testing.T) {
	f := &fake{block: make(chan struct{})}
	url := clientDoorOf(t, f)
	c := enclavev1connect.NewClientServiceClient(plain(t), url)
	query := func() error {
		_, err := c.Query(context.Background(), connect.NewRequest(&pb.QueryRequest{Cluster: someCluster}))
		return err
	}
	var group sync.WaitGroup
	results := make(chan error, 2*maxClientStreams)
	for range maxClientStreams + 20 {
		group.Go(func() { results <- query() })
	}
	for range 20 {
		select {
		case err := <-results:
			if err == nil {
				t.Fatal("an answer while all are held")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("too many wait")
		}
	}
	close(f.block)
	group.Wait()
	close(results)
	for err := range results {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := query(); err != nil {
		t.Fatal(err)
	}
}
