package light

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

// verifyNext decides whether b, which lies above the unexpired trusted block t, is the chain's.
func verifyNext(t, b *block, opts Options, now time.Time) error {
	if !b.header.Time.After(t.header.Time) {
		return fmt.Errorf("%w: its time is not after the trusted header's", ErrForged)
	}
	if err := notFuture(b, opts, now); err != nil {
		return err
	}
	if b.header.Height > t.header.Height+1 {
		return verifyCommit(b, t, opts.TrustLevel)
	}
	if b.header.ValidatorsHash != t.header.NextValidatorsHash {
		return fmt.Errorf("%w: validators are not those that the header before names", ErrForged)
	}
	return verifyCommit(b, nil, Fraction{})
}

// notFuture checks that b's time is before now plus the allowed drift.
func notFuture(b *block, opts Options, now time.Time) error {
	if b.header.Time.Before(now.Add(opts.MaxClockDrift)) {
		return nil
	}
	return fmt.Errorf("%w: its time is %s, now is %s", ErrFuture,
		b.header.Time.Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano))
}

// verifyCommit checks that more than two thirds of b's own validators signed it and, where t is given, that the
// signers hold more than level of the power of t's validators. A validator is known by its key, so that one signature
// serves both counts. Power is counted before any signature is checked: what cannot reach the thresholds costs
// nothing. Only as many signatures are checked as the thresholds need, in the order of the set.
func verifyCommit(b, t *block, level Fraction) error {
	needed, err := neededSignatures(b, t, level)
	if err != nil {
		return err
	}
	if len(needed) == 1 {
		return verifyOne(b, needed[0])
	}
	return verifyBatch(b, needed)
}

// neededSignatures returns the indices of the signatures that suffice if they are good.
func neededSignatures(b, t *block, level Fraction) ([]int, error) {
	var known map[[32]byte]int64 // power in t's set
	if t != nil {
		known = make(map[[32]byte]int64, len(t.validators))
		for _, v := range t.validators {
			known[v.key] = v.power
		}
	}
	var needed []int
	var own, shared int64
	enoughOwn, enoughShared := false, t == nil
	for i, v := range b.validators {
		sig := &b.commit.Signatures[i]
		if sig.BlockIdFlag == cmtproto.BlockIDFlagAbsent {
			continue
		}
		if !bytes.Equal(sig.ValidatorAddress, address(v.key)) {
			return nil, fmt.Errorf("%w: signature %d is under another validator's address", ErrForged, i)
		}
		useful := !enoughOwn || (!enoughShared && known[v.key] > 0)
		if sig.BlockIdFlag != cmtproto.BlockIDFlagCommit || !useful {
			continue
		}
		needed = append(needed, i)
		own += v.power
		shared += known[v.key]
		enoughOwn = exceeds(own, b.power, Fraction{2, 3})
		enoughShared = enoughShared || exceeds(shared, t.power, level)
	}
	if !enoughOwn {
		return nil, fmt.Errorf("%w: signed with power %d of %d, not more than two thirds", ErrForged, own, b.power)
	}
	if !enoughShared {
		return nil, fmt.Errorf("%w: trusted validators signed with power %d of %d, not more than %d/%d",
			ErrNeedIntermediate, shared, t.power, level.Num, level.Den)
	}
	return needed, nil
}

// exceeds reports whether part is more than the fraction f of whole, exactly.
func exceeds(part, whole int64, f Fraction) bool {
	hi, lo := bits.Mul64(uint64(part), f.Den)
	wantHi, wantLo := bits.Mul64(uint64(whole), f.Num)
	return hi > wantHi || (hi == wantHi && lo > wantLo)
}

// verifyOne checks one signature.
func verifyOne(b *block, i int) error {
	text, err := b.signBytes()(b.commit.Signatures[i].Timestamp)
	if err != nil {
		return fmt.Errorf("%w: signature %d: %w", ErrMalformed, i, err)
	}
	if !ed25519.PubKey(b.validators[i].key[:]).VerifySignature(text, b.commit.Signatures[i].Signature) {
		return fmt.Errorf("%w: signature %d is wrong", ErrForged, i)
	}
	return nil
}

// verifyBatch checks several signatures at once.
func verifyBatch(b *block, indices []int) error {
	batch := ed25519.NewBatchVerifier()
	signBytes := b.signBytes()
	for _, i := range indices {
		text, err := signBytes(b.commit.Signatures[i].Timestamp)
		if err == nil {
			err = batch.Add(ed25519.PubKey(b.validators[i].key[:]), text, b.commit.Signatures[i].Signature)
		}
		if err != nil {
			return fmt.Errorf("%w: signature %d: %w", ErrMalformed, i, err)
		}
	}
	ok, each := batch.Verify()
	if ok {
		return nil
	}
	for n, good := range each {
		if !good {
			return fmt.Errorf("%w: signature %d is wrong", ErrForged, indices[n])
		}
	}
	return errors.Join(ErrForged, errors.New("a signature is wrong"))
}
