package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

// quorum is how many of 50 validators of equal power sign for more than two thirds.
const quorum = 34

// lightRows compares a header with the bare signatures that must be checked for it, and a proof with its hashing alone.
func lightRows(ctx context.Context, b *bench) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	text := make([]byte, 120)
	sig := ed25519.Sign(private, text)
	for _, set := range []struct{ validators, signatures int }{{1, 1}, {50, quorum}} {
		chain := lighttest.New(lighttest.Config{Validators: set.validators, EqualPower: true})
		start, err := light.New(chain.ChainID(), chain.Root(1), light.Options{TrustingPeriod: 24 * time.Hour, MaxClockDrift: time.Second})
		if err != nil {
			return err
		}
		if _, err := start.Verify(chain.Block(1), chain.Time(1)); err != nil {
			return err
		}
		raw, now := chain.Block(1000), chain.Time(1000)
		d, err := medians(ctx, b.samples(1000),
			step{"header", func(int) error {
				c := *start // each sample begins at block 1
				_, err := c.Verify(raw, now)
				return err
			}},
			step{"ed25519 verify", func(int) error { return holds(ed25519.Verify(public, text, sig)) }},
		)
		if err != nil {
			return err
		}
		b.add(fmt.Sprintf("header_%d", set.validators), micros(d[0]), "µs", micros(d[1])*float64(set.signatures))
	}
	return proofRow(ctx, b)
}

func proofRow(ctx context.Context, b *bench) error {
	records := map[string][]byte{}
	for i := range 10_000 {
		records[fmt.Sprintf("key %06d", i)] = []byte("0123456789012345678901234567890123456789")
	}
	small := map[string][]byte{"x": {1}}
	state := lighttest.NewState(map[string]map[string][]byte{
		"acc": small, "bank": small, "cluster": small, "gov": small, "mq": records, "registry": small, "staking": small, "slashing": small,
	})
	key := "key 005000"
	value, raw := state.Prove("mq", key)
	header := light.Header{Height: 2, AppHash: state.AppHash()}
	bare, err := decode(raw)
	if err != nil {
		return err
	}
	root, err := bare[0].Calculate()
	if err != nil {
		return err
	}
	d, err := medians(ctx, b.samples(2000),
		step{"proof", func(int) error { return light.VerifyMembership(header, "mq", []byte(key), value, raw) }},
		step{"ics23", func(int) error {
			inner := ics23.VerifyMembership(ics23.IavlSpec, root, bare[0], []byte(key), value)
			return holds(inner && ics23.VerifyMembership(ics23.TendermintSpec, header.AppHash[:], bare[1], []byte("mq"), root))
		}},
	)
	if err != nil {
		return err
	}
	b.add("proof", micros(d[0]), "µs", micros(d[1]))
	return nil
}

// decode returns the two commitment proofs of a multistore's proof.
func decode(raw []byte) ([]*ics23.CommitmentProof, error) {
	var ops cmtcrypto.ProofOps
	if err := ops.Unmarshal(raw); err != nil {
		return nil, err
	}
	var out []*ics23.CommitmentProof
	for _, op := range ops.Ops {
		p := new(ics23.CommitmentProof)
		if err := p.Unmarshal(op.Data); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
