package rotation_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/rotation"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

var uid = wire.ChainUID{4}

type chain struct {
	*testing.T
	height uint64
	self   wire.WorkerState
	acts   []wire.Act
}

func (c *chain) UID() wire.ChainUID     { return uid }
func (c *chain) Header() light.Header   { return light.Header{Height: c.height} }
func (c *chain) Self() wire.WorkerState { return c.self }
func (c *chain) Params() wire.NetworkParams {
	return wire.NetworkParams{RotationInterval: 100, RotationGrace: 20}
}
func (c *chain) Act(a wire.Act) error                        { c.acts = append(c.acts, a); return nil }
func (c *chain) Record(wire.RecordKey) (dispatch.Fact, bool) { return dispatch.Fact{}, false }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func openRing(t *testing.T, dir string) *keys.Keyring {
	t.Helper()
	machine := must(device.Open(dir, device.Options{Measurement: simulated.Measurement("test"), Rand: rand.Reader, Now: time.Now}))
	ring := must(keys.Open(t.Context(), dir+"/keys", machine, uid, "pruntime", rand.Reader))
	t.Cleanup(func() { ring.Close() })
	return ring
}

func (c *chain) step(r *rotation.Rotation) {
	c.Helper()
	if err := r.Step(c.Context(), c); err != nil {
		c.Fatal(err)
	}
}

// accept plays the chain's part of a rotation.
func (c *chain) accept(a wire.Act) {
	c.self.Ecdh = wire.EcdhEpoch{Key: a.RotateEcdh.Key, Epoch: a.RotateEcdh.Epoch, Since: c.height}
}

func opens(ring *keys.Keyring, key ecdh.PublicKey, epoch uint32) bool {
	e := must(envelope.Seal(rand.Reader, uid, must(ecdh.Generate(rand.Reader)), key, epoch, commkey.Query, []byte("x")))
	_, err := ring.OpenEnvelope(e)
	return err == nil
}

// A key is replaced at the interval; nothing in flight is lost; the one before is erased after its grace.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	ring := openRing(t, dir)
	first, epoch, err := ring.EcdhKey()
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{T: t, height: 10, self: wire.WorkerState{Ecdh: wire.EcdhEpoch{Key: first, Epoch: epoch, Since: 10}}}
	r := rotation.New(ring)
	for c.height = 10; c.height < 110; c.height += 9 {
		c.step(r)
	}
	if len(c.acts) != 0 {
		t.Fatal("too early")
	}
	c.height = 110
	c.step(r)
	c.step(r)
	if len(c.acts) != 1 || c.acts[0].RotateEcdh.Epoch != epoch+1 {
		t.Fatalf("%+v", c.acts)
	}
	second := c.acts[0].RotateEcdh.Key
	if !opens(ring, first, epoch) || !opens(ring, second, epoch+1) {
		t.Fatal("while it is announced both keys open")
	}
	c.height = 121
	c.step(r)
	if len(c.acts) != 2 || c.acts[1].RotateEcdh.Key != second {
		t.Fatal("not repeated, or with another key")
	}
	// A restart announces the same key.
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	ring = openRing(t, dir)
	r = rotation.New(ring)
	if key, err := r.RegistrationKey(t.Context(), &c.self, 20); err != nil || key != first {
		t.Fatal("a registration before the change names the current key", err)
	}
	c.step(r)
	if len(c.acts) != 3 || c.acts[2].RotateEcdh.Key != second {
		t.Fatal("another key after a restart")
	}
	c.accept(c.acts[2])
	c.step(r)
	c.height += 20
	c.step(r)
	if !opens(ring, first, epoch) || !opens(ring, second, epoch+1) {
		t.Fatal("within the grace both open")
	}
	c.height++
	c.step(r)
	if opens(ring, first, epoch) || !opens(ring, second, epoch+1) {
		t.Fatal("after the grace the new one opens alone")
	}
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	if opens(openRing(t, dir), first, epoch) {
		t.Fatal("the old key is in the file")
	}
}

// A disk that is older than the chain lacks the chain's key: a fresh one is registered, and stays the same until the
// chain has it.
func TestOlderDisk(t *testing.T) {
	ring := openRing(t, t.TempDir())
	r := rotation.New(ring)
	held, _, err := ring.EcdhKey()
	if err != nil {
		t.Fatal(err)
	}
	if key, err := r.RegistrationKey(t.Context(), nil, 20); err != nil || key != held {
		t.Fatal("the first registration names the held key", err)
	}
	lost := must(ecdh.Generate(rand.Reader)).Public()
	record := &wire.WorkerState{Ecdh: wire.EcdhEpoch{Key: lost, Epoch: 7, Since: 50}}
	fresh, err := r.RegistrationKey(t.Context(), record, 20)
	if err != nil || fresh == held || fresh == lost {
		t.Fatal(err)
	}
	if again, err := r.RegistrationKey(t.Context(), record, 20); err != nil || again != fresh {
		t.Fatal("another key within one life", err)
	}
	c := &chain{T: t, height: 60, self: wire.WorkerState{Ecdh: wire.EcdhEpoch{Key: fresh, Epoch: 8, Since: 60}}}
	c.step(r)
	if key, epoch, _ := ring.EcdhKey(); key != fresh || epoch != 8 {
		t.Fatalf("%s in epoch %d", key, epoch)
	}
	if !opens(ring, fresh, 8) {
		t.Fatal("it does not open")
	}
}
