package contract

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// dirty writes 0x5a over two pages and then over as many more as the memory may grow to.
func dirty(*asm.Module) [][]byte {
	return [][]byte{
		asm.I32(14), asm.MemoryGrow, asm.Drop,
		asm.I32(0), asm.I32(0x5a), asm.I32(16 << 16), asm.MemoryFill,
	}
}

// search grows its memory to 16 pages and reverts if any word of it is not zero.
func search(m *asm.Module) [][]byte {
	ret := returning(m)
	return [][]byte{
		asm.I32(14), asm.MemoryGrow, asm.Drop,
		asm.Loop(
			asm.Get(0), asm.Load(0), asm.If(ret(1, 0, 0)),
			asm.Get(0), asm.I32(4), asm.I32Add, asm.Tee(0), asm.I32(16<<16), asm.I32LtU, asm.BrIf(0),
		),
	}
}

// TestNoLeftoverMemory: a call sees nothing of earlier calls, whether they ended well or badly, and the search would
// find something if it were there.
func TestNoLeftoverMemory(t *testing.T) {
	for _, kind := range engines {
		e := startEngine(t, DefaultLimits(), kind.config())
		control := prepare(t, e, asm.Contract("i", func(m *asm.Module) [][]byte {
			ret := returning(m)
			return append(dirty(m), asm.Get(0), asm.Load(15<<16), asm.If(ret(1, 0, 0)))
		}))
		requireStatus(t, e, control, Reverted)
		looker := prepare(t, e, asm.Contract("i", search))
		for name, end := range map[string][]byte{"done": nil, "trap": asm.Unreachable, "gas": asm.Loop(asm.Br(0))} {
			m := prepare(t, e, asm.Contract("", func(m *asm.Module) [][]byte { return append(dirty(m), end) }))
			for range 3 {
				if _, err := e.Execute(t.Context(), m, sampleCall(plenty), newStorage()); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				requireStatus(t, e, looker, Done)
			}
		}
		for _, slabs := range e.pool.free {
			for _, slab := range slabs {
				if len(bytes.Trim(slab, "\x00")) != 0 {
					t.Fatal("idle slab is not zero")
				}
			}
		}
	}
}

func requireStatus(t *testing.T, e *Engine, m *Module, want Status) {
	t.Helper()
	out, err := e.Execute(t.Context(), m, sampleCall(plenty), newStorage())
	if err != nil || out.Status != want {
		t.Fatalf("status %s, error %v, want %s", out.Status, err, want)
	}
}

// TestNoLeftoverGlobals: globals and memory of one call do not reach the next of the same module.
func TestNoLeftoverGlobals(t *testing.T) {
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	ret := returning(m)
	g := m.Global('i', true, asm.I32(0))
	f := m.Func("", "", "", asm.Op(0x23, g), asm.If(ret(1, 0, 0)), asm.I32(1), asm.Op(0x24, g))
	m.Entry(f, f)
	e := startEngine(t, DefaultLimits(), engines[0].config())
	module := prepare(t, e, m.Bytes())
	requireStatus(t, e, module, Done)
	requireStatus(t, e, module, Done)
}

// TestExportsOfTheHostsNames: a contract that exports globals under the names that the host uses neither sets nor sees
// the host's.
func TestExportsOfTheHostsNames(t *testing.T) {
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	gas := m.Global('l', true, asm.I64(1<<60))
	stack := m.Global('i', true, asm.I32(0))
	f := m.Func("", "", "", asm.Loop(asm.I64(1<<60), asm.Op(0x24, gas), asm.I32(0), asm.Op(0x24, stack), asm.Br(0)))
	m.Entry(f, f)
	m.Export("gas", 3, gas)
	m.Export("stack", 3, stack)
	requireEqual(t, "status", run(t, m.Bytes(), newStorage()).Status, OutOfGas)
}

// TestLargestMemory writes and reads all of 16 MiB.
func TestLargestMemory(t *testing.T) {
	m := new(asm.Module)
	m.ImportMemory(256, 256)
	ret := returning(m)
	f := m.Func("", "", "", asm.I32(0), asm.I32(3), asm.I32(16<<20), asm.MemoryFill, ret(0, 16<<20-2, 2))
	m.Entry(f, f)
	requireEqual(t, "output", runBoth(t, DefaultLimits(), m.Bytes(), sampleCall(1<<26), newStorage()).Output, []byte{3, 3})
}

// TestMemoryBomb: growing page by page or all at once stops at the maximum, whatever the module declares.
func TestMemoryBomb(t *testing.T) {
	for declared, pages := range map[uint32]int32{16: 16, 3: 3, 256: 256, 1000: 256, 65536: 256} {
		m := new(asm.Module)
		m.ImportMemory(2, declared)
		ret := returning(m)
		f := m.Func("", "", "",
			asm.Loop(asm.I32(1), asm.MemoryGrow, asm.I32(-1), asm.I32Ne, asm.BrIf(0)),
			asm.I32(-1), asm.MemoryGrow, asm.Drop,
			asm.I32(0), asm.MemorySize, asm.Store(0), ret(0, 0, 4))
		m.Entry(f, f)
		call := sampleCall(1 << 48) // all of 2^32 pages are charged before growing fails
		out := runBoth(t, DefaultLimits(), m.Bytes(), call, newStorage())
		requireEqual(t, "status", out.Status, Done)
		requireEqual(t, "pages", out.Output, []byte{byte(pages), byte(pages >> 8), 0, 0})
		call.GasLimit = plenty
		requireEqual(t, "status", runBoth(t, DefaultLimits(), m.Bytes(), call, newStorage()).Status, OutOfGas)
	}
}

// TestRecursionIsBounded: recursion with the largest frames that the limits allow takes a bounded amount of memory.
func TestRecursionIsBounded(t *testing.T) {
	// Values that are loaded before a call and used after it all have to be kept in the frame.
	const values = 300
	load := asm.Cat(asm.I32(0), asm.Load(0))
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	body := asm.Cat(asm.Repeat(values, load), asm.Call(0), asm.Repeat(values, asm.Drop))
	kept := asm.Cat(asm.Repeat(values, load), asm.Call(0), asm.Repeat(values-1, asm.I32Add), asm.Drop)
	f := m.Func("", "", strings.Repeat("l", 900), asm.Repeat(20, kept), body)
	m.Entry(f, f)
	e := startEngine(t, DefaultLimits(), engines[0].config())
	module := prepare(t, e, m.Bytes())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	requireStatus(t, e, module, DepthExceeded)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 48<<20 {
		t.Fatalf("recursion allocated %d MiB", grown>>20)
	}
}

// TestDepthIsTheSameOnBoth: mutual recursion through a table counts to the same depth on both engines.
func TestDepthIsTheSameOnBoth(t *testing.T) {
	code := func(depth int32) []byte {
		m := new(asm.Module)
		m.ImportMemory(2, 16)
		ret := returning(m)
		m.Table(2)
		count := m.Global('i', true, asm.I32(0))
		deeper := asm.Cat(asm.Op(0x23, count), asm.I32(1), asm.I32Add, asm.Op(0x24, count),
			asm.Op(0x23, count), asm.I32(depth), asm.I32LtU)
		typ := m.Type("", "")
		a := m.Func("", "", "", deeper, asm.If(asm.I32(1), asm.CallIndirect(typ)))
		b := m.Func("", "", "", deeper, asm.If(asm.I32(0), asm.CallIndirect(typ)))
		m.Elem(0, a, b)
		// Depth is given back on every way out: the chain runs twice.
		f := m.Func("", "", "", asm.Call(a), asm.I32(0), asm.Op(0x24, count), asm.Call(b), ret(0, 0, 1))
		m.Entry(f, f)
		return m.Bytes()
	}
	least, most := int32(500), int32(1100)
	for least+1 < most { // the edge, by bisection on both engines
		mid := (least + most) / 2
		if run(t, code(mid), newStorage()).Status == Done {
			least = mid
			continue
		}
		most = mid
	}
	requireEqual(t, "above the edge", run(t, code(least+1), newStorage()).Status, DepthExceeded)
	if least < 900 || least > 1023 {
		t.Fatalf("depth limit is %d", least)
	}
}

// TestReturnGivesDepthBack: early returns and branches out of a counted function leave the count as it was.
func TestReturnGivesDepthBack(t *testing.T) {
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	leaf := m.Func("", "", "")
	early := m.Func("i", "i", "", asm.Call(leaf),
		asm.Block(asm.Get(0), asm.If(asm.I32(7), asm.Return)),
		asm.Block(asm.I32(8), asm.Br(1)), asm.I32(9))
	f := m.Func("", "", "i", asm.I32(4000), asm.Set(0), asm.Loop(
		asm.I32(1), asm.Call(early), asm.Drop, asm.I32(0), asm.Call(early), asm.Drop,
		asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0)))
	m.Entry(f, f)
	requireEqual(t, "status", run(t, m.Bytes(), newStorage()).Status, Done)
}

// hostCall calls a host function with constants as arguments and drops its result.
func hostCall(m *asm.Module, module, name string, args ...int32) [][]byte {
	for i := range hostFunctions {
		h := &hostFunctions[i]
		if h.module != module || h.name != name {
			continue
		}
		result := ""
		if h.result != 0 {
			result = string(h.result)
		}
		f := m.Import(module, name, h.params, result)
		var code []byte
		for k, a := range args {
			if h.params[k] == 'l' {
				code = append(code, asm.I64(int64(a))...)
				continue
			}
			code = append(code, asm.I32(a)...)
		}
		code = append(code, asm.Call(f)...)
		if h.result != 0 {
			code = append(code, asm.Drop...)
		}
		return [][]byte{code}
	}
	panic("no host function " + name)
}

// TestHostArguments gives host functions pointers and lengths that do not fit, wrap around or exceed a bound.
func TestHostArguments(t *testing.T) {
	const end = 2 << 16
	cases := []struct {
		module, name string
		args         []int32
		want         Status
	}{
		{"seal0", "seal_return", []int32{0, 0, 256<<10 + 1}, LimitExceeded},
		{"seal0", "seal_return", []int32{0, 0, -1}, OutOfGas}, // four gibibytes are charged before they are looked at
		{"seal0", "seal_return", []int32{0, end - 3, 4}, BadMemoryAccess},
		{"seal0", "seal_return", []int32{0, -1, 2}, BadMemoryAccess},
		{"seal0", "seal_return", []int32{0, end, 0}, Done},
		{"seal0", "seal_return", []int32{0, end + 1, 0}, BadMemoryAccess},
		{"seal2", "set_storage", []int32{0, 129, 0, 1}, LimitExceeded},
		{"seal2", "set_storage", []int32{0, 128, 0, 1}, Done},
		{"seal2", "set_storage", []int32{0, 0, 0, 0}, Done},
		{"seal2", "set_storage", []int32{0, 1, 0, 16<<10 + 1}, LimitExceeded},
		{"seal2", "set_storage", []int32{0, 1, 0, 16 << 10}, Done},
		{"seal2", "set_storage", []int32{end - 16, 17, 0, 1}, BadMemoryAccess},
		{"seal2", "set_storage", []int32{0, 1, -16, 32}, BadMemoryAccess},
		{"seal0", "set_storage", []int32{end - 31, 0, 1}, BadMemoryAccess},
		{"seal1", "get_storage", []int32{0, 129, 0, 0}, LimitExceeded},
		{"seal1", "contains_storage", []int32{-1, 4}, BadMemoryAccess},
		{"seal1", "clear_storage", []int32{0, -1}, OutOfGas},
		{"seal0", "take_storage", []int32{end, 1, 0, 0}, BadMemoryAccess},
		{"seal0", "input", []int32{0, end - 3}, BadMemoryAccess},
		{"seal0", "caller", []int32{0, 64}, Trapped}, // the length there is zero
		{"seal0", "transfer", []int32{end - 31, 32, 0, 16}, BadMemoryAccess},
		{"seal0", "transfer", []int32{0, 32, end - 15, 16}, BadMemoryAccess},
		{"seal0", "hash_sha2_256", []int32{0, end + 1, 0}, BadMemoryAccess},
		{"seal0", "hash_sha2_256", []int32{0, 1, end - 31}, BadMemoryAccess},
		{"seal0", "hash_keccak_256", []int32{0, -1, 0}, OutOfGas},
		{"seal0", "hash_blake2_256", []int32{-1, 2, 0}, BadMemoryAccess},
		{"seal0", "hash_blake2_128", []int32{0, 1, end - 16}, Done},
		{"seal0", "hash_blake2_128", []int32{0, 1, end - 15}, BadMemoryAccess},
		{"seal0", "deposit_event", []int32{0, 0, 0, 16 << 10}, Done},
		{"seal0", "deposit_event", []int32{0, 0, 0, 16<<10 + 1}, LimitExceeded},
		{"seal0", "deposit_event", []int32{0, 0, end - 3, 4}, BadMemoryAccess},
		{"seal0", "deposit_event", []int32{end - 3, 4, 0, 0}, BadMemoryAccess},
		{"seal0", "deposit_event", []int32{0, 33, 0, 0}, Trapped}, // no topics announced, 32 bytes given
		{"seal0", "debug_message", []int32{0, end + 1}, BadMemoryAccess},
		{"seal0", "random", []int32{0, -1, 0, 0}, OutOfGas},
		{"seal0", "is_contract", []int32{end - 31}, BadMemoryAccess},
		{"seal0", "is_contract", []int32{0}, Done},
		{"seal0", "code_hash", []int32{0, end, end}, Done}, // no contract: nothing is written
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s%v", c.module, c.name, c.args), func(t *testing.T) {
			code := asm.Contract("", func(m *asm.Module) [][]byte { return hostCall(m, c.module, c.name, c.args...) })
			limits := DefaultLimits()
			limits.ValueBytes = 16 << 10 // a value at the real bound costs more gas than these calls have
			requireEqual(t, "status", runBoth(t, limits, code, sampleCall(plenty), newStorage()).Status, c.want)
		})
	}
}

// TestEveryHostFunctionRunsOutOfGas: whatever the function, gas that does not cover it ends the call before it acts.
func TestEveryHostFunctionRunsOutOfGas(t *testing.T) {
	for i := range hostFunctions {
		h := &hostFunctions[i]
		code := asm.Contract("", func(m *asm.Module) [][]byte {
			return hostCall(m, h.module, h.name, make([]int32, len(h.params))...)
		})
		empty := asm.Contract("", func(*asm.Module) [][]byte { return nil })
		used := run(t, empty, newStorage()).GasUsed
		storage := newStorage()
		out := runBoth(t, DefaultLimits(), code, sampleCall(used+150), storage)
		requireEqual(t, h.name, out, Outcome{Status: OutOfGas, GasUsed: used + 150})
		requireEqual(t, h.name, storage, newStorage())
	}
}

// TestManyHostCalls: ten million host calls, events and debug messages are stopped by gas or a bound.
func TestManyHostCalls(t *testing.T) {
	for name, want := range map[string]Status{"caller_is_origin": OutOfGas, "deposit_event": LimitExceeded,
		"debug_message": OutOfGas, "balance": OutOfGas} {
		code := asm.Contract("i", func(m *asm.Module) [][]byte {
			args := map[string][]int32{"deposit_event": {0, 0, 0, 9}, "debug_message": {0, 1000}, "balance": {8, 0}}[name]
			return [][]byte{asm.I32(0), asm.I32(16), asm.Store(0), asm.I32(10_000_000), asm.Set(0),
				asm.Loop(asm.Cat(hostCall(m, "seal0", name, args...)...),
					asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0))}
		})
		out := run(t, code, newStorage())
		requireEqual(t, name, out.Status, want)
		requireEqual(t, "events", len(out.Events), 0)
		if limit := DefaultLimits().DebugBytes; len(out.Debug) > limit {
			t.Fatalf("%d bytes of debug messages", len(out.Debug))
		}
	}
}

// TestHugeInput is refused before anything runs.
func TestHugeInput(t *testing.T) {
	code := asm.Contract("", func(*asm.Module) [][]byte { return nil })
	call := sampleCall(plenty)
	call.Input = make([]byte, DefaultLimits().InputBytes+1)
	requireEqual(t, "status", runBoth(t, DefaultLimits(), code, call, newStorage()).Status, LimitExceeded)
	call.Input = call.Input[1:]
	requireEqual(t, "status", runBoth(t, DefaultLimits(), code, call, newStorage()).Status, Done)
}

// panicStorage fails as a broken host would, with texts that must not be taken for traps.
type panicStorage struct {
	*MapStorage
	value any
}

func (s panicStorage) Balance([32]byte) uint128.Uint128 { panic(s.value) }

// TestHostFaultIsAnError: a fault of the host is never the contract's result, and the engine works on.
func TestHostFaultIsAnError(t *testing.T) {
	for _, kind := range engines {
		e := startEngine(t, DefaultLimits(), kind.config())
		m := prepare(t, e, asm.Contract("", func(m *asm.Module) [][]byte { return hostCall(m, "seal0", "balance", 8, 0) }))
		for _, value := range []any{"disk gone", errors.New("unreachable"), errors.New("integer divide by zero")} {
			out, err := e.Execute(t.Context(), m, sampleCall(plenty), panicStorage{newStorage(), value})
			if err == nil {
				t.Fatalf("outcome %+v of a panic with %v", out, value)
			}
		}
		requireStatus(t, e, m, Trapped) // the buffer's length is zero
	}
}

// TestConcurrentCalls runs calls of several modules at once, with a cache too small for them, and closes the engine.
func TestConcurrentCalls(t *testing.T) {
	limits := DefaultLimits()
	limits.CachedModules = 2
	e := startEngine(t, limits, engines[0].config())
	var all sync.WaitGroup
	for worker := range 8 {
		code := asm.Contract("i", func(m *asm.Module) [][]byte {
			ret := returning(m)
			return append(search(m), asm.I32(0), asm.I32(int32(worker%4+1)), asm.I32(16<<16), asm.MemoryFill, ret(0, 64, 2))
		})
		all.Go(func() {
			for range 30 {
				m, err := e.Prepare(t.Context(), code)
				if err != nil {
					t.Error(err)
					return
				}
				out, err := e.Execute(t.Context(), m, sampleCall(plenty), newStorage())
				if err != nil || out.Status != Done || !bytes.Equal(out.Output, []byte{byte(worker%4 + 1), byte(worker%4 + 1)}) {
					t.Errorf("worker %d: %+v, %v", worker, out, err)
				}
			}
		})
	}
	all.Wait()
	if n := e.order.Len(); n > 2 || n != len(e.entries) {
		t.Fatalf("%d modules cached", n)
	}
}
