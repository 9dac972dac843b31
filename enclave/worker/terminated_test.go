package worker

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/enclave/contract/state"
)

// TestTerminatedAmongManyWrites: what a mark drops takes no longer for all that the batch before it has written. Looking
// through all of that for each contract took minutes, in which the cluster stood still.
func TestTerminatedAmongManyWrites(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	ring := func(uint32) ([]byte, bool) { return bytes.Clone(key), true }
	store, err := state.Open(t.Context(), t.TempDir(), rand.Reader, state.Options{StateKeys: ring, RootKeys: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	o := state.NewOverlay(store.View())
	set := func(id [32]byte, key []byte) {
		t.Helper()
		if err := o.Set(id, key, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(150_000) {
		set([32]byte{7}, be64(i))
	}
	const dead = 1_000
	for i := range uint64(dead) {
		id := [32]byte{8}
		binary.BigEndian.PutUint64(id[8:], i)
		set(id, []byte("own"))
		set(systemID, systemKey("d/", id[:]))
	}
	child, began := o.Begin(), time.Now()
	if err := dropTerminated(child); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := child.Commit(); err != nil {
		t.Fatal(err)
	}
	if left := o.WriteSet().Len(); left != 150_000 {
		t.Errorf("%d entries are left", left)
	}
}
