package worker

import (
	"encoding/binary"
	"slices"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// nonceSet is the highest nonces that a signing key has used in the cluster, ascending.
type nonceSet struct {
	Height uint64 // of the last command
	Nonces []uint64
}

// Scale visits the fields in order.
func (n *nonceSet) Scale(c *scale.Codec) {
	c.U64(&n.Height)
	scale.Slice(c, &n.Nonces, wire.NonceWindow, func(v *uint64) { c.U64(v) })
}

// use records a nonce at a block, or reports that the rules of replay protection refuse it (protocol section 4).
func (n *nonceSet) use(nonce, height, millis uint64) bool {
	if n.Height+wire.NonceIdle < height {
		n.Nonces = nil
	}
	at, seen := slices.BinarySearch(n.Nonces, nonce)
	full := len(n.Nonces) == wire.NonceWindow
	if seen || full && at == 0 || n.tooFar(nonce, millis) {
		return false
	}
	n.Height = height
	n.Nonces = slices.Insert(n.Nonces, at, nonce)
	if len(n.Nonces) > wire.NonceWindow {
		n.Nonces = n.Nonces[1:]
	}
	return true
}

// tooFar reports whether a nonce is above both what a counter and what a clock could have reached, so that no single
// command can lock an account out for ever.
func (n *nonceSet) tooFar(nonce, millis uint64) bool {
	var highest uint64
	if len(n.Nonces) > 0 {
		highest = n.Nonces[len(n.Nonces)-1]
	}
	return above(nonce, highest, wire.NonceAhead) && above(nonce, millis, wire.NonceClock)
}

// above reports whether v > base + margin, where the sum may be over 2⁶⁴.
func above(v, base, margin uint64) bool { return v > base && v-base > margin }

// useNonce applies the rules to the set in the state.
func useNonce(o *state.Overlay, from wire.Identity, nonce, height, millis uint64) (bool, error) {
	key := systemKey("n/", identityKey(from))
	var set nonceSet
	if _, err := load(o, key, &set); err != nil {
		return false, err
	}
	if !set.use(nonce, height, millis) {
		return false, nil
	}
	return true, save(o, key, &set)
}

// dropIdleNonces removes the sets of signing keys that have been idle for too long.
func dropIdleNonces(o *state.Overlay, height uint64) error {
	var idle [][]byte
	o.Ascend(systemID, []byte("n/"), func(key, value []byte) bool {
		last := binary.LittleEndian.Uint64(value) // the set's first field
		if last+wire.NonceIdle < height {
			idle = append(idle, slices.Clone(key))
		}
		return len(idle) < maxIdleNonces
	})
	for _, key := range idle {
		if err := o.Delete(systemID, key); err != nil {
			return err
		}
	}
	return nil
}
