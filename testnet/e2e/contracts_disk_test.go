package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/wire"
)

// compiledFiles are a worker's files of compiled code, by path, with the time of their last change.
func (n *network) compiledFiles(t testing.TB, worker int) map[string]time.Time {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(n.where.Workers[worker].Home, "clusters", "*.code", "*.compiled"))
	must(t, err)
	out := map[string]time.Time{}
	for _, path := range found {
		info, err := os.Stat(path)
		must(t, err)
		out[path] = info.ModTime()
	}
	return out
}

// marked is a bundle's code with a section that does nothing, so that no worker has seen it.
func marked(t testing.TB, bundle []byte) (*abi.Contract, []byte) {
	t.Helper()
	code, err := abi.Parse(bundle)
	must(t, err)
	section := append([]byte{0, 17, 16}, make([]byte, 16)...) // a custom section with a name of 16 letters
	for i := range section[3:] {
		var b [1]byte
		_, err := rand.Read(b[:])
		must(t, err)
		section[3+i] = 'a' + b[0]%16
	}
	return code, append(slices.Clone(code.Wasm()), section...)
}

// looksEncrypted reports whether all bytes are about as frequent in b, as they are not in code of any kind.
func looksEncrypted(b []byte) bool {
	var count [256]int
	for _, x := range b {
		count[x]++
	}
	return slices.Max(count[:]) < 2*len(b)/256
}

// Compiled code is kept on a worker's disk, unreadable there, and found again when the worker starts anew; a file that was
// changed is not taken, and made again.
func TestCompiledCodeIsKept(t *testing.T) {
	n := sharedNetwork(t)
	owner := client.Of(person(t))
	x := &deployed{net: n}
	var wasm []byte
	x.code, wasm = marked(t, fixture(t, "callee5"))
	m, err := x.code.Constructor("new")
	must(t, err)
	input, err := x.code.EncodeCall(m, []string{"10"})
	must(t, err)
	before := n.compiledFiles(t, 1)
	made, err := n.client.Deploy(limit(t), n.payer, client.Deployment{Cluster: n.where.Cluster, From: owner, Code: wasm, Input: input})
	must(t, err)
	x.id = made.Contract
	x.want(t, owner, "get", "10", n.workers...)

	var path string
	var since time.Time
	eventually(t, func(context.Context) error {
		for p, at := range n.compiledFiles(t, 1) {
			if _, old := before[p]; !old {
				path, since = p, at
				return nil
			}
		}
		return errors.New("there is no file of the new code")
	})
	kept, err := os.ReadFile(path)
	must(t, err)
	if len(kept) < 64<<10 {
		t.Fatalf("the file has %d bytes", len(kept))
	}
	if looksEncrypted(wasm) {
		t.Fatal("the test takes WebAssembly for encrypted")
	}
	if !looksEncrypted(kept) {
		t.Fatal("the file can be read")
	}
	for _, plain := range [][]byte{[]byte("\x00asm"), []byte("WAZERO"), []byte("callee5"), wasm[len(wasm)-16:], made.CodeHash[:]} {
		if bytes.Contains(kept, plain) || bytes.Contains([]byte(path), plain) {
			t.Fatalf("the file has %q", plain)
		}
	}

	n.kill(t, "worker-1")
	n.restart(t, "worker-1")
	x.want(t, owner, "get", "10", n.workers[1])
	if now := n.compiledFiles(t, 1)[path]; !now.Equal(since) {
		t.Fatalf("the code was compiled again: the file is of %s, it was of %s", now, since)
	}
	n.kill(t, "worker-1")
	kept[len(kept)/2] ^= 1
	must(t, os.WriteFile(path, kept, 0o600))
	n.restart(t, "worker-1")
	x.want(t, owner, "get", "10", n.workers[1])
	eventually(t, func(context.Context) error {
		now, err := os.ReadFile(path)
		if err == nil && bytes.Equal(now, kept) {
			err = errors.New("the changed file is still there")
		}
		return err
	})
	r, _ := x.call(t, owner, "add", "1")
	n.settled(t, r, n.workers...)
}

// A worker that is killed within nested calls, or loses its state with the contracts that contracts made, has what the
// other has afterwards.
func TestKilledInNestedCalls(t *testing.T) {
	n := sharedNetwork(t)
	p := n.pair(t)
	child := p.made(t, 0)
	value := 0
	request := p.caller.request(t, p.owner, "call_and_go_on", child.id.String(), "1")
	for _, lose := range []bool{false, true} {
		stop := n.load(t, "alice", request)
		time.Sleep(700 * time.Millisecond)
		n.kill(t, "worker-1")
		if lose {
			must(t, os.RemoveAll(filepath.Join(n.where.Workers[1].Home, "clusters")))
		}
		n.restart(t, "worker-1")
		time.Sleep(300 * time.Millisecond)
		value += stop()
		n.awaitRunning(t, n.workers[1])
		r, said := child.call(t, p.owner, "add", "1") // the receipt makes the client want answers that stand on all of them
		value++
		same(t, "the sum", said, `{"Ok":`+strconv.Itoa(value)+`}`)
		child.want(t, p.owner, "get", strconv.Itoa(value), n.workers...)
		n.settled(t, r, n.workers...)
	}
	now, err := n.client.ContractCode(limit(t), n.where.Cluster, child.id, p.owner)
	must(t, err)
	same(t, "the child's code", now.Code, wire.NewCodeHash(p.callee.code.Wasm()))
}
