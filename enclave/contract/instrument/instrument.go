// Package instrument validates WebAssembly contract code and rewrites it so that running it is safe, bounded and
// gives the same bits on every engine.
//
// [Instrument] is a pure function from bytes to bytes: the same code under the same [Config] gives the same output on
// every machine, and nothing but the output is ever handed to an engine. It is part of the state machine: a change to
// what it accepts, to a weight in [Weights] or to what it emits changes results, so it needs a new execution version.
//
// # What is accepted
//
// WebAssembly 1.0 with mutable globals, sign extension, saturating float conversion, and memory.copy and memory.fill;
// at most one result per function type. The module imports only functions named in [Config.Imports], with exactly
// their types, and one memory, as "env" "memory" (or it defines one); it has no start function and exports the
// functions "deploy" and "call" without parameters or results. SIMD, threads, reference types, several memories or
// tables, multiple results, passive segments, tail calls and exceptions are refused. The validator is whole: it checks
// every operand type, so what it accepts an engine accepts too, and no index of the original can reach anything that
// the rewriting adds.
//
// # What is rewritten
//
//   - Gas. A mutable i64 global, exported as [GasExport], is lowered at the start of every straight run of
//     instructions by the run's weight. It is compared with zero at function entries and loop heads only: every cycle
//     passes one of them, so a contract overdraws by at most one function body before it traps. Below zero after a
//     trap means out of gas. memory.grow, memory.copy and memory.fill are charged by size before they run.
//   - Stack. A mutable i32 global, exported as [StackExport], counts the stack that nested calls hold, in slots of
//     eight bytes: a base per frame, which bounds the depth, plus parameters, locals, the highest operand stack and an
//     allowance for what a compiler spills, which bounds the memory. Above [Limits.StackSlots] the call traps.
//     Functions that call nothing are not counted: only one can be active, and its size is bounded.
//   - NaN. The result of every float operation whose NaN bits the WebAssembly specification leaves open is replaced by
//     the canonical NaN when it is a NaN.
//   - Memory. The imported memory becomes the module's own, its maximum never above [Limits.MaxPages].
//   - Exports other than the two entry points are dropped, as are custom sections. Every global that the code may change
//     is exported as [GlobalExport], for a host that uses an instance again.
package instrument

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrRefused is wrapped by every error of this package: the module is malformed, invalid, or outside what contracts
// may use. The text names the byte offset and the reason and is the same on every machine.
var ErrRefused = errors.New("wasm module refused")

// Names under which the rewritten module exports what the host needs besides the entry points.
const (
	GasExport    = "gas"    // mutable i64: gas left, negative once overdrawn
	StackExport  = "stack"  // mutable i32: stack slots held by active calls
	DeployExport = "deploy" // () -> (): constructor entry point
	CallExport   = "call"   // () -> (): message entry point
)

// GlobalExport is the name under which the rewritten module exports its global i, if the code may change it.
func GlobalExport(i uint32) string { return "global " + strconv.FormatUint(uint64(i), 10) }

// PageBytes is the size of a WebAssembly memory page.
const PageBytes = 1 << 16

// ValueType is the binary code of a WebAssembly number type.
type ValueType byte

// The number types.
const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
	F32 ValueType = 0x7d
	F64 ValueType = 0x7c
)

// Import names a host function.
type Import struct{ Module, Name string }

// Signature is a function type; Result is zero for a function without result.
type Signature struct {
	Params []ValueType
	Result ValueType
}

// Limits bounds a module. All values are inclusive.
type Limits struct {
	CodeBytes     int    // whole module
	FunctionBytes int    // one function body
	Types         int    // function types
	Params        int    // parameters of one type
	Imports       int    // imports
	Functions     int    // functions defined in the module
	Globals       int    // globals defined in the module
	TableEntries  uint32 // entries of the table, and of all element segments together
	DataSegments  int    // data segments, and element segments
	Exports       int    // exports
	Locals        int    // parameters and locals of one function
	Operands      int    // height of one function's operand stack
	Nesting       int    // nested blocks in one function
	BranchTargets int    // entries of one br_table
	FunctionWork  int    // of one function: branches and blocks times locals, which is what compiling may cost
	Work          int    // the same of all functions
	DefaultPages  uint32 // maximum memory of a module that declares none
	MaxPages      uint32 // maximum memory of any module
	StackSlots    uint32 // eight-byte slots that active calls may hold together
}

// DefaultLimits returns the limits of execution version 1. Memory: ink! contracts declare at most 16 pages (1 MiB);
// the ceiling of 256 pages is 16 MiB. Stack: 524,288 slots are at most 1,023 nested calls.
func DefaultLimits() Limits {
	return Limits{
		CodeBytes: 1 << 20, FunctionBytes: 1 << 17, Types: 1024, Params: 64, Imports: 256, Functions: 8192,
		Globals: 1024, TableEntries: 8192, DataSegments: 4096, Exports: 1024, Locals: 1024, Operands: 1024,
		Nesting: 512, BranchTargets: 2048, FunctionWork: 1 << 19, Work: 1 << 21, DefaultPages: 16, MaxPages: 256, StackSlots: 1 << 19,
	}
}

// Config says what a module may import and how large it may be.
type Config struct {
	Imports map[Import]Signature
	Limits  Limits
}

// Info describes an accepted module, for what starting it costs.
type Info struct {
	MinPages     uint32 // memory at the start, in pages
	MaxPages     uint32 // memory at most, in pages
	TableEntries uint32 // entries of the table
	DataBytes    uint32 // bytes copied into memory at the start
	Functions    uint32 // functions defined
	Globals      uint32 // globals defined
	Work         int    // estimate of the work to compile it, in the unit of Limits.Work
}

// Instrument validates code and returns its rewritten form. Every error wraps [ErrRefused].
func Instrument(code []byte, cfg Config) ([]byte, Info, error) {
	if len(code) > cfg.Limits.CodeBytes {
		return nil, Info{}, fmt.Errorf("%w: code of %d bytes exceeds %d", ErrRefused, len(code), cfg.Limits.CodeBytes)
	}
	m := &module{cfg: cfg, deploy: none, call: none}
	r := &reader{buf: code}
	m.parse(r)
	if r.err != nil {
		return nil, Info{}, r.err
	}
	return m.emit(), m.info(), nil
}
