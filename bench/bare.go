package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// bare is wazero without anything of ours: the module as it is, a fresh instance for each call whose memory is taken
// from a pool of one, and host functions that do what the contract needs in the shortest way.
type bare struct {
	runtime wazero.Runtime
	slab    slab
	offered map[string]bool
}

func newBare(ctx context.Context) *bare {
	return &bare{
		runtime: wazero.NewRuntime(ctx), slab: slab{make([]byte, 256*page), 0}, offered: map[string]bool{},
	}
}

// input is what the running contract gets, from its context.
type inputKey struct{}

// returned ends a call, as it does in our engine: contracts rely on never coming back from there.
var returned = sys.NewExitError(0)

// shortest are the host functions that the measured calls use; every other one fails.
var shortest = map[string]api.GoModuleFunc{
	"seal0.input": func(ctx context.Context, m api.Module, s []uint64) {
		input, _ := ctx.Value(inputKey{}).([]byte)
		m.Memory().Write(uint32(s[0]), input)
		m.Memory().WriteUint32Le(uint32(s[1]), uint32(len(input)))
	},
	"seal0.value_transferred": func(_ context.Context, m api.Module, s []uint64) {
		m.Memory().Write(uint32(s[0]), make([]byte, 16))
		m.Memory().WriteUint32Le(uint32(s[1]), 16)
	},
	"seal0.now": func(_ context.Context, m api.Module, s []uint64) {
		m.Memory().Write(uint32(s[0]), make([]byte, 8))
		m.Memory().WriteUint32Le(uint32(s[1]), 8)
	},
	"seal1.get_storage": func(_ context.Context, m api.Module, s []uint64) {
		m.Memory().Write(uint32(s[2]), make([]byte, 4))
		m.Memory().WriteUint32Le(uint32(s[3]), 4)
		s[0] = 0
	},
	"seal0.seal_return": func(context.Context, api.Module, []uint64) { panic(returned) },
}

// offer makes what a module imports importable.
func (b *bare) offer(ctx context.Context, code wazero.CompiledModule) error {
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range code.ImportedFunctions() {
		module, name, _ := f.Import()
		do, ok := shortest[module+"."+name]
		if !ok {
			do = func(context.Context, api.Module, []uint64) { panic(fmt.Errorf("%s.%s is not offered", module, name)) }
		}
		if builders[module] == nil {
			builders[module] = b.runtime.NewHostModuleBuilder(module)
		}
		builders[module].NewFunctionBuilder().WithGoModuleFunction(do, f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	for module, builder := range builders {
		if old := b.runtime.Module(module); old != nil {
			if err := old.Close(ctx); err != nil {
				return err
			}
		}
		if _, err := builder.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare compiles a module and returns a call of it.
func (b *bare) prepare(ctx context.Context, code, input []byte) (func(int) error, error) {
	compiled, err := b.runtime.CompileModule(ctx, code)
	if err != nil {
		return nil, err
	}
	if err := b.offer(ctx, compiled); err != nil {
		return nil, err
	}
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(zeros{})
	ctx = experimental.WithMemoryAllocator(context.WithValue(ctx, inputKey{}, input), &b.slab)
	return func(int) error {
		m, err := b.runtime.InstantiateModule(ctx, compiled, config)
		if err != nil {
			return err
		}
		if err := m.ExportedFunction("call").CallWithStack(ctx, nil); err != nil && err != error(returned) {
			return errors.Join(err, m.Close(ctx))
		}
		return m.Close(ctx)
	}, nil
}

// zeros is read once for each instance, which costs more than it should with the default source.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// slab is the one memory that calls take, one after the other; it is zeroed after each.
type slab struct {
	bytes []byte
	used  int
}

// Allocate implements wazero's allocator.
func (s *slab) Allocate(_, _ uint64) experimental.LinearMemory { return s }

// Reallocate implements wazero's linear memory.
func (s *slab) Reallocate(size uint64) []byte {
	s.used = int(size)
	return s.bytes[:size:size]
}

// Free implements wazero's linear memory.
func (s *slab) Free() {
	clear(s.bytes[:s.used])
	s.used = 0
}

// ownMemory gives a contract's module with a memory of its own in place of the imported one, and changes nothing else.
func ownMemory(code []byte) ([]byte, error) {
	out := append([]byte(nil), code[:8]...)
	var memory []byte
	for rest := code[8:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		body := rest[1+n : 1+n+int(size)]
		rest = rest[1+n+int(size):]
		if id > 5 && memory != nil {
			out, memory = append(out, section(5, list(memory))...), nil
		}
		if id == 2 {
			var err error
			if body, memory, err = withoutMemory(body); err != nil {
				return nil, err
			}
		}
		out = append(out, section(id, body)...)
	}
	return out, nil
}

// withoutMemory takes the memory out of an import section.
func withoutMemory(body []byte) (imports, memory []byte, err error) {
	count, at := binary.Uvarint(body)
	var kept [][]byte
	for range count {
		start := at
		for range 2 { // the names
			size, n := binary.Uvarint(body[at:])
			at += n + int(size)
		}
		kind := body[at]
		at++
		desc := at
		switch kind {
		case 0: // the function's type
			_, n := binary.Uvarint(body[at:])
			at += n
		case 2: // the memory's limits, of which the second is there where the first byte is 1
			for range 1 + body[at] {
				_, n := binary.Uvarint(body[at+1:])
				at += n
			}
			at++
			memory = body[desc:at]
			continue
		default:
			return nil, nil, fmt.Errorf("%w: import of kind %d", errWrong, kind)
		}
		kept = append(kept, body[start:at])
	}
	return list(kept...), memory, nil
}
