package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/testnet"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

// The two releases, by the names that they are measured under.
const thisRelease, nextRelease = "pruntime-sim", "pruntime-sim-next"

// successor compiles the next release of pruntime, once.
var successor = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "next", "pruntime-sim")
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	return path, testnet.BuildRelease(ctx, path, nextRelease)
})

// upgradable is a network of its own whose programs can be upgraded to the next release.
func upgradable(t *testing.T, workers int) (n *network, program string) {
	t.Helper()
	needPrograms(t)
	program, err := successor()
	must(t, err)
	n, err = start(testnet.Options{
		Home: filepath.Join(scratch, fmt.Sprintf("upgrade-%d", workers)), Workers: workers, BlockTime: 100 * time.Millisecond, MarkInterval: 40,
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.stop()) })
	return n, program
}

// allow has the authority replace the programs that the policy accepts.
func (n *network) allow(t *testing.T, releases ...string) {
	t.Helper()
	rule := tee.Acceptance{Kind: tee.KindSimulated}
	for _, r := range releases {
		m := simulated.Measurement(r)
		rule.Programs = append(rule.Programs, tee.Exactly(m[:]))
	}
	policy := tee.Policy{Accept: []tee.Acceptance{rule}, Statuses: []tee.TCBStatus{tee.TCBUpToDate}}
	roots := simulated.Roots()
	_, err := n.payer.Do(limit(t), tx.Options{}, &registrytypes.MsgUpdatePolicy{
		Authority: n.payer.Address(), Policy: scale.MustMarshal(&policy), Roots: scale.MustMarshal(&roots),
	})
	must(t, err)
}

// handOver runs the command and returns what it printed, its words and its exit code.
func (n *network) handOver(t *testing.T, from, to testnet.Process, args ...string) (map[string]json.RawMessage, string, int) {
	t.Helper()
	var out, words bytes.Buffer
	cmd := n.handoverCommand(limit(t), from, to, args...)
	cmd.Stdout, cmd.Stderr = &out, &words
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	answer := map[string]json.RawMessage{}
	if out.Len() > 0 {
		must(t, json.Unmarshal(out.Bytes(), &answer))
	}
	t.Logf("handover of %s: exit code %d\n%s", from.ID, cmd.ProcessState.ExitCode(), words.String())
	return answer, words.String(), cmd.ProcessState.ExitCode()
}

func (n *network) handoverCommand(ctx context.Context, from, to testnet.Process, args ...string) *exec.Cmd {
	args = append([]string{
		"pruntime", "handover", "--from", from.Socket, "--to", to.Socket, "--account", "operator-" + from.ID, "--home", n.home, "-o", "json",
	}, args...)
	return exec.CommandContext(ctx, binaries.Phalanx, args...)
}

func homes(from, to testnet.Process) []string {
	return []string{"--from-home", from.Home, "--to-home", to.Home}
}

// sealed opens a pRuntime's sealed file as the release that wrote it: six secrets and the rest.
func (n *network) sealed(t *testing.T, p testnet.Process, release string) (secrets [6][32]byte, rest []byte) {
	t.Helper()
	const prefix = len("PHXKEYS\x00") + 1 + 4
	file, err := os.ReadFile(filepath.Join(p.Home, "keys", "keys.sealed"))
	must(t, err)
	var body sealedFile
	must(t, scale.Unmarshal(file[prefix:len(file)-32], &body))
	d, err := device.Open(filepath.Join(p.Home, "machine"), device.Options{
		Measurement: simulated.Measurement(release), Rand: rand.Reader, Now: time.Now, TCBStatus: tee.TCBUpToDate,
	})
	must(t, err)
	plain, err := d.Unseal(t.Context(), body.sealed, wire.SigningText("sealed-keys", n.where.UID, append([]byte{2, byte(len(body.kind) << 2)}, body.kind...)))
	must(t, err)
	for i := range secrets {
		copy(secrets[i][:], plain[i*32:])
	}
	return secrets, plain[len(secrets)*32:]
}

// stream sends commands to a counter until it is stopped, and counts those that were posted.
type stream struct {
	stop chan struct{}
	done chan struct{}
	sent []*client.Pending
	err  error
}

func (c *counter) stream(t *testing.T) *stream {
	t.Helper()
	s := &stream{stop: make(chan struct{}), done: make(chan struct{})}
	request := c.request(t, c.owner, "inc")
	go func() {
		defer close(s.done)
		for {
			select {
			case <-s.stop:
				return
			default:
			}
			ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
			sent, err := c.net.client.Send(ctx, c.net.payer, slices.Repeat([]client.Request{request}, 8)...)
			cancel()
			if err != nil {
				s.err = err
				return
			}
			s.sent = append(s.sent, sent...)
		}
	}()
	return s
}

// end stops the stream; every command has a receipt that says that it was done.
func (s *stream) end(t *testing.T, c *counter) {
	t.Helper()
	close(s.stop)
	<-s.done
	must(t, s.err)
	for _, p := range s.sent {
		r, err := p.Receipt(limit(t))
		must(t, err)
		must(t, client.Check(r.Outcome()))
	}
	c.value += len(s.sent)
	t.Logf("%d commands were sent meanwhile", len(s.sent))
}

// A worker is upgraded under load to a release that governance has allowed, and to no other: every command is executed once,
// receipts are read, the new release answers, the old one is nobody. Then the gatekeeper is, and a new cluster gets its key.
func TestHandover(t *testing.T) {
	n, program := upgradable(t, 2)
	c := n.counter(t)
	c.add(t, 2)
	old := n.where.Workers[0]
	fresh, err := n.dev.Upgrade(limit(t), old.ID, program)
	must(t, err)

	load := c.stream(t)
	_, words, code := n.handOver(t, old, fresh)
	if code != 1 || !strings.Contains(words, "measurement is not allowed") && !strings.Contains(words, "not allowed") {
		t.Fatalf("a release that nobody has allowed: exit code %d", code)
	}
	n.allow(t, thisRelease, nextRelease)
	before, _ := n.sealed(t, old, thisRelease)
	n.inMemory(t, old.ID, before, true)
	_, words, code = n.handOver(t, old, fresh, "--account", "operator-worker-1")
	if code == 0 || !strings.Contains(words, "another account is the operator") {
		t.Fatalf("another operator: exit code %d", code)
	}
	began := time.Now()
	answer, _, code := n.handOver(t, old, fresh, homes(old, fresh)...)
	same(t, "exit code of the handover", code, 0)
	same(t, "role", answer["role"], "worker")
	t.Logf("the handover took %.1f s", time.Since(began).Seconds())
	n.awaitRunning(t, n.workers[0])
	load.end(t, c)
	c.sound(t, n.workers...)

	n.handedOver(t, old, fresh, before)
	again, _, code := n.handOver(t, old, fresh, homes(old, fresh)...)
	same(t, "exit code of the same again", code, 0)
	same(t, "its incarnation", again["incarnation"], answer["incarnation"])
	n.restart(t, old.ID) // it stays what it is
	n.refuses(t, old.Endpoint)
	_, _, code = n.handOver(t, old, fresh)
	same(t, "exit code after a restart of the old one", code, 0)
	n.kill(t, old.ID)
	n.restart(t, fresh.ID)
	n.awaitRunning(t, n.workers[0])
	c.sound(t, n.workers...)

	keeper := n.where.Gatekeepers[0]
	held, _ := n.sealed(t, keeper, thisRelease)
	next, err := n.dev.Upgrade(limit(t), keeper.ID, program)
	must(t, err)
	answer, _, code = n.handOver(t, keeper, next)
	same(t, "exit code of the gatekeeper's handover", code, 0)
	same(t, "its role", answer["role"], "gatekeeper")
	n.handedOver(t, keeper, next, held)
	n.kill(t, keeper.ID)
	id, err := n.client.CreateCluster(limit(t), n.payer, []sr25519.PublicKey{n.workers[0]})
	must(t, err)
	eventually(t, func(ctx context.Context) error {
		x, err := n.client.Cluster(ctx, id)
		if err == nil && x.Record.Fixed == nil {
			err = errors.New("the new cluster has no key")
		}
		return err
	})
	c.sound(t, n.workers...)
}

// handedOver checks the two sealed files: the new one holds what the old one held, and the old one nothing.
func (n *network) handedOver(t *testing.T, old, fresh testnet.Process, held [6][32]byte) {
	t.Helper()
	gone, rest := n.sealed(t, old, thisRelease)
	if gone != [6][32]byte{} {
		t.Errorf("the old release of %s still has a secret on disk", old.ID)
	}
	have, _ := n.sealed(t, fresh, nextRelease)
	for _, slot := range []int{0, 4} { // the identity, the MasterKey; an EcdhKey may have been replaced since
		if have[slot] != held[slot] {
			t.Errorf("the new release of %s has another secret %d", old.ID, slot)
		}
		if held[slot] != [32]byte{} && bytes.Contains(rest, held[slot][:]) {
			t.Errorf("the offer of %s shows secret %d", old.ID, slot)
		}
	}
	n.inMemory(t, old.ID, held, false)
}

// inMemory checks whether the process's memory shows the identity's secret, or any that it held.
func (n *network) inMemory(t *testing.T, id string, held [6][32]byte, want bool) {
	t.Helper()
	where, err := n.dev.Network()
	must(t, err)
	for _, p := range append(where.Workers, where.Gatekeepers...) {
		if p.ID != id {
			continue
		}
		found, err := inMemory(p.PID, held[:])
		if errors.Is(err, os.ErrPermission) {
			t.Logf("the memory of %s was not searched: %v", id, err) // it protects itself from those who are not root
			return
		}
		must(t, err)
		if want && found[0] == 0 {
			t.Fatal("control: the identity's secret is not found in the process that holds it")
		}
		for slot, times := range found {
			if times > 0 && !want {
				t.Errorf("%s still has secret %d in memory, %d times", id, slot, times)
			}
		}
	}
}

// refuses checks that a pRuntime answers no query, and says why.
func (n *network) refuses(t *testing.T, endpoint string) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		_, err := rawQuery(ctx, endpoint, n.where.Cluster)
		if err == nil || !strings.Contains(err.Error(), "handed over to a new release") {
			return fmt.Errorf("the old release answers: %v", err)
		}
		return nil
	})
}

// The only worker of a cluster is upgraded: its state comes with it, although everything is killed on the way.
func TestHandoverOfTheOnlyWorker(t *testing.T) {
	n, program := upgradable(t, 1)
	c := n.counter(t)
	c.add(t, 3)
	old := n.where.Workers[0]
	n.allow(t, thisRelease, nextRelease)
	fresh, err := n.dev.Upgrade(limit(t), old.ID, program)
	must(t, err)
	_, words, code := n.handOver(t, old, fresh)
	if code == 0 || !strings.Contains(words, "only member") {
		t.Fatalf("without its state: exit code %d", code)
	}
	cmd := n.handoverCommand(limit(t), old, fresh, homes(old, fresh)...)
	must(t, cmd.Start())
	eventually(t, func(context.Context) error {
		if secrets, _ := n.sealed(t, old, thisRelease); secrets != [6][32]byte{} {
			return errors.New("the old release has not handed over")
		}
		return nil
	})
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	n.kill(t, fresh.ID)
	n.kill(t, old.ID)
	n.restart(t, old.ID)
	n.restart(t, fresh.ID)
	n.refuses(t, old.Endpoint)
	answer, _, code := n.handOver(t, old, fresh, homes(old, fresh)...)
	same(t, "exit code", code, 0)
	same(t, "role", answer["role"], "worker")
	n.kill(t, old.ID)
	n.awaitRunning(t, n.workers[0])
	c.sound(t, n.workers...)
}

// rawQuery sends what is no query to a pRuntime's client port.
func rawQuery(ctx context.Context, endpoint string, cluster wire.ClusterID) (*connect.Response[pb.QueryResponse], error) {
	service := enclavev1connect.NewClientServiceClient(http.DefaultClient, endpoint)
	return service.Query(ctx, connect.NewRequest(&pb.QueryRequest{Cluster: cluster[:], Envelope: []byte{1}}))
}
