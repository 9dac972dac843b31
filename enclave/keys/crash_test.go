package keys

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// operation is something that writes, and what must stand before it.
type operation struct {
	name    string
	prepare func(testing.TB, *Keyring)
	run     func(*Keyring) error
}

func operations() []operation {
	nothing := func(testing.TB, *Keyring) {}
	return []operation{
		{"begin rotation", nothing, func(k *Keyring) error { _, _, err := k.BeginRotation(ctx); return err }},
		{"adopt epoch", func(t testing.TB, k *Keyring) { _, _, err := k.BeginRotation(ctx); check(t, err) },
			func(k *Keyring) error { key, epoch, _ := k.Pending(); return k.AdoptEpoch(ctx, key, epoch, 10) }},
		{"expire", func(t testing.TB, k *Keyring) { rotate(t, k, 10) },
			func(k *Keyring) error { return k.Expire(ctx, 11) }},
		{"replace", nothing, func(k *Keyring) error { _, _, err := k.ReplaceEcdhKey(ctx, 7); return err }},
		{"master key", nothing, func(k *Keyring) error { _, err := k.GenerateMasterKey(ctx); return err }},
		{"trusted", nothing, func(k *Keyring) error { return k.SaveTrusted(ctx, []byte("header"), 9) }},
		{"trust root", func(t testing.TB, k *Keyring) { must(k.GenerateMasterKey(ctx))(t) },
			func(k *Keyring) error { return k.ReplaceTrustRoot(ctx, []byte("root"), 9) }},
	}
}

const stepsOfAWrite = 7 // remove, create, write, sync, close, rename, sync directory

// TestPowerCut cuts the power at each step of each operation. Whatever the disk kept of it, the next start finds the
// state before or the state after, whole; and the state after if the operation had reported success.
func TestPowerCut(t *testing.T) {
	b := testBinding(t)
	for _, op := range operations() {
		for at := 1; at <= stepsOfAWrite+1; at++ {
			for _, newNames := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%v", op.name, at, newNames), func(t *testing.T) {
					d := newMemDisk()
					k := openOn(t, d, b)
					op.prepare(t, k)
					before := k.state.fingerprint()
					d.arm(at, false)
					err := op.run(k)
					if at > stepsOfAWrite {
						check(t, err)
					} else if !errors.Is(err, errCut) {
						t.Fatalf("step %d of %v: %v", at, d.ops, err)
					}
					if inMemory := k.state.fingerprint(); err != nil && inMemory != before {
						t.Fatal("the operation failed, and yet the keyring changed")
					}
					found := openOn(t, d.after(newNames), b).state.fingerprint()
					if err == nil && found != k.state.fingerprint() {
						t.Fatal("what was reported as done is not on disk")
					}
					if err != nil && at < stepsOfAWrite-1 && found != before {
						t.Fatal("the file changed before the rename")
					}
				})
			}
		}
	}
}

// TestPowerCutAtTheFirstStart: the next start makes new keys, or finds those that were made.
func TestPowerCutAtTheFirstStart(t *testing.T) {
	b := testBinding(t)
	for at := 1; at <= stepsOfAWrite; at++ {
		for _, newNames := range []bool{false, true} {
			d := newMemDisk()
			d.arm(at, false)
			if _, err := open(ctx, d, noLock{}, b, rand.Reader); !errors.Is(err, errCut) {
				t.Fatalf("step %d: %v", at, err)
			}
			first := d.after(newNames)
			k := openOn(t, first, b)
			if again := openOn(t, first.after(false), b); again.Identity() != k.Identity() {
				t.Fatalf("step %d: the second start is another entity than the first", at)
			}
		}
	}
}

// TestPowerCutControl: the harness sees a file that was renamed before its bytes were safe.
func TestPowerCutControl(t *testing.T) {
	b, d := testBinding(t), newMemDisk()
	d.lyingSync = true
	openOn(t, d, b)
	if _, err := open(ctx, d.after(true), noLock{}, b, rand.Reader); !errors.Is(err, ErrTruncated) {
		t.Fatalf("a file whose bytes were lost gave %v", err)
	}
}

// TestFullDisk lets one step fail and nothing after it: the keyring stays as it was and works again afterwards.
func TestFullDisk(t *testing.T) {
	b := testBinding(t)
	for _, op := range operations() {
		for at := 1; at <= stepsOfAWrite; at++ {
			t.Run(fmt.Sprintf("%s/%d", op.name, at), func(t *testing.T) {
				d := newMemDisk()
				k := openOn(t, d, b)
				op.prepare(t, k)
				before := k.state.fingerprint()
				d.arm(at, true)
				if err := op.run(k); !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				if k.state.fingerprint() != before {
					t.Fatal("the keyring changed")
				}
				must(k.Sign("message", []byte("still here")))(t)
				key, epoch, err := k.EcdhKey()
				check(t, err)
				must(k.OpenEnvelope(send(t, key, epoch, 0)))(t)
				check(t, op.run(k))
				if openOn(t, d.after(false), b).state.fingerprint() != k.state.fingerprint() {
					t.Fatal("disk and memory differ")
				}
			})
		}
	}
}

// TestOrderOfSteps freezes the order on which TestPowerCut's model rests.
func TestOrderOfSteps(t *testing.T) {
	d := newMemDisk()
	openOn(t, d, testBinding(t))
	want := []string{"remove", "create", "write", "sync file", "close", "rename", "sync directory"}
	if !slices.Equal(d.ops, want) {
		t.Fatalf("%q", d.ops)
	}
}

// TestNoRandomness fails each operation that draws something; the keyring must stay as it was.
func TestNoRandomness(t *testing.T) {
	b := testBinding(t)
	if _, err := open(ctx, newMemDisk(), noLock{}, b, nil); err == nil {
		t.Fatal("opened without randomness")
	}
	for n := range 16 + 32 + 32 { // incarnation, identity key, ecdh key
		d := newMemDisk()
		if _, err := open(ctx, d, noLock{}, b, &finite{left: n}); err == nil {
			t.Fatalf("opened with %d random bytes", n)
		}
		if len(d.names) != 0 {
			t.Fatalf("%d random bytes: a file was left", n)
		}
	}
	k := openOn(t, newMemDisk(), b)
	before := k.state.fingerprint()
	k.rand = &finite{left: 31}
	_, _, beginErr := k.BeginRotation(ctx)
	_, masterErr := k.GenerateMasterKey(ctx)
	_, signErr := k.Sign("message", nil)
	_, oneTimeErr := k.NewOneTime()
	for _, err := range []error{beginErr, masterErr, signErr, oneTimeErr} {
		if err == nil {
			t.Fatal("worked without randomness")
		}
	}
	if k.state.fingerprint() != before {
		t.Fatal("the keyring changed")
	}
}

type finite struct{ left int }

func (f *finite) Read(b []byte) (int, error) {
	if f.left == 0 {
		return 0, errors.New("randomness has run out")
	}
	n := min(len(b), f.left)
	f.left -= n
	for i := range n {
		b[i] = byte(i + 1)
	}
	return n, nil
}
