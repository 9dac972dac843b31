package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	sdkmath "cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/examples"
	"github.com/phalanx-network/phalanx/wire"
)

const guide = "../../docs/guide/by-hand.md"

// block is a piece of shell of the guide: ```sh, or ```sh KIND.
type block struct{ kind, text string }

func readGuide(t *testing.T) []block {
	t.Helper()
	raw, err := os.ReadFile(guide)
	must(t, err)
	var out []block
	for _, m := range regexp.MustCompile("(?ms)^```sh ?([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		out = append(out, block{m[1], m[2]})
	}
	if len(out) < 8 || out[0].kind != "settings" {
		t.Fatalf("%s holds %d blocks", guide, len(out))
	}
	return out
}

// shell is a bash in which blocks run one after the other. Whatever it starts ends with the test.
type shell struct {
	in  io.Writer
	out *bufio.Reader
	n   int
}

func startShell(t *testing.T, dir string, env ...string) *shell {
	t.Helper()
	path, err := exec.LookPath("bash")
	if err != nil {
		needs(t, "bash")
	}
	cmd := exec.Command(path, "-u")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binaries.Phalanx)+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	s := &shell{in: in, out: bufio.NewReader(out)}
	words, err := os.Create(filepath.Join(dir, "stderr.log")) // of commands that are repeated until they succeed, mostly
	must(t, err)
	cmd.Stderr = words
	must(t, cmd.Start())
	t.Cleanup(func() {
		defer words.Close()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the shell's own group: what it has started
		cmd.Wait()
	})
	return s
}

// run runs a block to its end and returns what it printed. It fails unless the last command succeeded.
func (s *shell) run(t *testing.T, text string) string {
	t.Helper()
	s.n++
	mark := fmt.Sprintf("--block-%d--", s.n)
	_, err := io.WriteString(s.in, text+"\necho \""+mark+" $?\"\n")
	must(t, err)
	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	go func() {
		var out strings.Builder
		for {
			line, err := s.out.ReadString('\n')
			if status, ok := strings.CutPrefix(line, mark+" "); ok {
				if strings.TrimSpace(status) != "0" {
					err = fmt.Errorf("exit status %s", status)
				}
				done <- result{out.String(), err}
				return
			}
			if err != nil {
				done <- result{out.String(), err}
				return
			}
			out.WriteString(line)
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatalf("%v:\n%s\n%s", r.err, text, r.out)
		}
		return r.out
	case <-time.After(2 * stepLimit):
		t.Fatalf("this does not end:\n%s", text)
	}
	return ""
}

// freePorts returns addresses that are free now.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	out := make([]string, n)
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer l.Close()
		out[i] = l.Addr().String()
	}
	return out
}

// settings are the guide's, for a machine that joins the network.
func (n *network) settings(t *testing.T, home string) map[string]string {
	t.Helper()
	first := n.where.Nodes[0].Home
	id, err := exec.Command(binaries.Phalanx, "node", "show-node-id", "--home", first).Output()
	must(t, err)
	config, err := os.ReadFile(filepath.Join(first, "config", "config.toml"))
	must(t, err)
	_, p2p, _ := strings.Cut(string(config), "\n[p2p]\n")
	laddr := regexp.MustCompile(`(?m)^laddr = "tcp://(.*)"$`).FindStringSubmatch(p2p)
	if laddr == nil {
		t.Fatal("no p2p address in config.toml")
	}
	ports := freePorts(t, 6)
	return map[string]string{
		"PHALANX_HOME": home, "GENESIS": filepath.Join(first, "config", "genesis.json"),
		"PEERS":    strings.TrimSpace(string(id)) + "@" + laddr[1],
		"CHAIN_ID": n.where.ChainID, "CHAIN_UID": n.where.UID.String(), "CLUSTER": n.where.Cluster.String(),
		"P2P": ports[0], "RPC": ports[1], "GRPC": ports[2], "GATEWAY": ports[3],
		"LISTEN": ports[4], "ENDPOINT": "http://" + ports[4], "PEER_LISTEN": ports[5], "PEER_URL": "http://" + ports[5],
		"PERIOD": n.where.TrustingPeriod,
	}
}

// send gives an account coins.
func (n *network) send(t *testing.T, to string, amount int64) {
	t.Helper()
	_, err := n.payer.Do(limit(t), tx.Options{}, &banktypes.MsgSend{
		FromAddress: n.payer.Address(), ToAddress: to,
		Amount: sdk.NewCoins(sdk.NewCoin(registrytypes.Denom, sdkmath.NewInt(amount))),
	})
	must(t, err)
}

// A machine joins a running network as the guide says: its node from the genesis and a peer's address, its worker into
// the cluster, whose early messages the chain has pruned, so that its state comes from a member. It answers rightly, and
// is gone from the keys when it leaves.
func TestJoinByHand(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	r := c.add(t, 5)
	n.settled(t, r, n.workers...)
	blocks := readGuide(t)
	home := filepath.Join(scratch, "by-hand")
	must(t, os.MkdirAll(home, 0o700))
	settings := n.settings(t, home)
	for _, line := range strings.Split(strings.TrimSpace(blocks[0].text), "\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if settings[name] == "" {
			t.Fatalf("the guide's setting %q is not the test's", name)
		}
	}
	env := []string{}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	n.awaitPruned(t)
	sh := startShell(t, home, env...)
	var worker sr25519.PublicKey
	for _, b := range blocks[1:] {
		switch b.kind {
		case "":
			out := sh.run(t, b.text)
			if strings.Contains(b.text, "keys show operator") {
				address := regexp.MustCompile(`phx1[a-z0-9]+`).FindString(out)
				n.send(t, address, 1_000_000)
			}
		case "authority":
			sh.run(t, strings.ReplaceAll(b.text, "phalanx cluster", "phalanx --home "+n.home+" cluster"))
		case "leave":
			// below
		default:
			t.Fatalf("the guide has a block of kind %q", b.kind)
		}
	}
	must(t, worker.UnmarshalText([]byte(strings.TrimSpace(sh.run(t, `echo "$WORKER"`)))))
	workers := append(append([]sr25519.PublicKey(nil), n.workers...), worker)
	c.sound(t, workers...)
	if log, err := os.ReadFile(filepath.Join(home, "relay.log")); err != nil || !bytes.Contains(log, []byte("state fetched")) {
		t.Fatalf("the state did not come from a member: %v\n%s", err, log)
	}
	n.queriedByCommandLine(t, sh, c, worker)
	n.leaves(t, sh, blocks, c, worker)
}

// awaitPruned waits until the chain does not give the cluster's first message any more.
func (n *network) awaitPruned(t *testing.T) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		first, err := n.kept(ctx)
		if err == nil && first == 0 {
			err = errors.New("the chain still keeps the topic's first message")
		}
		return err
	})
}

// queriedByCommandLine asks the new worker as the guide says.
func (n *network) queriedByCommandLine(t *testing.T, sh *shell, c *counter, worker sr25519.PublicKey) {
	t.Helper()
	file := filepath.Join(scratch, "counter.contract")
	must(t, os.WriteFile(file, examples.Counter, 0o600))
	out := sh.run(t, "phalanx keys add me > /dev/null; phalanx contract query "+c.id.String()+
		` get --from me --worker "$WORKER" $NETWORK --contract-file `+file+" -o json")
	var answer struct {
		Output json.RawMessage `json:"output"`
		Worker string          `json:"worker"`
	}
	must(t, json.Unmarshal([]byte(out), &answer))
	if string(answer.Output) != fmt.Sprint(c.value) || answer.Worker != worker.String() {
		t.Fatalf("the command line prints %s", out)
	}
}

// leaves removes the worker: the cluster goes on under a new key, which the worker does not get; commands to the old key
// are executed for a while.
func (n *network) leaves(t *testing.T, sh *shell, blocks []block, c *counter, worker sr25519.PublicKey) {
	t.Helper()
	before, err := n.client.Cluster(limit(t), n.where.Cluster)
	must(t, err)
	// A client whose clock stands still takes what it has proven for the newest for ever, and so the old key.
	frozen := time.Now()
	cfg := n.config()
	cfg.Now = func() time.Time { return frozen }
	late, err := client.Dial(limit(t), cfg)
	must(t, err)
	defer late.Close()
	request := c.request(t, c.owner, "inc")
	_, err = late.Command(limit(t), n.payer, request)
	must(t, err)
	c.value++
	for _, b := range blocks {
		if b.kind == "leave" {
			sh.run(t, strings.ReplaceAll(b.text, "phalanx cluster", "phalanx --home "+n.home+" cluster"))
		}
	}
	eventually(t, func(ctx context.Context) error {
		now, err := n.client.Cluster(ctx, n.where.Cluster)
		if err == nil && (now.Record.Fixed == nil || now.Record.Fixed.Epoch == before.Record.Fixed.Epoch) {
			err = errors.New("the new key is not fixed")
		}
		return err
	})
	now, err := n.client.Cluster(limit(t), n.where.Cluster)
	must(t, err)
	if now.Record.Fixed.Key == before.Record.Fixed.Key || len(now.Record.Members) != len(n.workers) {
		t.Fatalf("%d members, key %s", len(now.Record.Members), now.Record.Fixed.Key)
	}
	sent, err := late.Send(limit(t), n.payer, request)
	must(t, err)
	if got := n.posted(t, sent[0].Index); !bytes.Contains(got.Envelope, before.Record.Fixed.Key.Bytes()) {
		t.Fatal("the late command is not to the old key")
	}
	c.value++
	c.sound(t, n.workers...)
	eventually(t, func(ctx context.Context) error { // the worker has let go of the cluster
		phase, err := n.phase(ctx, worker)
		if err == nil && phase != nil {
			err = fmt.Errorf("the removed worker says %v", phase)
		}
		return err
	})
	_, _, err = c.ask(limit(t), worker, c.owner, "get")
	if err == nil {
		t.Fatal("the removed worker answers")
	}
	state, err := n.client.Worker(limit(t), worker)
	must(t, err)
	if len(state.Record.Clusters) != 0 || state.Record.Status != wire.WorkerActive {
		t.Fatalf("the removed worker is %s, of %d clusters", state.Record.Status, len(state.Record.Clusters))
	}
}
