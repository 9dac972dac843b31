package worker

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/wire"
)

// The frontier's root is RFC 6962's over all leaves, at every size.
func TestFrontier(t *testing.T) {
	var f frontier
	var leaves []wire.Hash
	for i := range 300 {
		if f.root() != wire.ReceiptsRoot(leaves) || f.Count != uint64(len(leaves)) {
			t.Fatalf("root of %d leaves", len(leaves))
		}
		before := f
		root := f.root()
		leaf := wire.Hash{byte(i), byte(i >> 8), 1}
		f = f.add(leaf)
		before.add(wire.Hash{9}) // another branch
		if before.root() != root {
			t.Fatalf("adding leaf %d has changed the frontier before", i)
		}
		leaves = append(leaves, leaf)
	}
}

// The rules of a set of nonces: what was used is refused for ever, within the set and below it.
func TestNonceSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set nonceSet
		used := map[uint64]bool{}
		base := rapid.Uint64Range(0, 1<<40).Draw(t, "base")
		for i := range 1500 {
			nonce := base + uint64(i)*uint64(1+i%3)
			if i%5 == 0 {
				nonce = base + rapid.Uint64Range(0, 4000).Draw(t, "nonce")
			}
			if next, ok := set.use(nonce, 1, base+uint64(i)); ok {
				set = next
				if used[nonce] {
					t.Fatalf("nonce %d is taken twice", nonce)
				}
				used[nonce] = true
			}
			if set.len() > wire.NonceWindow {
				t.Fatal("the set is too long")
			}
		}
		for i := 1; i < set.len(); i++ {
			if set.at(i-1) >= set.at(i) {
				t.Fatal("the set is out of order")
			}
		}
	})
}

func TestTooFar(t *testing.T) {
	max := ^uint64(0)
	for _, c := range []struct {
		highest, millis, nonce uint64
		far                    bool
	}{
		{0, 0, wire.NonceAhead, false},
		{0, 0, wire.NonceClock, false}, // within the clock's bound
		{0, 0, wire.NonceClock + 1, true},
		{max - 5, 0, max, false},
		{5, max - 5, max, false},
		{5, 5, max, true},
		{wire.NonceClock, 0, wire.NonceClock + wire.NonceAhead, false},
		{wire.NonceClock, 0, wire.NonceClock + wire.NonceAhead + 1, true},
	} {
		set, _ := nonceSet(nil).use(c.highest, 1, c.highest)
		if got := set.tooFar(c.nonce, c.millis); got != c.far {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// What is remembered of queries is bounded, refuses what was seen, and is forgotten once it has expired.
func TestReplays(t *testing.T) {
	var r replays
	for i := range maxReplays {
		if err := r.add(wire.Hash{byte(i), byte(i >> 8), byte(i >> 16)}, uint64(i%2*100+10)); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := r.add(wire.Hash{1}, 5); err != ErrReplayed {
		t.Fatal(err)
	}
	if err := r.add(wire.Hash{0, 0, 0, 1}, 5); err != ErrBusy {
		t.Fatal(err)
	}
	r.prune(50)
	if err := r.add(wire.Hash{1}, 110); err != ErrReplayed { // its not_after is 110
		t.Fatal(err)
	}
	if err := r.add(wire.Hash{0, 0, 0, 1}, 60); err != nil {
		t.Fatal(err)
	}
}
