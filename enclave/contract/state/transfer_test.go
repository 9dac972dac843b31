package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func importAll(chunks [][]byte, limits Limits, maximum int64) (*Tree, error) {
	im := NewImporter(limits, maximum)
	for _, c := range chunks {
		if err := im.Add(c); err != nil {
			return nil, err
		}
	}
	return im.Finish(context.Background(), 42, 1, testKey(0x81))
}

// bulky returns a tree whose entries lie across the bounds of chunks.
func bulky(t testing.TB) *Tree {
	t.Helper()
	tree, err := NewTree(1, testKey(0x81), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	o := NewOverlay(tree.View())
	for i, size := range []int{0, 1 << 20, 17, ChunkSize, ChunkSize - 38, 3, 1<<20 - 5, 100} {
		if err := o.Set(contractOf(byte(i%2)), fmt.Appendf(nil, "%d", i), bytes.Repeat([]byte{byte(i)}, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Apply(42, o.WriteSet()); err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestExportImport(t *testing.T) {
	empty, _ := NewTree(1, testKey(0x81), Limits{})
	for name, tree := range map[string]*Tree{"empty": empty, "bulky": bulky(t), "many": manyEntries(t, 9000)} {
		chunks := slices.Collect(Export(tree.View()))
		if len(chunks) != ChunkCount(tree.View()) {
			t.Errorf("%s: %d chunks, told %d", name, len(chunks), ChunkCount(tree.View()))
		}
		for i, c := range chunks {
			if len(c) > ChunkSize || i < len(chunks)-1 && len(c) != ChunkSize {
				t.Errorf("%s: chunk %d has %d bytes", name, i, len(c))
			}
		}
		got, err := importAll(chunks, Limits{}, tree.View().Size())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.View().Root() != tree.View().Root() || got.View().Size() != tree.View().Size() || got.View().Count() != 42 {
			t.Errorf("%s: import differs", name)
		}
		o := NewOverlay(got.View())
		if err := o.Set(contractOf(5), []byte("next"), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := got.Apply(43, o.WriteSet()); err != nil {
			t.Fatal(err)
		}
		for range Export(tree.View()) {
			break // an export may be given up
		}
	}
}

func TestImportRefusesLies(t *testing.T) {
	good := bytes.Join(slices.Collect(Export(manyEntries(t, 3).View())), nil)
	size := binary.LittleEndian.Uint64(good[8:])
	entry := (len(good) - streamHead) / 3
	with := func(change func(b []byte) []byte) [][]byte { return [][]byte{change(bytes.Clone(good))} }
	at := func(off int, b ...byte) func([]byte) []byte {
		return func(x []byte) []byte { copy(x[off:], b); return x }
	}
	for _, x := range []struct {
		name   string
		chunks [][]byte
		want   error
	}{
		{"nothing", nil, ErrImport},
		{"empty chunk", [][]byte{{}}, ErrImport},
		{"large chunk", [][]byte{make([]byte, ChunkSize+1)}, ErrImport},
		{"crumbs", [][]byte{good[:100], good[100:]}, ErrImport},
		{"cut", [][]byte{good[:len(good)-1]}, ErrImport},
		{"one byte more", with(func(b []byte) []byte { return append(b, 0) }), ErrImport},
		{"huge size", with(at(8, 255, 255, 255, 255, 255, 255, 255, 255)), ErrBound},
		{"size over maximum", with(at(8, 0, 0, 0, 1)), ErrBound},
		{"size below content", with(at(8, byte(size)-1)), ErrImport},
		{"size above content", with(at(8, byte(size)+1)), ErrImport},
		{"many entries told", with(at(0, 255, 255, 255)), ErrImport},
		{"few entries told", with(at(0, 2)), ErrImport},
		{"long key", with(at(streamHead+32, 255, 255)), ErrBound},
		{"long value", with(at(streamHead+34, 255, 255, 255, 255)), ErrBound},
		{"value over the size told", with(at(streamHead+34, 255, 255)), ErrImport},
		{"entry twice", with(func(b []byte) []byte {
			copy(b[streamHead+entry:], b[streamHead:streamHead+entry])
			return b
		}), ErrImport},
		{"out of order", with(func(b []byte) []byte {
			copy(b[streamHead:], good[streamHead+entry:streamHead+2*entry])
			copy(b[streamHead+entry:], good[streamHead:streamHead+entry])
			return b
		}), ErrImport},
	} {
		if _, err := importAll(x.chunks, Limits{}, 1<<20); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", x.name, err, x.want)
		}
	}
	if _, err := importAll([][]byte{good}, Limits{}, 1<<20); err != nil {
		t.Fatalf("the control: %v", err)
	}
}

func TestImportNoticesEveryBit(t *testing.T) {
	tree := manyEntries(t, 2)
	good := bytes.Join(slices.Collect(Export(tree.View())), nil)
	for bit := range len(good) * 8 {
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		got, err := importAll([][]byte{b}, Limits{}, 1<<20)
		if err == nil && got.View().Root() == tree.View().Root() {
			t.Fatalf("bit %d changes nothing", bit)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Join(slices.Collect(Export(manyEntries(f, 3).View())), nil))
	f.Add(make([]byte, streamHead))
	f.Fuzz(func(t *testing.T, b []byte) {
		var chunks [][]byte
		for c := range slices.Chunk(b, ChunkSize) {
			chunks = append(chunks, c)
		}
		tree, err := importAll(chunks, Limits{}, 1<<20)
		if err != nil {
			return
		}
		if again := bytes.Join(slices.Collect(Export(tree.View())), nil); !bytes.Equal(again, b) {
			t.Fatal("import then export gives other bytes")
		}
	})
}

func TestChunksArriveShuffled(t *testing.T) {
	chunks := slices.Collect(Export(bulky(t).View()))
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(chunks)-1, func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
	got, err := importAll(chunks, Limits{}, 16<<20)
	if err == nil && got.View().Root() == bulky(t).View().Root() {
		t.Fatal("order of chunks does not matter")
	}
}
