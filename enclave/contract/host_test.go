package contract

import (
	"encoding/hex"
	"strings"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// Layout of the memory that probe contracts use.
const (
	atKey  = 0    // 32 bytes of key
	atText = 64   // "hello"
	atSize = 256  // u32 length of the buffer
	atOut  = 512  // buffer
	atCode = 4096 // results of host functions, in order
)

// probe builds a contract that calls host functions in order, stores their results behind each other at atCode and
// returns size bytes from ptr.
type probe struct {
	m    *asm.Module
	code [][]byte
	n    uint32
}

func newProbe(data string) *probe {
	p := &probe{m: new(asm.Module)}
	p.m.ImportMemory(2, 16)
	p.m.Data(atKey, []byte("01234567890123456789012345678901"))
	p.m.Data(atText, []byte("hello"))
	p.m.Data(atSize, []byte{0, 4, 0, 0}) // 1,024 bytes
	if data != "" {
		p.m.Data(128, []byte(data))
	}
	return p
}

func (p *probe) call(module, name string, args ...int32) *probe {
	code := hostCall(p.m, module, name, args...)[0]
	for i := range hostFunctions {
		if h := &hostFunctions[i]; h.module == module && h.name == name && h.result == 'i' {
			code = asm.Cat(asm.I32(int32(atCode+4*p.n)), code[:len(code)-1], asm.Store(0)) // store instead of drop
			p.n++
		}
	}
	p.code = append(p.code, code)
	return p
}

// again makes the buffer's length 1,024 once more.
func (p *probe) again() *probe {
	p.code = append(p.code, asm.Cat(asm.I32(atSize), asm.I32(1024), asm.Store(0)))
	return p
}

func (p *probe) run(t *testing.T, call Call, storage *MapStorage, ptr, n int32) Outcome {
	t.Helper()
	p.code = append(p.code, returning(p.m)(0, ptr, n))
	f := p.m.Func("", "", "", p.code...)
	p.m.Entry(f, f)
	out := runBoth(t, DefaultLimits(), p.m.Bytes(), call, storage)
	if out.Status != Done {
		t.Fatalf("%s: %s", out.Status, out.Reason)
	}
	return out
}

// TestFacts pins what each function that gives a fact about the call writes: the bytes and their length.
func TestFacts(t *testing.T) {
	call := sampleCall(plenty)
	call.Input = []byte{0xca, 0xfe}
	call.Height = 0x01020304
	repeat := func(s string) string { return strings.Repeat(s, 32) }
	facts := []struct {
		name string
		args []int32
		want string
	}{
		{"input", nil, "cafe"},
		{"caller", nil, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
		{"address", nil, repeat("c0")},
		{"own_code_hash", nil, repeat("cd")},
		{"value_transferred", nil, "05000000000000000000000000000000"},
		{"balance", nil, "ffffffffffffffff0200000000000000"},
		{"minimum_balance", nil, "00000000000000000000000000000000"},
		{"now", nil, "7b68e5cf8b010000"},
		{"block_number", nil, "04030201"},
		{"weight_to_fee", []int32{1000}, "00000000000000000000000000000000"},
		{"gas_price", []int32{1000}, "00000000000000000000000000000000"},
	}
	for _, f := range facts {
		storage := newStorage()
		storage.balances[call.Contract] = uint128.New(^uint64(0), 2)
		args := append(append([]int32{}, f.args...), atOut, atSize)
		size := newProbe("").call("seal0", f.name, args...).run(t, call, storage, atSize, 4).Output
		out := newProbe("").call("seal0", f.name, args...).run(t, call, storage, atOut, int32(size[0])).Output
		requireEqual(t, f.name, hex.EncodeToString(out), f.want)
	}
	call.Height = 1 << 40
	out := newProbe("").call("seal0", "block_number", atOut, atSize).run(t, call, newStorage(), atOut, 4)
	requireEqual(t, "saturated block number", out.Output, []byte{255, 255, 255, 255})
}

// TestRandom: the value depends on seed and subject, is the same in both versions, and is not the seed.
func TestRandom(t *testing.T) {
	value := func(seed byte, version string, subject, n int32) string {
		call := sampleCall(plenty)
		call.Seed[0] = seed
		p := newProbe("").call(version, "random", subject, n, atOut, atSize)
		return hex.EncodeToString(p.run(t, call, newStorage(), atOut, 36).Output)
	}
	base := value(1, "seal0", atText, 5)
	requireEqual(t, "seal1", value(1, "seal1", atText, 5), base[:64]+"4d000000")
	seen := map[string]bool{base: true}
	for _, other := range []string{value(2, "seal0", atText, 5), value(1, "seal0", atText, 4), value(1, "seal0", atKey, 5)} {
		if seen[other] || other[:64] == strings.Repeat("80", 32) {
			t.Fatalf("random %s repeats", other)
		}
		seen[other] = true
	}
}

// TestHashes pins hashes of "hello", computed with other implementations.
func TestHashes(t *testing.T) {
	for name, want := range map[string]string{
		"hash_sha2_256":   "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		"hash_keccak_256": "1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8",
		"hash_blake2_256": "324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf",
		"hash_blake2_128": "46fb7408d4f285228f4af516ea25851b",
	} {
		p := newProbe("").call("seal0", name, atText, 5, atOut)
		out := p.run(t, sampleCall(plenty), newStorage(), atOut, int32(len(want)/2))
		requireEqual(t, name, hex.EncodeToString(out.Output), want)
	}
}

// TestStorageFunctions walks through the versions of the storage functions and pins what each returns.
func TestStorageFunctions(t *testing.T) {
	storage := newStorage()
	p := newProbe("").
		call("seal0", "contains_storage", atKey).                      // none
		call("seal0", "get_storage", atKey, atOut, atSize).            // key not found
		call("seal0", "set_storage", atKey, atText, 5).                //
		call("seal1", "set_storage", atKey, atText, 2).                // replaces 5 bytes
		call("seal2", "set_storage", atKey, 32, atText, 4).            // replaces none: a key space of its own
		call("seal2", "set_storage", atKey, 7, atText, 3).             // replaces none
		call("seal2", "set_storage", atKey, 0, atText, 0).             // the empty key, an empty value
		call("seal1", "contains_storage", atKey, 7).                   // 3
		call("seal1", "contains_storage", atKey, 0).                   // 0, not none
		call("seal1", "get_storage", atKey, 7, atOut, atSize).again(). // found
		call("seal0", "take_storage", atKey, 7, atOut+8, atSize).again().
		call("seal0", "take_storage", atKey, 7, atOut+8, atSize). // not found
		call("seal1", "clear_storage", atKey, 0).                 // had 0 bytes
		call("seal1", "clear_storage", atKey, 0).                 // none
		call("seal0", "contains_storage", atKey)                  // 2
	out := p.run(t, sampleCall(plenty), storage, atCode, 4*int32(p.n))
	var got []int32
	for b := out.Output; len(b) > 0; b = b[4:] {
		got = append(got, int32(uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24))
	}
	requireEqual(t, "results", got, []int32{-1, 3, 5, -1, -1, -1, 3, 0, 0, 0, 3, 0, -1, 2})
	requireEqual(t, "storage", storage.Stored(sampleCall(0).Contract), map[string]string{
		"f01234567890123456789012345678901": "he", "v01234567890123456789012345678901": "hell"})

	storage = newStorage()
	storage.Set(sampleCall(0).Contract, []byte("v0123456"), []byte("value"))
	p = newProbe("").call("seal1", "get_storage", atKey, 7, atOut, atSize)
	requireEqual(t, "value", string(p.run(t, sampleCall(plenty), storage, atOut, 5).Output), "value")
}

// TestShortBuffer: a buffer one byte too short ends the call and takes nothing.
func TestShortBuffer(t *testing.T) {
	for name, args := range map[string][]int32{"get_storage": {atKey, 7, atOut, 128}, "take_storage": {atKey, 7, atOut, 128}} {
		module := map[string]string{"get_storage": "seal1", "take_storage": "seal0"}[name]
		for size, want := range map[byte]Status{4: Trapped, 5: Done} {
			storage := newStorage()
			storage.Set(sampleCall(0).Contract, []byte("v0123456"), []byte("value"))
			p := newProbe(string([]byte{size, 0, 0, 0})).call(module, name, args...)
			f := p.m.Func("", "", "", p.code...)
			p.m.Entry(f, f)
			out := runBoth(t, DefaultLimits(), p.m.Bytes(), sampleCall(plenty), storage)
			requireEqual(t, name, out.Status, want)
			if _, kept := storage.Get(sampleCall(0).Contract, []byte("v0123456")); kept != (want == Trapped || name == "get_storage") {
				t.Fatalf("%s with %d bytes: value kept %v", name, size, kept)
			}
		}
	}
}

func TestTransfer(t *testing.T) {
	call := sampleCall(plenty)
	storage := newStorage()
	storage.balances[call.Contract] = uint128.From64(100)
	amount := string([]byte{60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	p := newProbe(amount).
		call("seal0", "transfer", atKey, 32, 128, 16).
		call("seal0", "transfer", atKey, 32, 128, 16) // only 40 are left
	out := p.run(t, call, storage, atCode, 8)
	requireEqual(t, "codes", out.Output, []byte{0, 0, 0, 0, 5, 0, 0, 0})
	requireEqual(t, "rest", storage.balances[call.Contract], uint128.From64(40))
	requireEqual(t, "receiver", storage.balances[[32]byte([]byte("01234567890123456789012345678901"))], uint128.From64(60))
}

func TestEvents(t *testing.T) {
	topics := strings.Repeat("a", 32) + strings.Repeat("b", 32)
	p := newProbe("\x08"+topics).
		call("seal0", "deposit_event", 128, 65, atText, 5).
		call("seal0", "deposit_event", 0, 0, atText, 0)
	out := p.run(t, sampleCall(plenty), newStorage(), 0, 0)
	requireEqual(t, "events", out.Events, []Event{
		{Contract: sampleCall(0).Contract, Topics: [][]byte{[]byte(topics[:32]), []byte(topics[32:])}, Data: []byte("hello")},
		{Contract: sampleCall(0).Contract, Data: []byte{}},
	})
	bad := map[string]Status{
		"\x14": LimitExceeded, // five topics
		"\x01": LimitExceeded, // a longer compact form
		"\x0c": Trapped,       // three topics announced, two there
	}
	for prefix, want := range bad {
		p := newProbe(prefix+topics).call("seal0", "deposit_event", 128, 65, atText, 5)
		f := p.m.Func("", "", "", p.code...)
		p.m.Entry(f, f)
		requireEqual(t, "status", run(t, p.m.Bytes(), newStorage()).Status, want)
	}
}

func TestDebugMessages(t *testing.T) {
	p := newProbe("").call("seal0", "debug_message", atText, 5).call("seal0", "debug_message", atText, 2)
	out := p.run(t, sampleCall(plenty), newStorage(), atCode, 8)
	requireEqual(t, "codes", out.Output, make([]byte, 8))
	requireEqual(t, "debug", string(out.Debug), "hellohe")

	limits := DefaultLimits()
	limits.DebugBytes = 6
	p = newProbe("a\u00e9\u20ac").call("seal0", "debug_message", 128, 6).call("seal0", "debug_message", 128, 6)
	f := p.m.Func("", "", "", p.code...)
	p.m.Entry(f, f)
	requireEqual(t, "exact", string(runBoth(t, limits, p.m.Bytes(), sampleCall(plenty), newStorage()).Debug), "aé€")
	limits.DebugBytes = 5
	requireEqual(t, "cut", string(runBoth(t, limits, p.m.Bytes(), sampleCall(plenty), newStorage()).Debug), "aéaé"[:3]+"a")

	p = newProbe("\xff").call("seal0", "debug_message", 128, 1)
	f = p.m.Func("", "", "", p.code...)
	p.m.Entry(f, f)
	out = run(t, p.m.Bytes(), newStorage())
	requireEqual(t, "not UTF-8", []any{out.Status, len(out.Debug)}, []any{Done, 0})
}

func TestContractDirectory(t *testing.T) {
	build := func(ptr int32) []byte {
		p := newProbe(strings.Repeat("\xc0", 32)).
			call("seal0", "is_contract", ptr).call("seal0", "code_hash", ptr, atCode+8, atSize)
		p.code = append(p.code, returning(p.m)(0, atCode, 12))
		f := p.m.Func("", "", "", p.code...)
		p.m.Entry(f, f)
		return p.m.Bytes()
	}
	for _, c := range []struct {
		ptr  int32
		want []byte
	}{
		{atKey, []byte{1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0}},
		{128, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0xcd, 0xcd, 0xcd, 0xcd}}, // the contract itself
		{atOut, []byte{0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}},
	} {
		storage := newStorage()
		storage.contracts[[32]byte([]byte("01234567890123456789012345678901"))] = [32]byte{7}
		out := run(t, build(c.ptr), storage)
		requireEqual(t, "status", out.Status, Done)
		requireEqual(t, "answer", out.Output, c.want)
	}
}

func TestOrigin(t *testing.T) {
	p := newProbe("").call("seal0", "caller_is_origin").call("seal0", "caller_is_root")
	requireEqual(t, "answers", p.run(t, sampleCall(plenty), newStorage(), atCode, 8).Output, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// TestGasLeft: what the contract sees falls by what it spends.
func TestGasLeft(t *testing.T) {
	p := newProbe("").call("seal0", "gas_left", atOut, atSize).call("seal0", "gas_left", atOut+8, atSize)
	out := p.run(t, sampleCall(plenty), newStorage(), atOut, 16).Output
	le := func(b []byte) (v uint64) {
		for i := range 8 {
			v |= uint64(b[i]) << (8 * i)
		}
		return v
	}
	first, second := le(out), le(out[8:])
	if first >= plenty || second >= first || first-second < priceRead.base {
		t.Fatalf("gas left %d, then %d", first, second)
	}
}

// TestAliases: every old name does what the new one does, at the same price.
func TestAliases(t *testing.T) {
	for i := range hostFunctions {
		h := &hostFunctions[i]
		var first Outcome
		for k, name := range h.names() {
			code := asm.Contract("", func(m *asm.Module) [][]byte {
				result, drop := "", []byte{}
				if h.result != 0 {
					result, drop = string(h.result), asm.Drop
				}
				f := m.Import(name.module, name.name, h.params, result)
				var args []byte
				for _, p := range h.params {
					args = append(args, map[rune][]byte{'i': asm.I32(0), 'l': asm.I64(0)}[p]...)
				}
				return [][]byte{args, asm.Call(f), drop}
			})
			out := run(t, code, newStorage())
			if k == 0 {
				first = out
			}
			requireEqual(t, name.module+" "+name.name, out, first)
		}
	}
}
