package lighttest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

// The fuzz targets of package light are here because its own tests link CometBFT's databases and the SDK's store, all of
// which a fuzz run would compile anew, instrumented.

var policy = light.Options{TrustingPeriod: 24 * time.Hour, MaxClockDrift: 5 * time.Second}

// at is a client that has followed the chain from block 1 to the block at height, whose set is block 1's.
func at(t testing.TB, chain *lighttest.Chain, height uint64) *light.Client {
	t.Helper()
	c, err := light.New(chain.ChainID(), chain.Root(1), policy)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []uint64{1, height} {
		if _, err := c.Verify(chain.Block(h), chain.Time(height)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// FuzzVerify looks for panics, and for a header that is not the chain's.
func FuzzVerify(f *testing.F) {
	chain := lighttest.New(lighttest.Config{Validators: 4, RotateEvery: 4, EqualPower: true, Absent: 1})
	for _, h := range []uint64{1, 4, 5, 6} {
		f.Add(chain.Block(h))
	}
	for _, forged := range []lighttest.Forgery{{WrongSigner: true}, {ReplaceSet: true}, {SwapSet: true}, {Signers: 1}} {
		f.Add(chain.Forge(5, forged))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := at(t, chain, 4)
		h, err := c.Verify(raw, chain.Time(20))
		var refused *light.VerifyError
		switch {
		case err != nil && !errors.As(err, &refused):
			t.Fatalf("untyped: %v", err)
		case err == nil && h != chain.Header(h.Height):
			t.Fatalf("false header %+v", h)
		}
	})
}

// FuzzProof looks for panics, and for a false statement that is believed.
func FuzzProof(f *testing.F) {
	content := map[string]map[string][]byte{
		"mq": {"b": []byte("1"), "d": []byte("2"), "f": []byte("3"), "h": []byte("4"), "z": []byte("5")}, "empty": {}, "one": {"d": []byte("2")},
	}
	state := lighttest.NewState(content)
	h := light.Header{Height: 3, AppHash: state.AppHash()}
	for store := range content {
		for _, key := range []string{"a", "d", "e", "zz"} {
			_, proof := state.Prove(store, key)
			f.Add(store, key, proof)
		}
	}
	f.Fuzz(func(t *testing.T, store, key string, proof []byte) {
		if light.VerifyMembership(h, store, []byte(key), []byte("false"), proof) == nil {
			t.Fatal("a false value was believed")
		}
		if light.VerifyAbsence(h, store, []byte(key), proof) != nil {
			return
		}
		pairs, ok := content[store]
		if _, present := pairs[key]; present || !ok {
			t.Fatal("a false absence was believed")
		}
	})
}

// FuzzRestore looks for panics, for a state that does not encode to itself, and for one that holds a false header.
func FuzzRestore(f *testing.F) {
	chain := lighttest.New(lighttest.Config{Validators: 2, EqualPower: true})
	fresh, err := light.New(chain.ChainID(), chain.Root(1), policy)
	if err != nil {
		f.Fatal(err)
	}
	followed := at(f, chain, 9)
	for _, c := range []*light.Client{fresh, at(f, chain, 1), followed} {
		state, err := c.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		c, err := light.Restore(chain.ChainID(), chain.Root(1), policy, state)
		if err != nil {
			if !errors.Is(err, light.ErrState) {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		again, err := c.Marshal()
		if err != nil || string(again) != string(state) {
			t.Fatalf("another encoding: %v", err)
		}
		if h, ok := c.Latest(); ok && h != chain.Header(h.Height) {
			t.Fatalf("false header %+v", h)
		}
	})
}
