package light_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

// BenchmarkVerify times one header: the next one, and one 100,000 blocks ahead.
func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{1, 50} {
		chain := lighttest.New(lighttest.Config{Validators: n, BlockTime: time.Millisecond})
		trusted := at(b, chain, 1)
		for name, height := range map[string]uint64{"adjacent": 2, "skip_100000": 100_001} {
			raw, now := chain.Block(height), chain.Time(height)
			b.Run(fmt.Sprintf("%s_%d_validators", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c := *trusted // so that each round starts at height 1
					if _, err := c.Verify(raw, now); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkCatchUp times the whole way from nothing to height 100,000: the root, then as far as a skip reaches; blocks
// that are refused, after which the relay halves the distance, count. Blocks are made outside the timing.
func BenchmarkCatchUp(b *testing.B) {
	for _, cfg := range []lighttest.Config{{}, {Validators: 50}, {Validators: 50, RotateEvery: 1000}} {
		cfg.BlockTime = time.Millisecond
		chain := lighttest.New(cfg)
		made := map[uint64][]byte{}
		blocks := func(height uint64) []byte {
			if made[height] == nil {
				made[height] = chain.Block(height)
			}
			return made[height]
		}
		follow := func(b *testing.B) int {
			c, err := light.New(chain.ChainID(), chain.Root(1), policy)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Verify(blocks(1), chain.Time(1)); err != nil {
				b.Fatal(err)
			}
			return 1 + send(b, c, blocks, chain.Time(100_000), 100_000)
		}
		headers := follow(b)
		b.Run(fmt.Sprintf("%d_validators_rotate_%d", max(cfg.Validators, 1), cfg.RotateEvery), func(b *testing.B) {
			for b.Loop() {
				follow(b)
			}
			b.ReportMetric(float64(headers), "headers")
		})
	}
}

// BenchmarkProof times one proof in stores of 10,000 keys each.
func BenchmarkProof(b *testing.B) {
	names := []string{"acc", "bank", "staking", "gov", "mq", "registry", "cluster", "slashing"}
	m := newMultistore(b, names...)
	for i := range 10_000 {
		m.set("mq", fmt.Sprintf("key %06d", i*2), "0123456789012345678901234567890123456789")
	}
	for _, name := range names {
		m.set(name, "x", "y")
	}
	h := m.commit()
	b.Run("membership", func(b *testing.B) {
		value, proof := m.query("mq", "key 005000", 1)
		b.ReportAllocs()
		for b.Loop() {
			if err := light.VerifyMembership(h, "mq", []byte("key 005000"), value, proof); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("absence", func(b *testing.B) {
		_, proof := m.query("mq", "key 005001", 1)
		b.ReportAllocs()
		for b.Loop() {
			if err := light.VerifyAbsence(h, "mq", []byte("key 005001"), proof); err != nil {
				b.Fatal(err)
			}
		}
	})
}
