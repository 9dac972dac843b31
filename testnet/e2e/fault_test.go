package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/wire"
)

// perLoad is how many commands each transaction of the load holds.
const perLoad = 4

// load sends increments until the function that it returns is called.
func (c *counter) load(t *testing.T, name string) (stop func()) {
	t.Helper()
	end := c.net.load(t, name, c.request(t, c.owner, "inc"))
	return func() {
		t.Helper()
		c.value += end()
	}
}

// load sends a command, a few times in each transaction, from an account that does nothing else, until the function that it
// returns is called. That one counts: what is in a block is a transaction of the account's sequence, also where nobody
// learnt so because a process was killed.
func (n *network) load(t *testing.T, name string, request client.Request) (stop func() (commands int)) {
	t.Helper()
	_, payer := n.account(t, name)
	began, err := n.sequence(limit(t), payer.Address())
	must(t, err)
	batch := []client.Request{request, request, request, request}
	if len(batch) != perLoad {
		t.Fatal("the batch has another size")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	failed := 0
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			once, cancel := context.WithTimeout(ctx, 20*time.Second)
			_, err := n.client.Send(once, payer, batch...)
			cancel()
			if err != nil {
				failed++
				time.Sleep(20 * time.Millisecond)
			}
		}
	}()
	return func() int {
		t.Helper()
		cancel()
		<-done
		sent := n.still(t, payer.Address()) - began
		t.Logf("%d commands are in blocks; %d times the client could not tell", perLoad*sent, failed)
		if sent == 0 {
			t.Fatal("no load")
		}
		return int(perLoad * sent)
	}
}

// still waits until nothing of an account is on its way any more, and returns its sequence.
func (n *network) still(t *testing.T, address string) (sequence uint64) {
	t.Helper()
	var since uint64
	eventually(t, func(ctx context.Context) error {
		now, err := n.sequence(ctx, address)
		if err != nil {
			return err
		}
		height, err := n.node.Latest(ctx)
		if err != nil {
			return err
		}
		if now != sequence || since == 0 {
			sequence, since = now, height
		}
		if height < since+5 {
			return errors.New("its transactions do not end")
		}
		return nil
	})
	return sequence
}

// A process that is killed at any moment, under load, loses nothing and repeats nothing.
func TestKilledUnderLoad(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	nap := func(most time.Duration) { time.Sleep(rand.N(most)) }
	for _, victims := range [][]string{
		{"worker-1"},
		{"worker-0/relay"},
		{"gatekeeper-0"},
		{"node-0"},
		{"worker-0", "gatekeeper-0"},
		{"worker-1/relay", "worker-1", "node-0", "gatekeeper-0/relay"},
	} {
		t.Run(strings.Join(victims, ",")+" is killed", func(t *testing.T) {
			stop := c.load(t, "alice")
			nap(time.Second)
			for _, id := range victims {
				n.kill(t, id)
				nap(300 * time.Millisecond)
			}
			for _, id := range victims {
				n.restart(t, id)
			}
			nap(500 * time.Millisecond)
			stop()
			for _, id := range n.workers {
				n.awaitRunning(t, id)
			}
			c.sound(t, n.workers...)
		})
	}
}

// A relay that is away misses nothing: its enclave catches up once it is back.
func TestRelayAway(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	n.kill(t, "worker-1/relay")
	began, err := n.node.Latest(limit(t))
	must(t, err)
	request := c.request(t, c.owner, "inc")
	for n.blocksSince(t, began) < 60 {
		_, err := n.client.Send(limit(t), n.payer, request, request, request, request)
		must(t, err)
		c.value += 4
	}
	c.add(t, 1) // whose receipt makes the client want answers that stand on all of them
	c.exact(t, n.workers[0])
	n.restart(t, "worker-1/relay")
	c.exact(t, n.workers...)
	c.sound(t, n.workers...)
}

func (n *network) blocksSince(t *testing.T, height uint64) uint64 {
	t.Helper()
	now, err := n.node.Latest(limit(t))
	must(t, err)
	return now - height
}

// Two relays on one enclave get into each other's way and do no harm.
func TestTwoRelays(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	cmd := exec.Command(binaries.Phalanx, "relay", "--home", n.home, "--socket", filepath.Join(n.home, "run", "worker-0.sock"),
		"--account", "operator-worker-0", "--chain-id", n.where.ChainID, "--node", n.where.RPC)
	log, err := os.Create(filepath.Join(n.home, "logs", "second-relay.log"))
	must(t, err)
	defer log.Close()
	cmd.Stderr, cmd.Stdout = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	n.kill(t, "worker-0") // so that both bring its registration
	n.restart(t, "worker-0")
	n.awaitRunning(t, n.workers[0])
	c.sound(t, n.workers...)
	select {
	case err := <-ended:
		t.Fatal("the second relay ended:", err)
	default:
	}
	must(t, cmd.Process.Kill())
	<-ended
	c.sound(t, n.workers...)
}

// A worker whose state is gone gets it back: from the topic, or from another member where the topic is pruned.
func TestStateLost(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	c.add(t, 3)
	n.kill(t, "worker-1")
	must(t, os.RemoveAll(filepath.Join(n.where.Workers[1].Home, "clusters")))
	n.restart(t, "worker-1")
	n.awaitRunning(t, n.workers[1])
	c.sound(t, n.workers...)
}

// A worker whose whole disk is of an earlier day is not believed as what it was: it starts anew, with a fresh EcdhKey
// where the chain knows one that it lacks, and goes on rightly.
func TestDiskRolledBack(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	c.add(t, 2)
	home := n.where.Workers[1].Home
	old := home + ".old"
	before := n.state(t, 1)
	n.kill(t, "worker-1")
	copyAll(t, home, old)
	n.restart(t, "worker-1")
	n.awaitRunning(t, n.workers[1])
	eventually(t, func(ctx context.Context) error { // until its key is another than the old disk's
		w, err := n.client.Worker(ctx, n.workers[1])
		if err == nil && w.Record.Ecdh.Epoch < before.Ecdh.Epoch+2 {
			err = fmt.Errorf("the key is of epoch %d, it was %d", w.Record.Ecdh.Epoch, before.Ecdh.Epoch)
		}
		return err
	})
	c.add(t, 3)
	n.kill(t, "worker-1")
	newest := n.state(t, 1)
	must(t, os.Rename(home, home+".newest"))
	must(t, os.Rename(old, home))
	n.restart(t, "worker-1")
	eventually(t, func(ctx context.Context) error {
		w, err := n.client.Worker(ctx, n.workers[1])
		if err == nil && w.Record.Incarnation == newest.Incarnation {
			err = errors.New("it has not registered yet")
		}
		return err
	})
	if now := n.state(t, 1); now.Ecdh.Key == newest.Ecdh.Key || now.Ecdh.Key == before.Ecdh.Key || now.Ecdh.Epoch <= newest.Ecdh.Epoch {
		t.Fatalf("the key is %s of epoch %d; before %s of %d, %s of %d", now.Ecdh.Key, now.Ecdh.Epoch,
			newest.Ecdh.Key, newest.Ecdh.Epoch, before.Ecdh.Key, before.Ecdh.Epoch)
	}
	n.awaitRunning(t, n.workers[1])
	c.sound(t, n.workers...)
}

func (n *network) state(t *testing.T, worker int) wire.WorkerState {
	t.Helper()
	w, err := n.client.Worker(limit(t), n.workers[worker])
	must(t, err)
	return w.Record
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
}

// Sealed files that are damaged, or not this network's or machine's, are named and left alone.
func TestSealedFiles(t *testing.T) {
	n := sharedNetwork(t)
	n.kill(t, "worker-1")
	home := n.where.Workers[1].Home
	spare := t.TempDir()
	copyAll(t, home, filepath.Join(spare, "home"))
	copyAll(t, n.where.Workers[0].Home, filepath.Join(spare, "other"))
	n.restart(t, "worker-1")
	files, err := filepath.Glob(filepath.Join(spare, "home", "keys", "*"))
	must(t, err)
	sealed := ""
	for _, f := range files {
		if raw, err := os.ReadFile(f); err == nil && bytes.HasPrefix(raw, []byte("PHXKEYS\x00")) {
			sealed = f
		}
	}
	if sealed == "" {
		t.Fatalf("no sealed file among %q", files)
	}
	good, err := os.ReadFile(sealed)
	must(t, err)
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	other := n.where.UID
	other[0] ^= 1
	otherMachine := filepath.Join(spare, "elsewhere")
	copyAll(t, filepath.Join(spare, "home"), otherMachine)
	must(t, os.RemoveAll(filepath.Join(otherMachine, "machine")))
	copyAll(t, filepath.Join(spare, "other", "machine"), filepath.Join(otherMachine, "machine"))
	for _, c := range []struct {
		name, home string
		uid        wire.ChainUID
		raw        []byte
		says       string
	}{
		{"a flipped bit", filepath.Join(spare, "home"), n.where.UID, flipped, "sealed keys are damaged"},
		{"a file cut short", filepath.Join(spare, "home"), n.where.UID, good[:len(good)-9], "sealed keys are truncated"},
		{"an empty file", filepath.Join(spare, "home"), n.where.UID, nil, "sealed keys are truncated"},
		{"another network", filepath.Join(spare, "home"), other, good, "sealed keys belong to another network"},
		{"another machine", otherMachine, n.where.UID, good, "sealed keys belong to another machine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := filepath.Join(c.home, "keys", filepath.Base(sealed))
			must(t, os.WriteFile(at, c.raw, 0o600))
			ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
			defer cancel()
			cmd := exec.CommandContext(ctx, binaries.Pruntime, "--home", c.home, "--chain-id", n.where.ChainID, "--chain-uid", c.uid.String())
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Fatalf("it ended with %v: %s", err, out)
			}
			if !strings.Contains(string(out), c.says) {
				t.Fatalf("it does not say %q:\n%s", c.says, out)
			}
			now, err := os.ReadFile(at)
			must(t, err)
			if !bytes.Equal(now, c.raw) {
				t.Fatal("the file was changed")
			}
		})
	}
	n.awaitRunning(t, n.workers[1])
	n.counter(t).sound(t, n.workers...)
}

// EcdhKeys rotate under queries and commands, and no answer is lost.
func TestRotation(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	from := make([]uint32, len(n.workers))
	for i := range n.workers {
		from[i] = n.state(t, i).Ecdh.Epoch
	}
	began := time.Now()
	queries := 0
	for rotated := 0; rotated < len(n.workers); {
		if time.Since(began) > 2*stepLimit {
			t.Fatal("the keys do not rotate")
		}
		last := c.add(t, 1)
		rotated = 0
		for i, id := range n.workers {
			value, _, err := c.ask(limit(t), id, c.owner, "get")
			must(t, err) // at the first attempt
			same(t, "get", value, fmt.Sprint(c.value))
			queries++
			if n.state(t, i).Ecdh.Epoch > from[i] {
				rotated++
			}
		}
		must(t, client.Check(last.Outcome()))
	}
	t.Logf("%d commands and %d queries in %s", c.value, queries, time.Since(began).Round(time.Millisecond))
	c.sound(t, n.workers...)
}
