package worker

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// nonceSize is the bytes of a nonce or height in a nonceSet.
const nonceSize = 8

// nonceSet is the highest nonces that a signing key has used in the cluster, as the state holds them: the height of the
// last command and the nonces, ascending, each a u64 in little-endian. It is read and changed in place, for every
// command touches one, of up to 8 KiB.
type nonceSet []byte

func (n nonceSet) height() uint64 { return binary.LittleEndian.Uint64(n) }

func (n nonceSet) len() int { return len(n)/nonceSize - 1 }

func (n nonceSet) at(i int) uint64 { return binary.LittleEndian.Uint64(n[nonceSize*(i+1):]) }

// idle reports whether the set is too old to matter at a height.
func (n nonceSet) idle(height uint64) bool { return n.height()+wire.NonceIdle < height }

// use returns the set with a nonce of a block in it, or reports that the rules of replay protection refuse the nonce
// (protocol section 4).
func (n nonceSet) use(nonce, height, millis uint64) (nonceSet, bool) {
	if len(n) == 0 || n.idle(height) {
		n = make(nonceSet, nonceSize)
	}
	count := n.len()
	at := sort.Search(count, func(i int) bool { return n.at(i) >= nonce })
	seen := at < count && n.at(at) == nonce
	full := count == wire.NonceWindow
	if seen || full && at == 0 || n.tooFar(nonce, millis) {
		return nil, false
	}
	place := nonceSize * (at + 1)
	n = slices.Insert(n, place, binary.LittleEndian.AppendUint64(nil, nonce)...)
	if full {
		n = slices.Delete(n, nonceSize, 2*nonceSize)
	}
	binary.LittleEndian.PutUint64(n, height)
	return n, true
}

// tooFar reports whether a nonce is above both what a counter and what a clock could have reached, so that no single
// command can lock an account out for ever.
func (n nonceSet) tooFar(nonce, millis uint64) bool {
	var highest uint64
	if count := n.len(); count > 0 {
		highest = n.at(count - 1)
	}
	return above(nonce, highest, wire.NonceAhead) && above(nonce, millis, wire.NonceClock)
}

// above reports whether v > base + margin, where the sum may be over 2⁶⁴.
func above(v, base, margin uint64) bool { return v > base && v-base > margin }

// useNonce applies the rules to the set in the state.
func useNonce(o *state.Overlay, from wire.Identity, nonce, height, millis uint64) (bool, error) {
	key := systemKey("n/", identityKey(from))
	held, ok := o.Get(systemID, key)
	if ok && (len(held) < nonceSize || len(held)%nonceSize != 0) {
		return false, fmt.Errorf("state entry %q of %d bytes", key[:2], len(held))
	}
	set, fresh := nonceSet(held).use(nonce, height, millis)
	if !fresh {
		return false, nil
	}
	return true, o.Set(systemID, key, set)
}

// dropIdleNonces removes sets of signing keys that have been idle for too long.
func dropIdleNonces(o *state.Overlay, height uint64) error {
	var idle [][]byte
	o.Ascend(systemID, []byte("n/"), func(key, value []byte) bool {
		if nonceSet(value).idle(height) {
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
