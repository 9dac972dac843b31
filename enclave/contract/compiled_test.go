package contract

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/phalanx-network/phalanx/crypto/scale"
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

// stageParent makes a directory there, for this test alone.
func stageParent(t *testing.T) string {
	t.Helper()
	if !inMemory(shared) {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has no file system in memory at " + shared)
		}
		t.Skip("needs a file system in memory at " + shared)
	}
	dir, err := os.MkdirTemp(shared, "phalanx-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestKeptCode: an engine finds what another compiled; what is damaged is compiled again, and replaced.
func TestKeptCode(t *testing.T) {
	parent := stageParent(t)
	store := &keptCode{files: map[[32]byte][]byte{}}
	code := asm.Contract("", func(m *asm.Module) [][]byte { return hostCall(m, "seal2", "set_storage", 0, 4, 0, 4) })
	start := func() {
		t.Helper()
		e, err := newEngine(t.Context(), DefaultLimits(), wazero.NewRuntimeConfigCompiler(), parent)
		if err != nil {
			t.Fatal(err)
		}
		root := e.stage.root
		m, err := e.PrepareWith(t.Context(), code, store)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := e.stage.take(""); left != nil || err != nil {
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

// TestKeptCodeOfAnotherRelease: where the pass or wazero has changed, its cache looks for another name. What was kept is
// then of no use, and is replaced whichever of the two names comes first.
func TestKeptCodeOfAnotherRelease(t *testing.T) {
	parent := stageParent(t)
	code := asm.Contract("", func(m *asm.Module) [][]byte { return hostCall(m, "seal2", "set_storage", 0, 4, 0, 4) })
	prepare := func(store *keptCode) {
		t.Helper()
		e, err := newEngine(t.Context(), DefaultLimits(), wazero.NewRuntimeConfigCompiler(), parent)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close(context.Background())
		if _, err := e.PrepareWith(t.Context(), code, store); err != nil {
			t.Fatal(err)
		}
	}
	for _, digit := range []byte{'0', 'f'} {
		store := &keptCode{files: map[[32]byte][]byte{}}
		prepare(store)
		var hash [32]byte
		var now staged
		for h, raw := range store.files {
			hash = h
			if err := scale.Unmarshal(raw, &now); err != nil {
				t.Fatal(err)
			}
		}
		old := staged{filepath.Join(filepath.Dir(now.Name), strings.Repeat(string(digit), len(filepath.Base(now.Name)))), now.Code}
		store.files[hash] = scale.MustMarshal(&old)
		prepare(store)
		var after staged
		if err := scale.Unmarshal(store.files[hash], &after); err != nil {
			t.Fatal(err)
		}
		requireEqual(t, "name that is kept", after.Name, now.Name)
		requireEqual(t, "saves", store.saves, 2)
	}
}

// TestStagesLeftBehind: what a process that crashed has left goes at the next start; what is in use stays.
func TestStagesLeftBehind(t *testing.T) {
	parent := stageParent(t)
	used, err := newStage(parent)
	if err != nil {
		t.Fatal(err)
	}
	left, other := filepath.Join(parent, stagePrefix+"1"), filepath.Join(parent, "other")
	for _, dir := range []string{left, other} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(left, "code"), []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	next, err := newStage(parent)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{left: false, other: true, used.root: true, next.root: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s is there: %v", dir, err == nil)
		}
	}
	for _, s := range []*stage{used, next} {
		if err := s.close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStageIsRemoved: whoever cleans up behind the engine's back costs it nothing.
func TestStageIsRemoved(t *testing.T) {
	e, err := newEngine(t.Context(), DefaultLimits(), wazero.NewRuntimeConfigCompiler(), stageParent(t))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	if err := os.RemoveAll(e.stage.root); err != nil {
		t.Fatal(err)
	}
	store := &keptCode{files: map[[32]byte][]byte{}}
	if _, err := e.PrepareWith(t.Context(), echo(), store); err != nil {
		t.Fatal(err)
	}
	requireEqual(t, "saves", store.saves, 1)
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
