package contract

import (
	"testing"

	"lukechampine.com/uint128"
)

// TestCallVersions: each version of call moves input, value and output.
func TestCallVersions(t *testing.T) {
	value := u128Bytes(uint128.From64(7))
	for name, s := range map[string]*script{
		"seal0": new(script).host("seal0", "call", parrot, 32, 0, value, 16, "hello", 5, outAt, sized(5)),
		"seal1": new(script).host("seal1", "call", 0, parrot, 0, value, "hello", 5, outAt, sized(5)),
		"seal2": new(script).host("seal2", "call", 0, parrot, 0, 0, sentinel, value, "hello", 5, outAt, sized(5)),
	} {
		w := newWorld(t)
		w.rich(10, alice)
		s.host("seal2", "set_storage", "k", 1, outAt, 5)
		requireEqual(t, name, w.codes(s), []int32{0, -1})
		kept, _ := w.value(alice, "k")
		requireEqual(t, name, kept, "hello")
		requireEqual(t, "money", w.storage.balances[parrot], uint128.From64(7))
	}
}
