package contract

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// keptCode is a CompiledStore in memory.
type keptCode struct {
	files map[[32]byte][]byte
	saves int
	fails bool
}

func (k *keptCode) Load(code [32]byte) ([]byte, bool) { b, ok := k.files[code]; return b, ok }

func (k *keptCode) Save(code [32]byte, compiled []byte) error {
	if k.fails {
		return os.ErrPermission
	}
	k.saves++
	k.files[code] = bytes.Clone(compiled)
	return nil
}

// shared is where Linux has a file system in memory.
const shared = "/dev/shm"

// TestKeptCode: an engine finds what another compiled; what is damaged is compiled again, and replaced.
func TestKeptCode(t *testing.T) {
	if !inMemory(shared) {
		t.Skip("needs a file system in memory at " + shared)
	}
	store := &keptCode{files: map[[32]byte][]byte{}}
	code := asm.Contract("", func(m *asm.Module) [][]byte { return hostCall(m, "seal2", "set_storage", 0, 4, 0, 4) })
	start := func() {
		t.Helper()
		e, err := newEngine(t.Context(), DefaultLimits(), wazero.NewRuntimeConfigCompiler(), shared)
		if err != nil {
			t.Fatal(err)
		}
		root := e.stage.root
		m, err := e.PrepareWith(t.Context(), code, store)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := e.stage.take(); left != nil || err != nil {
			t.Fatalf("the stage still has %v, %v", left, err)
		}
		out, err := e.Execute(t.Context(), m, sampleCall(plenty), newStorage())
		if err != nil || out.Status != Done {
			t.Fatal(out, err)
		}
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(root); !os.IsNotExist(err) {
			t.Fatalf("%s outlives the engine: %v", root, err)
		}
	}
	start()
	requireEqual(t, "saves of the first", store.saves, 1)
	start()
	requireEqual(t, "saves of one that finds it", store.saves, 1)
	for hash, b := range store.files {
		b[len(b)/2] ^= 1 // inside the machine code, which wazero's check sum covers
		store.files[hash] = b
	}
	start()
	requireEqual(t, "saves of one that finds it damaged", store.saves, 2)
	for hash := range store.files {
		store.files[hash] = []byte("nonsense")
	}
	store.fails = true
	start()
}

// TestStageIsInMemory: on a disk nothing is kept, for the host could change machine code there.
func TestStageIsInMemory(t *testing.T) {
	if inMemory(t.TempDir()) {
		t.Skip("the temporary directory is in memory")
	}
	e, err := NewKeepingEngine(t.Context(), DefaultLimits(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	requireEqual(t, "keeps", e.Keeps(), false)
}
