package testnet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/client/node"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

func TestOptions(t *testing.T) {
	home := t.TempDir()
	for name, o := range map[string]Options{
		"home":        {},
		"gatekeepers": {Home: home, Gatekeepers: 2},
		"workers":     {Home: home, Workers: maxWorkers + 1},
		"validators":  {Home: home, Validators: -1},
		"block time":  {Home: home, BlockTime: -time.Second},
	} {
		if _, err := Start(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlan makes the folders of a network and takes them up with fitting and other options.
func TestPlan(t *testing.T) {
	home := t.TempDir()
	o := Options{Home: home, Workers: 3, Validators: 2, BlockTime: time.Second}
	p, err := openPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Nodes) != 2 || len(p.Enclaves) != 4 || !p.Enclaves[0].Gatekeeper || p.Enclaves[0].Listen != "" {
		t.Fatalf("plan %+v", p)
	}
	again, err := openPlan(Options{Home: home})
	if err != nil || again.BlockTime != time.Second || again.Enclaves[1].Listen != p.Enclaves[1].Listen {
		t.Fatalf("taken up: %+v, %v", again, err)
	}
	for name, other := range map[string]Options{
		"workers":    {Home: home, Workers: 2},
		"validators": {Home: home, Validators: 1},
		"block time": {Home: home, BlockTime: time.Millisecond},
	} {
		if _, err := openPlan(other); !errors.Is(err, ErrOtherShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	address, err := p.account("alice")
	if err != nil {
		t.Fatal(err)
	}
	o.Workers, o.Reset = 1, true
	anew, err := openPlan(o)
	if err != nil || len(anew.Enclaves) != 2 {
		t.Fatalf("reset: %+v, %v", anew, err)
	}
	if kept, err := anew.account("alice"); err != nil || !kept.Equals(address) {
		t.Errorf("alice after reset: %v, %v", kept, err)
	}
	if err := os.WriteFile(filepath.Join(home, planFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPlan(Options{Home: home}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged plan: %v", err)
	}
}

func TestNoDevnet(t *testing.T) {
	if _, err := Dial(t.TempDir()).Restart(t.Context(), "worker-0"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("%v", err)
	}
}

var builtOnce struct {
	sync.Once
	dir string
	b   Binaries
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if builtOnce.dir != "" {
		os.RemoveAll(builtOnce.dir)
	}
	os.Exit(code)
}

// binaries are built once for all tests of the package.
func binaries(t *testing.T) Binaries {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a whole network of processes; not with -short")
	}
	x := &builtOnce
	x.Do(func() {
		if x.dir, x.err = os.MkdirTemp("", "phalanx-bin-"); x.err == nil {
			x.b, x.err = Build(context.Background(), x.dir)
		}
	})
	if x.err != nil {
		t.Fatal(x.err)
	}
	return x.b
}

// logs is a test's log as a writer.
type logs struct{ t *testing.T }

func (l logs) Write(p []byte) (int, error) {
	l.t.Log(string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}

func start(t *testing.T, o Options) *Devnet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	o.Stderr = logs{t}
	d, err := Start(ctx, o)
	if err != nil {
		dump(t, o.Home)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			dump(t, o.Home)
		}
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// dump shows the end of each log.
func dump(t *testing.T, home string) {
	files, _ := filepath.Glob(filepath.Join(home, "logs", "*.log"))
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil || strings.HasPrefix(filepath.Base(f), "node") {
			continue
		}
		t.Logf("%s:\n%s", filepath.Base(f), raw[max(0, len(raw)-3000):])
	}
}

func network(t *testing.T, d *Devnet) Network {
	t.Helper()
	n, err := d.Network()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitWorker waits until a worker runs the cluster at the newest blocks.
func awaitWorker(t *testing.T, n Network, w Process) *pb.InfoResponse {
	t.Helper()
	chain, err := node.Dial(n.RPC)
	if err != nil {
		t.Fatal(err)
	}
	defer chain.Close()
	client := enclavev1connect.NewClientServiceClient(&http.Client{Timeout: 5 * time.Second}, w.Endpoint)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		height, herr := chain.Latest(ctx)
		r, err := client.Info(ctx, connect.NewRequest(&pb.InfoRequest{}))
		if herr == nil && err == nil && r.Msg.Height+3 >= height && len(r.Msg.Clusters) == 1 && r.Msg.Clusters[0].Phase == "running" {
			return r.Msg
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s does not run the cluster", w.ID)
	return nil
}

// TestDevnet starts a network, kills and restarts a worker, a relay and the node, stops it and takes it up again.
func TestDevnet(t *testing.T) {
	bin := binaries(t)
	home := t.TempDir()
	d := start(t, Options{Home: home, BlockTime: 200 * time.Millisecond, Binaries: bin})
	n := network(t, d)
	if len(n.Workers) != 2 || len(n.Gatekeepers) != 1 || len(n.Nodes) != 1 || n.Gatekeepers[0].Endpoint != "" {
		t.Fatalf("network %+v", n)
	}
	raw, err := os.ReadFile(filepath.Join(home, networkFile))
	var written Network
	if err != nil || json.Unmarshal(raw, &written) != nil || written.Cluster != n.Cluster || written.UID != n.UID {
		t.Fatalf("network.json: %v, %s", err, raw)
	}
	if _, err := Start(t.Context(), Options{Home: home, Binaries: bin}); !errors.Is(err, ErrHomeInUse) {
		t.Errorf("a second devnet in the home: %v", err)
	}
	remote := Dial(home)
	if _, err := remote.Restart(t.Context(), "worker-9"); !errors.Is(err, ErrUnknownProcess) {
		t.Errorf("unknown process: %v", err)
	}

	before := awaitWorker(t, n, n.Workers[0])
	if err := d.Kill("worker-0"); err != nil {
		t.Fatal(err)
	}
	if p := network(t, d).Workers[0]; p.PID != 0 || alive(n.Workers[0].PID) {
		t.Errorf("killed, and still there: %+v", p)
	}
	restarted, err := remote.Restart(t.Context(), "worker-0")
	if err != nil {
		t.Fatal(err)
	}
	after := awaitWorker(t, restarted, restarted.Workers[0])
	if bytes.Equal(before.Incarnation, after.Incarnation) || !bytes.Equal(before.Identity, after.Identity) {
		t.Errorf("incarnations %x and %x", before.Incarnation, after.Incarnation)
	}

	for _, id := range []string{"worker-1/relay", "gatekeeper-0/relay", "node-0", "gatekeeper-0"} {
		if err := d.Restart(t.Context(), id); err != nil {
			t.Fatalf("restart %s: %v", id, err)
		}
	}
	// Keys come from the gatekeeper again, which was started anew.
	if err := d.Restart(t.Context(), "worker-1"); err != nil {
		t.Fatal(err)
	}
	n = network(t, d)
	for _, w := range n.Workers {
		awaitWorker(t, n, w)
	}

	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, p := range append(append(n.Workers, n.Gatekeepers...), n.Nodes...) {
		if alive(p.PID) || p.RelayPID != 0 && alive(p.RelayPID) {
			t.Errorf("%s outlives the devnet", p.ID)
		}
	}
	again := network(t, start(t, Options{Home: home, Binaries: bin}))
	if again.UID != n.UID || again.Cluster != n.Cluster {
		t.Errorf("taken up as another network: %+v", again)
	}
	for _, w := range again.Workers {
		awaitWorker(t, again, w)
	}
}

// TestLostState destroys a worker's disk, but for its keys: it fetches the state from the other member, by their relays.
func TestLostState(t *testing.T) {
	bin := binaries(t)
	d := start(t, Options{Home: t.TempDir(), BlockTime: 200 * time.Millisecond, MarkInterval: 5, Binaries: bin})
	n := network(t, d)
	awaitFinalized(t, n)
	if err := d.Kill("worker-0"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(n.Workers[0].Home, "clusters")); err != nil {
		t.Fatal(err)
	}
	if err := d.Restart(t.Context(), "worker-0"); err != nil {
		t.Fatal(err)
	}
	n = network(t, d)
	awaitAgreement(t, n)
	log, err := os.ReadFile(d.log("worker-0/relay"))
	if err != nil || !bytes.Contains(log, []byte("state fetched")) {
		t.Errorf("no state was fetched: %v", err)
	}
}

// awaitAgreement waits until both workers stand at the same count, and compares their roots there. A mark may come in
// between two looks, so it looks again where the counts differ.
func awaitAgreement(t *testing.T, n Network) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		a := awaitWorker(t, n, n.Workers[0]).Clusters[0]
		b := awaitWorker(t, n, n.Workers[1]).Clusters[0]
		if a.Count == b.Count {
			if !bytes.Equal(a.StateRoot, b.StateRoot) {
				t.Errorf("at %d one state is %x, the other %x", a.Count, a.StateRoot, b.StateRoot)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("one worker stays at %d, the other at %d", a.Count, b.Count)
		}
	}
}

// awaitFinalized waits until the cluster's first checkpoint is finalized.
func awaitFinalized(t *testing.T, n Network) {
	t.Helper()
	chain, err := node.Dial(n.RPC)
	if err != nil {
		t.Fatal(err)
	}
	defer chain.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		var c clustertypes.QueryClusterResponse
		request := &clustertypes.QueryClusterRequest{Cluster: n.Cluster.String()}
		if err := chain.Query(ctx, "/phalanx.cluster.v1.Query/Cluster", request, &c); err == nil && c.Cluster.Finalized != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no checkpoint is finalized")
}

// TestValidators runs two validators: blocks need both.
func TestValidators(t *testing.T) {
	bin := binaries(t)
	d := start(t, Options{Home: t.TempDir(), Validators: 2, Workers: 1, BlockTime: 200 * time.Millisecond, Binaries: bin})
	n := network(t, d)
	if len(n.Nodes) != 2 || len(n.Workers) != 1 {
		t.Fatalf("network %+v", n)
	}
	awaitWorker(t, n, n.Workers[0])
}

// TestCommand runs the program as a user does, and kills it: no process outlives it.
func TestCommand(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("children die with their parent on Linux only")
	}
	bin := binaries(t)
	cmd := exec.Command(bin.Phalanx, "devnet", "--home", t.TempDir(), "--workers", "1", "--block-time", "200ms")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil || first != "ready\n" {
		cmd.Wait()
		t.Fatalf("first line %q, %v; %s", first, err, stderr.String())
	}
	second, err := lines.ReadString('\n')
	var n Network
	if err != nil || json.Unmarshal([]byte(second), &n) != nil {
		t.Fatalf("second line %q, %v", second, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed: the error says so
	if !strings.Contains(stderr.String(), "\x1b[1;31mWARNING: SIMULATED PLATFORM") {
		t.Errorf("no banner: %s", stderr.String())
	}
	deadline := time.Now().Add(10 * time.Second)
	for _, p := range append(append(n.Workers, n.Gatekeepers...), n.Nodes...) {
		for _, pid := range []int{p.PID, p.RelayPID} {
			for pid != 0 && alive(pid) && time.Now().Before(deadline) {
				time.Sleep(20 * time.Millisecond)
			}
			if pid != 0 && alive(pid) {
				t.Errorf("process %d of %s outlives the devnet", pid, p.ID)
			}
		}
	}
}

// alive reports whether a process runs; one that has ended and was not waited for yet does not.
func alive(pid int) bool {
	if pid == 0 || syscall.Kill(pid, 0) != nil {
		return false
	}
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || !bytes.Contains(raw, []byte(") Z "))
}
