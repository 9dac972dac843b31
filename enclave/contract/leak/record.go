package leak

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract"
)

// MaxSteps is how many host calls and storage accesses of a call are compared; those beyond are not.
const MaxSteps = 1 << 16

// step is a host call, or an access to the state that one makes.
type step struct {
	contract [32]byte // that makes the host call, or whose entry it is
	what     string   // the host function, as "seal1.get_storage"; or what is done with the state
	access   bool     // of the state
	key      []byte   // of an access
	size     int      // of the value that is found or written; absent where there is none
	during   int      // of an access: its host call's place among the steps
}

const absent = -1

// at says whether two steps are of one place: size apart.
func (s *step) at(o *step) bool {
	return s.contract == o.contract && s.what == o.what && bytes.Equal(s.key, o.key)
}

// words describes a step by numbers and hex alone. Keys are bounded by the engine's limits.
func (s *step) words() string {
	text := s.what
	if s.access {
		text += " 0x" + hex.EncodeToString(s.key)
	}
	if s.contract != self {
		text += fmt.Sprintf(" of contract 0x%x…", s.contract[:8])
	}
	return text
}

// recorder is a state that notes how it is used.
type recorder struct {
	*contract.MapStorage
	off   bool
	steps []step
	host  int // the place of the host call under way
	cut   bool
}

func (r *recorder) add(s step) {
	if r.off {
		return
	}
	if len(r.steps) == MaxSteps {
		r.cut = true
		return
	}
	if !s.access {
		r.host = len(r.steps)
	}
	s.during = r.host
	r.steps = append(r.steps, s)
}

func (r *recorder) hostCall(who [32]byte, function string) {
	r.add(step{contract: who, what: function, size: absent})
}

// touch notes an access to the state; key says what of it.
func (r *recorder) touch(what string, who [32]byte, key []byte, size int) {
	r.add(step{contract: who, what: what, access: true, key: bytes.Clone(key), size: size})
}

// Get implements [contract.Storage].
func (r *recorder) Get(who [32]byte, key []byte) ([]byte, bool) {
	value, ok := r.MapStorage.Get(who, key)
	size := absent
	if ok {
		size = len(value)
	}
	r.entry("read", who, key, size)
	return value, ok
}

// spaces names the key spaces that are not the usual one, by the first byte of the keys that [contract.Storage] sees.
var spaces = map[byte]string{'f': " fixed", 'd': " lock"}

// entry notes an access to an entry of a contract.
func (r *recorder) entry(what string, who [32]byte, key []byte, size int) {
	r.touch(what+spaces[key[0]], who, key[1:], size)
}

// Set implements [contract.Storage].
func (r *recorder) Set(who [32]byte, key, value []byte) {
	r.entry("write", who, key, len(value))
	r.MapStorage.Set(who, key, value)
}

// Delete implements [contract.Storage].
func (r *recorder) Delete(who [32]byte, key []byte) {
	r.entry("delete", who, key, absent)
	r.MapStorage.Delete(who, key)
}

// Balance implements [contract.Storage].
func (r *recorder) Balance(account [32]byte) uint128.Uint128 {
	r.touch("balance of", self, account[:], absent)
	return r.MapStorage.Balance(account)
}

// Transfer implements [contract.Storage].
func (r *recorder) Transfer(from, to [32]byte, amount uint128.Uint128) error {
	r.touch("pay", self, to[:], absent)
	return r.MapStorage.Transfer(from, to, amount)
}

// CodeHash implements [contract.Storage].
func (r *recorder) CodeHash(account [32]byte) ([32]byte, bool) {
	r.touch("look up contract", self, account[:], absent)
	return r.MapStorage.CodeHash(account)
}

// SetCodeHash implements [contract.Storage].
func (r *recorder) SetCodeHash(who, hash [32]byte) {
	r.touch("set code", who, hash[:], absent)
	r.MapStorage.SetCodeHash(who, hash)
}

// HasCode implements [contract.Storage].
func (r *recorder) HasCode(hash [32]byte) bool {
	r.touch("look up code", self, hash[:], absent)
	return r.MapStorage.HasCode(hash)
}

// Create implements [contract.Storage].
func (r *recorder) Create(deployer, hash [32]byte, input, salt []byte) ([32]byte, error) {
	id, err := r.MapStorage.Create(deployer, hash, input, salt)
	r.touch("create contract", deployer, id[:], absent)
	return id, err
}

// Terminate implements [contract.Storage].
func (r *recorder) Terminate(who [32]byte) {
	r.touch("terminate", who, who[:], absent)
	r.MapStorage.Terminate(who)
}

var _ contract.Storage = (*recorder)(nil)
