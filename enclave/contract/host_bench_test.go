package contract

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// flatStorage is a MapStorage without transactions, so that a benchmark measures the engine and not the test's copies.
type flatStorage struct{ *MapStorage }

func (flatStorage) Begin()    {}
func (flatStorage) Commit()   {}
func (flatStorage) Rollback() {}

func (s flatStorage) Create(_, hash [32]byte, _, salt []byte) ([32]byte, error) {
	id := blake2b.Sum256(salt)
	s.contracts[id] = hash
	return id, nil
}

// looped is a contract that uses a sample over and over, with a counter where its first text "salt" is.
func looped(s sample, calls int32) []byte {
	record := s.record().b
	at := binary.LittleEndian.Uint32(record) // the sample comes second, after what fills transient storage
	args := record[at+8:]
	h := s.host()
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	m.Data(scriptAt, record)
	result, drop := "", []byte{}
	if h.result != 0 {
		result, drop = string(h.result), asm.Drop
	}
	keep := m.Import("seal0", "set_transient_storage", "iiii", "i")
	f := m.Import(h.module, h.name, h.params, result)
	var push, first []byte
	for i := range 4 {
		first = append(first, asm.I32(int32(binary.LittleEndian.Uint32(record[8+8*i:])))...)
	}
	for i, p := range h.params {
		v := binary.LittleEndian.Uint64(args[8*i:])
		push = append(push, map[rune][]byte{'i': asm.I32(int32(v)), 'l': asm.I64(int64(v))}[p]...)
	}
	counter := []byte{}
	if i := slices.Index(s.args, any("salt")); i >= 0 {
		counter = asm.Cat(asm.I32(int32(binary.LittleEndian.Uint32(args[8*i:]))), asm.Get(0), asm.Store(0))
	}
	entry := m.Func("", "", "i", first, asm.Call(keep), asm.Drop, asm.I32(calls), asm.Set(0),
		asm.Loop(counter, push, asm.Call(f), drop, asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0)))
	m.Entry(entry, entry)
	return m.Bytes()
}

// BenchmarkHostFunctions measures how long a gas lasts in each host function, as BenchmarkGas does in instructions:
// none may last much longer than in the slowest of those.
func BenchmarkHostFunctions(b *testing.B) {
	const calls = 200
	long := sample{"seal0.debug_message", 0, []any{strings.Repeat("é", 10_000), 20_000}}
	list := append(samples(), long,
		sample{"seal0.hash_sha2_256", 0, []any{strings.Repeat("a", 20_000), 20_000, outAt}},
		sample{"seal0.hash_keccak_256", 0, []any{strings.Repeat("a", 20_000), 20_000, outAt}},
		sample{"seal0.hash_blake2_256", 0, []any{strings.Repeat("a", 20_000), 20_000, outAt}},
		sample{"seal0.hash_blake2_128", 0, []any{strings.Repeat("a", 20_000), 20_000, outAt}},
		sample{"seal0.sr25519_verify", 0, []any{make([]byte, 64), publishedKey[1:], 20_000, strings.Repeat("a", 20_000)}},
		sample{"seal0.set_transient_storage", 0, []any{"k", 1, strings.Repeat("a", 5000), 5000}},
		sample{"seal0.get_transient_storage", 0, []any{"k", 1, outAt, sized(5)}},
		sample{"seal1.call", 0, []any{0, nobody, 0, make([]byte, 16), "", 0, sentinel, 0}})
	for _, s := range list {
		if strings.HasSuffix(s.function, "terminate") || strings.HasSuffix(s.function, "return") || strings.HasSuffix(s.function, "dependency") {
			continue // once in a call
		}
		b.Run(s.function, func(b *testing.B) {
			limits := DefaultLimits()
			limits.Events, limits.AllEventBytes, limits.TransientBytes = 1<<20, 1<<30, 1<<30
			e := startEngine(b, limits, wazero.NewRuntimeConfig())
			m := prepare(b, e, looped(s, calls))
			storage := flatStorage{newStorage()}
			sampleStorage(storage.MapStorage, alice)
			storage.balances[alice] = uint128.From64(1 << 60)
			call := sampleCall(1 << 40)
			call.Extension = extensionFunc(sampleExtension)
			var gas float64
			for b.Loop() {
				out, err := e.Execute(b.Context(), m, call, storage)
				if err != nil || out.Status != Done {
					b.Fatal(out, err)
				}
				gas = float64(out.GasUsed)
			}
			each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(each/calls, "ns/call")
			b.ReportMetric(gas/calls, "gas/call")
			b.ReportMetric(each/gas, "ns/gas")
		})
	}
}
