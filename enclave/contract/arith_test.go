package contract

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// pureOps are instructions that take operands from the stack and cannot trap, by the types that they take and give.
var pureOps = func() map[string][][]byte {
	ops := make(map[string][][]byte)
	add := func(sig string, first, last byte) {
		for op := int(first); op <= int(last); op++ {
			ops[sig] = append(ops[sig], []byte{byte(op)})
		}
	}
	add("i>i", 0x45, 0x45)
	add("ii>i", 0x46, 0x4f)
	add("l>i", 0x50, 0x50)
	add("ll>i", 0x51, 0x5a)
	add("ff>i", 0x5b, 0x60)
	add("dd>i", 0x61, 0x66)
	add("i>i", 0x67, 0x69)
	add("ii>i", 0x6a, 0x6c)
	add("ii>i", 0x71, 0x78)
	add("l>l", 0x79, 0x7b)
	add("ll>l", 0x7c, 0x7e)
	add("ll>l", 0x83, 0x8a)
	add("f>f", 0x8b, 0x91)
	add("ff>f", 0x92, 0x98)
	add("d>d", 0x99, 0x9f)
	add("dd>d", 0xa0, 0xa6)
	for i, sig := range strings.Fields("l>i . . . . i>l i>l . . . . i>f i>f l>f l>f d>f i>d i>d l>d l>d f>d f>i d>l i>f l>d") {
		if sig != "." {
			add(sig, byte(0xa7+i), byte(0xa7+i))
		}
	}
	add("i>i", 0xc0, 0xc1)
	add("l>l", 0xc2, 0xc4)
	for i, sig := range strings.Fields("f>i f>i d>i d>i f>l f>l d>l d>l") {
		ops[sig] = append(ops[sig], []byte{0xfc, byte(i)})
	}
	return ops
}()

// locals of a generated program: four of each type.
const locals = "iiiillllffffdddd"

// drawProgram makes a straight program over locals that starts from drawn constants, many of them special floats.
func drawProgram(t *rapid.T) (code []byte) {
	sigs := rapid.SampledFrom([]string{"i>i", "ii>i", "l>i", "ll>i", "ff>i", "dd>i", "l>l", "ll>l", "f>f", "ff>f", "d>d", "dd>d",
		"i>l", "i>f", "l>f", "d>f", "i>d", "l>d", "f>d", "f>i", "d>l", "d>i", "f>l", "ff>f", "dd>d", "f>f", "d>d"})
	slot := rapid.Uint32Range(0, 3)
	base := func(typ byte) uint32 { return uint32(strings.IndexByte(locals, typ)) }
	f32 := rapid.OneOf(rapid.Uint32(), rapid.SampledFrom([]uint32{0, 1 << 31, 0x7f800000, 0xff800000, 0x7f800001, 0x7fc00000,
		0xffc00000, 0xffc12345, 1, 0x80000001, math.Float32bits(0.5), math.Float32bits(-2.5), 0x4f000000, 0xcf000000}))
	f64 := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1 << 63, 0x7ff << 52, 0xfff << 52, 0x7ff<<52 + 1,
		0x7ff8 << 48, 0xfff8 << 48, 0xfff8<<48 + 99, 1, 1<<63 + 1, math.Float64bits(0.5), math.Float64bits(1 << 63)}))
	for i, typ := range []byte(locals) {
		switch typ {
		case 'i':
			code = append(code, asm.I32(rapid.Int32().Draw(t, "i32"))...)
		case 'l':
			code = append(code, asm.I64(rapid.Int64().Draw(t, "i64"))...)
		case 'f':
			code = append(code, asm.F32(f32.Draw(t, "f32"))...)
		case 'd':
			code = binary.LittleEndian.AppendUint64(append(code, 0x44), f64.Draw(t, "f64"))
		}
		code = append(code, asm.Set(uint32(i))...)
	}
	for range rapid.IntRange(1, 60).Draw(t, "length") {
		sig := sigs.Draw(t, "signature")
		params, result, _ := strings.Cut(sig, ">")
		for _, p := range []byte(params) {
			code = append(code, asm.Get(base(p)+slot.Draw(t, "operand"))...)
		}
		code = append(code, rapid.SampledFrom(pureOps[sig]).Draw(t, "op")...)
		code = append(code, asm.Set(base(result[0])+slot.Draw(t, "target"))...)
	}
	return code
}

// storeLocals writes all locals to memory: 4·4 + 4·8 + 4·4 + 4·8 = 96 bytes.
func storeLocals() (code []byte) {
	offset := uint32(0)
	for i, typ := range []byte(locals) {
		op, size := byte(0x36), uint32(4)
		switch typ {
		case 'l':
			op, size = 0x37, 8
		case 'f':
			op = 0x38
		case 'd':
			op, size = 0x39, 8
		}
		code = append(code, asm.Cat(asm.I32(0), asm.Get(uint32(i)), asm.Op(op, 0, offset))...)
		offset += size
	}
	return code
}

// TestEnginesAgreeOnArithmetic: random programs leave the same bits in every local on both engines, NaN included.
func TestEnginesAgreeOnArithmetic(t *testing.T) {
	var both []*Engine
	for _, kind := range engines {
		both = append(both, startEngine(t, DefaultLimits(), kind.config()))
	}
	rapid.Check(t, func(t *rapid.T) {
		program := drawProgram(t)
		code := asm.Contract(locals, func(m *asm.Module) [][]byte {
			ret := returning(m)
			return [][]byte{program, storeLocals(), ret(0, 0, 96)}
		})
		var outs []Outcome
		for _, e := range both {
			m, err := e.Prepare(context.Background(), code)
			if err != nil {
				t.Fatal(err)
			}
			out, err := e.Execute(context.Background(), m, sampleCall(plenty), newStorage())
			if err != nil || out.Status != Done {
				t.Fatal(out, err)
			}
			outs = append(outs, out)
		}
		if string(outs[0].Output) != string(outs[1].Output) || outs[0].GasUsed != outs[1].GasUsed {
			t.Fatalf("compiler %x, %d gas\ninterpreter %x, %d gas", outs[0].Output, outs[0].GasUsed, outs[1].Output,
				outs[1].GasUsed)
		}
	})
}

// TestNaNIsCanonical: a NaN with a payload does not survive arithmetic, and does survive what only moves or signs it.
func TestNaNIsCanonical(t *testing.T) {
	const odd = 0xffc12345
	for op, want := range map[byte]uint32{
		0x8b: 0x7fc12345, 0x8c: 0x7fc12345, // abs, neg
		0x8d: 0x7fc00000, 0x8e: 0x7fc00000, 0x8f: 0x7fc00000, 0x90: 0x7fc00000, 0x91: 0x7fc00000,
		0x92: 0x7fc00000, 0x93: 0x7fc00000, 0x94: 0x7fc00000, 0x95: 0x7fc00000, 0x96: 0x7fc00000, 0x97: 0x7fc00000,
		0x98: odd, // copysign
	} {
		code := asm.Contract("", func(m *asm.Module) [][]byte {
			ret := returning(m)
			operands := asm.F32(odd)
			if op >= 0x92 {
				operands = append(operands, asm.F32(odd)...)
			}
			return [][]byte{asm.I32(0), operands, {op}, asm.Op(0x38, 2, 0), ret(0, 0, 4)}
		})
		out := run(t, code, newStorage())
		requireEqual(t, "bits", binary.LittleEndian.Uint32(out.Output), want)
	}
}

// FuzzEngines: whatever the code, the compiler and the interpreter give the same outcome, and nothing is a host fault.
func FuzzEngines(f *testing.F) {
	f.Add(flipper(), []byte{1, 2, 3, 4})
	f.Add(asm.Contract("i", search), []byte{})
	f.Add(asm.Contract("", func(*asm.Module) [][]byte { return [][]byte{asm.Call(0)} }), []byte{})
	f.Add(asm.Contract("", dirty), []byte{})
	f.Add(asm.Contract(locals, func(m *asm.Module) [][]byte {
		ret := returning(m)
		return [][]byte{asm.F32(0x7f800001), asm.F32(0xffc12345), {0x92}, asm.Set(8), storeLocals(), ret(0, 0, 96)}
	}), []byte{})
	for i := range hostFunctions {
		h := &hostFunctions[i]
		f.Add(asm.Contract("", func(m *asm.Module) [][]byte {
			return hostCall(m, h.module, h.name, make([]int32, len(h.params))...)
		}), []byte{9})
	}
	var both []*Engine
	for _, kind := range engines {
		both = append(both, startEngine(f, DefaultLimits(), kind.config()))
	}
	f.Fuzz(func(t *testing.T, code, input []byte) {
		var outs []Outcome
		var stores []*MapStorage
		for _, e := range both {
			m, err := e.Prepare(t.Context(), code)
			if err != nil {
				if !strings.Contains(err.Error(), ErrBadModule.Error()) {
					t.Fatalf("host fault: %v", err)
				}
				return
			}
			call, s := sampleCall(3_000_000), newStorage()
			call.Input = input[:min(len(input), 1000)]
			out, err := e.Execute(t.Context(), m, call, s)
			if err != nil {
				t.Fatalf("host fault: %v", err)
			}
			outs, stores = append(outs, out), append(stores, s)
		}
		requireEqual(t, "outcome", outs[1], outs[0])
		requireEqual(t, "storage", stores[1], stores[0])
	})
}
