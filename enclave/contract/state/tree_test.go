package state

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"lukechampine.com/blake3"
	"pgregory.net/rapid"
)

// naiveRoot computes the root by the words of the package comment, sharing nothing with the code under test.
func naiveRoot(key []byte, entries [][3][]byte) [32]byte {
	var lanes [1024]uint16
	add := func(msg []byte) {
		mac := hmac.New(sha256.New, key)
		mac.Write(msg)
		h := blake3.New(32, nil)
		h.Write(mac.Sum(nil))
		out := make([]byte, 2048)
		h.XOF().Read(out)
		for i := range lanes {
			lanes[i] += binary.LittleEndian.Uint16(out[2*i:])
		}
	}
	add([]byte("phalanx/state-empty/v1"))
	compact := func(n int) []byte {
		if n < 64 {
			return []byte{byte(n << 2)}
		}
		return binary.LittleEndian.AppendUint16(nil, uint16(n<<2)|1)
	}
	for _, e := range entries {
		add(slices.Concat(e[0], compact(len(e[1])), e[1], compact(len(e[2])), e[2]))
	}
	b := []byte("phalanx/state-root/v1")
	for _, l := range lanes {
		b = binary.LittleEndian.AppendUint16(b, l)
	}
	return sha256.Sum256(b)
}

func treeOf(t testing.TB, entries [][3][]byte) *Tree {
	t.Helper()
	tree, err := NewTree(1, testKey(0x81), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		o := NewOverlay(tree.View())
		if err := o.Set([32]byte(e[0]), e[1], e[2]); err != nil {
			t.Fatal(err)
		}
		if err := tree.Apply(uint64(i+1), o.WriteSet()); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// DO NOT CHANGE: a root that differs from these splits a network.
func TestRootVectors(t *testing.T) {
	c1, c2 := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	three := [][3][]byte{
		{c1, []byte("a"), []byte("one")}, {c1, []byte{}, []byte{}}, {c2, []byte("a"), bytes.Repeat([]byte{7}, 300)},
	}
	for _, x := range []struct {
		name    string
		entries [][3][]byte
		want    string
	}{
		{"empty", nil, "61d2963b4ebf8467d027e6519e045e0ac959dc80aeabbf9a511af2a72441b128"},
		{"one", three[:1], "b6f2848d3d8773198c1b2c897b3fa8b77b0a4e7feacb221fb5910abfd98e50c1"},
		{"three", three, "0e328f17a8c0bcf104d37c3e74f1df285bcf71a50e504d6ca5fe55317cc1332c"},
	} {
		got := treeOf(t, x.entries).View().Root()
		if naive := naiveRoot(testKey(0x81), x.entries); got != naive {
			t.Errorf("%s: root %x, by definition %x", x.name, got, naive)
		}
		if hex.EncodeToString(got[:]) != x.want {
			t.Errorf("%s: root %x, want %s", x.name, got, x.want)
		}
	}
}

// Neither the boundary between key and value, nor that between contract and key, may move unseen.
func TestRootSeparates(t *testing.T) {
	c := make([]byte, 32)
	roots := map[[32]byte]bool{}
	sets := [][][3][]byte{
		nil,
		{{c, []byte("ab"), []byte("c")}}, {{c, []byte("a"), []byte("bc")}}, {{c, []byte("abc"), nil}}, {{c, nil, []byte("abc")}},
		{{c, []byte("a"), nil}, {c, []byte("b"), nil}}, {{c, []byte("a"), []byte("x")}, {c, []byte("b"), []byte("y")}},
		{{c, []byte("a"), []byte("y")}, {c, []byte("b"), []byte("x")}},
	}
	for _, s := range sets {
		roots[treeOf(t, s).View().Root()] = true
	}
	other, err := NewTree(2, testKey(0x82), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	roots[other.View().Root()] = true // even emptiness shows to nobody without the key
	if len(roots) != len(sets)+1 {
		t.Fatalf("%d roots of %d contents", len(roots), len(sets)+1)
	}
}

func TestLanes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var a, b lattice
		var x, y [1024]uint16
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		for i := range x {
			x[i], y[i] = uint16(r.Uint32()), uint16(r.Uint32())
			if r.IntN(4) == 0 {
				x[i], y[i] = 0xffff, 1
			}
			a[i/4] |= uint64(x[i]) << (16 * (i % 4))
			b[i/4] |= uint64(y[i]) << (16 * (i % 4))
		}
		sum, diff := a, a
		sum.add(&b)
		diff.sub(&b)
		for i := range x {
			if uint16(sum[i/4]>>(16*(i%4))) != x[i]+y[i] || uint16(diff[i/4]>>(16*(i%4))) != x[i]-y[i] {
				rt.Fatalf("lane %d", i)
			}
		}
	})
}

// The root depends on the content alone: random histories with nested, dropped and committed overlays end where a tree
// built from nothing ends; older views stay as they were.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		tree, _ := NewTree(1, testKey(0x81), Limits{})
		m := model{}
		type past struct {
			v *View
			m model
		}
		var pasts []past
		for count := uint64(1); count <= 12; count++ {
			o := NewOverlay(tree.View())
			step(t, r, o, m, 40)
			dropped := o.Begin()
			step(t, r, dropped, m.clone(), 40)
			kept := o.Begin()
			step(t, r, kept, m, 40)
			step(t, r, kept.Begin(), m.clone(), 40)
			if err := kept.Commit(); err != nil {
				rt.Fatal(err)
			}
			if err := dropped.Commit(); !errors.Is(err, ErrReverted) {
				rt.Fatalf("dropped overlay commits: %v", err)
			}
			size := o.Size()
			if err := tree.Apply(count, o.WriteSet()); err != nil {
				rt.Fatal(err)
			}
			if tree.View().Size() != size {
				rt.Fatalf("overlay told size %d, tree %d", size, tree.View().Size())
			}
			pasts = append(pasts, past{tree.View(), m.clone()})
		}
		for _, p := range pasts {
			sameAs(t, p.v, p.m)
		}
	})
}

func TestSetThenDeleteIsIdentity(t *testing.T) {
	tree := treeOf(t, [][3][]byte{{make([]byte, 32), []byte("stays"), []byte("v")}})
	before := tree.View()
	o := NewOverlay(before)
	if err := o.Set(contractOf(9), []byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := tree.Apply(10, o.WriteSet()); err != nil {
		t.Fatal(err)
	}
	if tree.View().Root() == before.Root() {
		t.Fatal("a write leaves the root")
	}
	o = NewOverlay(tree.View())
	if err := o.Delete(contractOf(9), []byte("k")); err != nil {
		t.Fatal(err)
	}
	if err := tree.Apply(11, o.WriteSet()); err != nil {
		t.Fatal(err)
	}
	if tree.View().Root() != before.Root() || tree.View().Size() != before.Size() {
		t.Fatal("set then delete leaves a trace")
	}
}

func TestApplyRefuses(t *testing.T) {
	tree := treeOf(t, [][3][]byte{{make([]byte, 32), []byte("a"), []byte("v")}})
	stale := NewOverlay(tree.View())
	if err := stale.Set(contractOf(1), []byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := tree.Apply(1, stale.WriteSet()); !errors.Is(err, ErrCount) {
		t.Errorf("same count: %v", err)
	}
	if err := tree.Apply(2, stale.WriteSet()); err != nil {
		t.Fatal(err)
	}
	if err := tree.Apply(3, stale.WriteSet()); !errors.Is(err, ErrStale) {
		t.Errorf("stale write set: %v", err)
	}
	o := NewOverlay(tree.View())
	if err := o.Set(contractOf(1), make([]byte, 257), nil); !errors.Is(err, ErrBound) {
		t.Errorf("long key: %v", err)
	}
	if err := o.Set(contractOf(1), nil, make([]byte, 1<<20+1)); !errors.Is(err, ErrBound) {
		t.Errorf("long value: %v", err)
	}
	if err := o.Commit(); !errors.Is(err, ErrReverted) {
		t.Errorf("commit without parent: %v", err)
	}
	child := o.Begin()
	if err := o.Set(contractOf(1), nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := child.Set(contractOf(1), nil, nil); !errors.Is(err, ErrReverted) {
		t.Errorf("write to a reverted child: %v", err)
	}
	child = o.Begin()
	grandchild := child.Begin()
	if err := child.Commit(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"twice": child.Commit(), "after parent": grandchild.Commit()} {
		if !errors.Is(err, ErrReverted) {
			t.Errorf("commit %s: %v", name, err)
		}
	}
}

func TestCallersCannotReachIn(t *testing.T) {
	value := []byte("value")
	tree := treeOf(t, [][3][]byte{{make([]byte, 32), []byte("k"), value}})
	value[0] = 'X'
	got, _ := tree.View().Get(contractOf(0), []byte("k"))
	got[1] = 'X'
	tree.View().Ascend(contractOf(0), nil, func(key, value []byte) bool { key[0], value[0] = 'X', 'X'; return true })
	if again, ok := tree.View().Get(contractOf(0), []byte("k")); !ok || string(again) != "value" {
		t.Fatalf("value changed from outside: %q", again)
	}
}

func TestAscend(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		tree, _ := NewTree(1, testKey(0x81), Limits{})
		m := model{}
		o := NewOverlay(tree.View())
		step(t, r, o, m, 9)
		step(t, r, o, m, 9)
		if err := tree.Apply(1, o.WriteSet()); err != nil {
			rt.Fatal(err)
		}
		o = NewOverlay(tree.View())
		step(t, r, o, m, 9)
		o = o.Begin()
		step(t, r, o, m, 9)
		for c := range byte(3) {
			for _, prefix := range []string{"", "k", "k1", "k29", "z"} {
				var want, got []string
				for path, value := range m {
					if strings.HasPrefix(path, pathOf(contractOf(c), []byte(prefix))) {
						want = append(want, path[32:]+"="+value)
					}
				}
				slices.SortFunc(want, func(a, b string) int {
					return strings.Compare(a[:strings.Index(a, "=")], b[:strings.Index(b, "=")])
				})
				stop := r.IntN(5) + 1
				want = want[:min(stop, len(want))]
				o.Ascend(contractOf(c), []byte(prefix), func(key, value []byte) bool {
					got = append(got, string(key)+"="+string(value))
					return len(got) < stop
				})
				if !slices.Equal(got, want) {
					rt.Fatalf("contract %d prefix %q: %q, want %q", c, prefix, got, want)
				}
			}
		}
	})
}

func TestRehashBesideExecution(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	tree, _ := NewTree(1, testKey(0x81), Limits{})
	m := model{}
	count := uint64(0)
	advance := func(rehash *Rehash) error {
		o := NewOverlay(tree.View())
		step(t, r, o, m, 50)
		count++
		if rehash != nil {
			return tree.ApplyRehashed(count, o.WriteSet(), rehash)
		}
		return tree.Apply(count, o.WriteSet())
	}
	for range 50 {
		if err := advance(nil); err != nil {
			t.Fatal(err)
		}
	}
	given, err := tree.BeginRehash(3, testKey(0x83))
	if err != nil {
		t.Fatal(err)
	}
	rehash, err := tree.BeginRehash(2, testKey(0x82))
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.ApplyRehashed(count+1, WriteSet{}, rehash); !errors.Is(err, ErrStale) {
		t.Fatalf("unfinished rehash: %v", err)
	}
	var wg sync.WaitGroup
	for _, x := range []*Rehash{given, rehash} {
		wg.Go(func() {
			if err := x.Run(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	for range 50 {
		if err := advance(nil); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if err := tree.ApplyRehashed(count+1, WriteSet{}, given); !errors.Is(err, ErrStale) {
		t.Fatalf("given up rehash: %v", err)
	}
	if err := advance(rehash); err != nil {
		t.Fatal(err)
	}
	if tree.View().RootEpoch() != 2 {
		t.Fatalf("root under epoch %d", tree.View().RootEpoch())
	}
	sameAs(t, tree.View(), m)
	if err := advance(nil); err != nil {
		t.Fatal(err)
	}
	sameAs(t, tree.View(), m)
	if err := tree.ApplyRehashed(count+1, WriteSet{}, rehash); !errors.Is(err, ErrStale) {
		t.Fatalf("rehash twice: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	big := Rehash{view: manyEntries(t, 3000).View(), runner: newHasher(1, testKey(1))}
	if err := big.Run(ctx); !errors.Is(err, context.Canceled) || big.Done() {
		t.Fatalf("cancelled rehash: %v", err)
	}
}

func TestReadersBesideWriter(t *testing.T) {
	tree := manyEntries(t, 500)
	v := tree.View()
	root := v.Root()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range 2000 {
				if _, ok := v.Get(contractOf(0), fmt.Appendf(nil, "%08d", i%500)); !ok {
					t.Error("entry is gone from an old view")
					return
				}
			}
			h := newHasher(1, testKey(0x81))
			if sum, _ := h.sumOf(context.Background(), v.m); sum.root() != root {
				t.Error("old view changed")
			}
		})
	}
	for i := range 300 {
		o := NewOverlay(tree.View())
		if err := o.Delete(contractOf(0), fmt.Appendf(nil, "%08d", i)); err != nil {
			t.Fatal(err)
		}
		if err := o.Set(contractOf(1), fmt.Appendf(nil, "%08d", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := tree.Apply(uint64(i+2), o.WriteSet()); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

func manyEntries(t testing.TB, n int) *Tree {
	t.Helper()
	tree, err := NewTree(1, testKey(0x81), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	o := NewOverlay(tree.View())
	for i := range n {
		if err := o.Set(contractOf(0), fmt.Appendf(nil, "%08d", i), []byte("sixty-four bytes of value, more or less, as a balance would have")); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Apply(1, o.WriteSet()); err != nil {
		t.Fatal(err)
	}
	return tree
}

// Nothing of the content, and no key, may reach a log by a careless %v.
func TestNothingPrints(t *testing.T) {
	const secret = "topsecretvalue"
	tree := treeOf(t, [][3][]byte{{make([]byte, 32), []byte(secret), []byte(secret)}})
	o := NewOverlay(tree.View())
	if err := o.Set(contractOf(0), []byte("k"), []byte(secret)); err != nil {
		t.Fatal(err)
	}
	rehash, _ := tree.BeginRehash(2, []byte(secret+secret+"1234"))
	s := mustOpen(t, newDisk(), 1)
	defer s.Close()
	for _, x := range []any{tree, tree.View(), o, o.WriteSet(), rehash, s} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			got := fmt.Sprintf(verb, x)
			if strings.Contains(got, secret) || strings.Contains(got, hex.EncodeToString([]byte(secret))) || len(got) > 60 {
				t.Errorf("%T prints with %s: %q", x, verb, got)
			}
		}
	}
}
