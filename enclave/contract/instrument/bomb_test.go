package instrument

import (
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// bombs are modules at the limits, each built to make a compiler work hard.
func bombs() map[string][]byte {
	single := func(locals string, code []byte) []byte {
		m := new(asm.Module)
		m.ImportMemory(2, 16)
		f := m.Func("", "", locals, code)
		m.Entry(f, f)
		return m.Bytes()
	}
	rep := func(c byte, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = c
		}
		return string(b)
	}
	nested := func(depth int, inner []byte) (b []byte) {
		for range depth {
			b = append(b, 0x03, 0x40)
		}
		b = append(b, inner...)
		for range depth {
			b = append(b, 0x0b)
		}
		return b
	}
	setAll := func(n int) (b []byte) {
		for i := range n {
			b = append(b, asm.Cat(asm.Get(uint32((i+1)%n)), asm.I32(1), asm.I32Add, asm.Set(uint32(i)))...)
		}
		return b
	}
	sets := setAll(1000)
	var blocks []byte
	for i := range 1000 {
		blocks = append(blocks, asm.Block(asm.Get(uint32(i)), asm.BrIf(0), asm.Get(uint32(i)), asm.Set(uint32((i*7)%1000)))...)
	}
	table := append(asm.Cat(asm.Get(0), []byte{0x0e}), asm.U32(2000)...)
	for i := range 2001 {
		table = append(table, asm.U32(uint32(i%500))...)
	}
	big := 120_000
	return map[string][]byte{
		"loops with all locals":  single(rep('i', 1000), nested(500, sets)),
		"many loops, all locals": single(rep('i', 1000), asm.Repeat(8, asm.Loop(sets, asm.Get(0), asm.BrIf(0)))),
		"many blocks":            single(rep('i', 1000), asm.Repeat(9, blocks)),
		"loop of blocks":         single(rep('i', 1000), asm.Repeat(9, asm.Loop(blocks, asm.Get(1), asm.BrIf(0)))),
		"empty loops":            single(rep('i', 1000), asm.Repeat(big/3, []byte{0x03, 0x40, 0x0b})),
		"ifs":                    single(rep('i', 1000), asm.Repeat(big/9, asm.Get(0), asm.If(asm.I32(1), asm.Set(0)))),
		"float":                  single(rep('d', 1000), asm.Repeat(big/7, asm.Get(0), asm.Get(1), []byte{0xa0}, asm.Set(0))),
		"adds":                   single(rep('i', 1000), asm.Repeat(big/7, asm.Get(0), asm.Get(1), asm.I32Add, asm.Set(0))),
		"calls":                  single(rep('i', 1000), asm.Repeat(big/2, asm.Call(0))),
		"branch tables":          single("i", nested(500, asm.Repeat(20, asm.Block(table)))),
		"live values": single("", asm.Repeat(12, asm.Cat(asm.Repeat(1000, asm.I32(0), asm.Load(0)),
			asm.Call(0), asm.Repeat(1000, asm.Drop)))),
		"many live": single("", asm.Repeat(12, asm.Cat(asm.Repeat(1000, asm.I32(0), asm.Load(0)),
			asm.Call(0), asm.Repeat(999, asm.I32Add), asm.Drop))),
	}
}

// TestCompileBombs: what the limits let through compiles in seconds, and what would take minutes is refused.
func TestCompileBombs(t *testing.T) {
	refused := map[string]bool{"many blocks": true, "loop of blocks": true, "empty loops": true, "ifs": true, "branch tables": true,
		"loops with all locals": true}
	for name, code := range bombs() {
		t.Run(name, func(t *testing.T) {
			out, info, err := Instrument(code, config())
			if refused[name] {
				if err == nil || !strings.Contains(err.Error(), "branches times locals") {
					t.Fatalf("not refused: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			r := wazero.NewRuntime(t.Context())
			defer r.Close(t.Context())
			if _, err := r.CompileModule(t.Context(), out); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes to %d, work %d: compiled in %v", len(code), len(out), info.Work, time.Since(start))
		})
	}
}
