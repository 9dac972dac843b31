package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
)

// home is a directory with keys, closed, and what is needed to open it again.
func home(t testing.TB) (dir string, sealer tee.Sealer, file []byte) {
	t.Helper()
	dir = t.TempDir()
	sealer = machine(t, t.TempDir(), "release 1")
	k := must(Open(ctx, dir, sealer, uidOne, testKind, rand.Reader))(t)
	check(t, k.Close())
	return dir, sealer, must(os.ReadFile(filepath.Join(dir, FileName)))(t)
}

// refuses opens the directory with file in place and expects an error and an untouched file.
func refuses(t *testing.T, dir string, sealer tee.Sealer, file []byte, want ...error) {
	t.Helper()
	path := filepath.Join(dir, FileName)
	check(t, os.WriteFile(path, file, 0o600))
	k, err := Open(ctx, dir, sealer, uidOne, testKind, rand.Reader)
	if k != nil || !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if got := must(os.ReadFile(path))(t); !bytes.Equal(got, file) {
		t.Fatal("a file that could not be read was changed")
	}
	if _, err := os.Stat(filepath.Join(dir, tempName)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("something was written beside it: %v", err)
	}
}

func TestOpenAgain(t *testing.T) {
	dir := t.TempDir()
	sealer := machine(t, t.TempDir(), "release 1")
	k := must(Open(ctx, dir, sealer, uidOne, testKind, rand.Reader))(t)
	rotate(t, k, 50)
	_, _, err := k.BeginRotation(ctx)
	if !errors.Is(err, ErrGrace) {
		t.Fatal(err)
	}
	must(k.GenerateMasterKey(ctx))(t)
	check(t, k.SaveTrusted(ctx, []byte("a header"), 1234))
	want, incarnation := k.state.fingerprint(), k.Incarnation()
	check(t, k.Close())

	again := must(Open(ctx, dir, sealer, uidOne, testKind, rand.Reader))(t)
	defer again.Close()
	if again.state.fingerprint() != want {
		t.Fatal("another state was loaded")
	}
	if again.Incarnation() == incarnation {
		t.Fatal("two starts have one incarnation")
	}
	info := must(os.Stat(filepath.Join(dir, FileName)))(t)
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v", info.Mode())
	}
	names := must(os.ReadDir(dir))(t)
	if len(names) != 2 || names[0].Name() != LockName || names[1].Name() != FileName {
		t.Fatalf("directory holds %v", names)
	}
}

func TestTruncatedFile(t *testing.T) {
	dir, sealer, file := home(t)
	for n := range file {
		refuses(t, dir, sealer, file[:n], ErrTruncated)
	}
	refuses(t, dir, sealer, append(slices.Clone(file), 0), ErrDamaged)
}

func TestFlippedFile(t *testing.T) {
	dir, sealer, file := home(t)
	for i := range file {
		for _, mask := range []byte{0x01, 0x80} {
			changed := slices.Clone(file)
			changed[i] ^= mask
			want := []error{ErrDamaged}
			switch {
			case i == len(fileMagic):
				want = []error{ErrVersion}
			case i > len(fileMagic) && i < prefixSize: // the length
				want = []error{ErrTruncated, ErrDamaged}
			}
			refuses(t, dir, sealer, changed, want...)
		}
	}
}

// TestForgedFile has a host that repairs the hash after each change: the seal itself must refuse.
func TestForgedFile(t *testing.T) {
	dir, sealer, file := home(t)
	end := len(file) - sha256.Size
	for i := range end {
		changed := slices.Clone(file)
		changed[i] ^= 4
		sum := sha256.Sum256(changed[:end])
		copy(changed[end:], sum[:])
		refuses(t, dir, sealer, changed,
			ErrDamaged, ErrTruncated, ErrVersion, ErrOtherNetwork, ErrOtherKind, ErrOtherMachine, ErrOtherProgram)
	}
	refuses(t, dir, sealer, nil, ErrTruncated)
	refuses(t, dir, sealer, bytes.Repeat([]byte{'x'}, 4096), ErrDamaged)
	refuses(t, dir, sealer, make([]byte, maxFile+10), ErrDamaged)
}

// TestForgedBinding writes another network's uid, or another kind, over a file's: the error of the frame is gone, and
// the seal's associated data refuses.
func TestForgedBinding(t *testing.T) {
	_, sealer, file := home(t)
	must(parseFile(file))(t)
	for _, other := range []binding{{sealer, uidTwo, testKind}, {sealer, uidOne, "pruntimf"}} {
		forged := slices.Clone(file)
		copy(forged[prefixSize:], other.uid[:])
		copy(forged[prefixSize+len(other.uid)+1:], other.kind)
		sum := sha256.Sum256(forged[:len(forged)-sha256.Size])
		copy(forged[len(forged)-sha256.Size:], sum[:])
		if _, err := other.decode(ctx, forged); !errors.Is(err, ErrDamaged) || !errors.Is(err, tee.ErrSealDamaged) {
			t.Fatalf("%x %s: %v", other.uid[:1], other.kind, err)
		}
	}
}

func TestOtherOwners(t *testing.T) {
	dir, sealer, file := home(t)
	machineDir := t.TempDir()
	mine := machine(t, machineDir, "release 1")
	tests := []struct {
		name string
		b    binding
		want error
	}{
		{"network", binding{sealer, uidTwo, testKind}, ErrOtherNetwork},
		{"kind", binding{sealer, uidOne, "other"}, ErrOtherKind},
		{"machine", binding{mine, uidOne, testKind}, ErrOtherMachine},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := Open(ctx, dir, tt.b.sealer, tt.b.uid, tt.b.kind, rand.Reader)
			if k != nil || !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if !bytes.Equal(must(os.ReadFile(filepath.Join(dir, FileName)))(t), file) {
				t.Fatal("the file was changed")
			}
		})
	}
	own := t.TempDir()
	check(t, must(Open(ctx, own, mine, uidOne, testKind, rand.Reader))(t).Close())
	_, err := Open(ctx, own, machine(t, machineDir, "release 2"), uidOne, testKind, rand.Reader)
	if !errors.Is(err, ErrOtherProgram) || !errors.Is(err, tee.ErrOtherMeasurement) {
		t.Fatalf("another release: %v", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir, sealer, file := home(t)
	k := must(Open(ctx, dir, sealer, uidOne, testKind, rand.Reader))(t)
	if _, err := Open(ctx, dir, sealer, uidOne, testKind, rand.Reader); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second process: %v", err)
	}
	check(t, k.Close())
	check(t, k.Close())
	refuses(t, dir, sealer, file[:10], ErrTruncated)
	// The failed start must have released the directory.
	check(t, os.WriteFile(filepath.Join(dir, FileName), file, 0o600))
	check(t, must(Open(ctx, dir, sealer, uidOne, testKind, rand.Reader))(t).Close())
}

// unreadable is a disk whose files cannot be read.
type unreadable struct{ *memDisk }

var errRead = errors.New("input/output error")

func (unreadable) Read(string, int) ([]byte, error) { return nil, errRead }

// TestUnreadableFile: an error other than "there is none" must not be taken for a first start.
func TestUnreadableFile(t *testing.T) {
	d, b := newMemDisk(), testBinding(t)
	openOn(t, d, b)
	d.ops = nil
	if _, err := open(ctx, unreadable{d}, noLock{}, b, rand.Reader); !errors.Is(err, errRead) {
		t.Fatal(err)
	}
	if len(d.ops) != 0 {
		t.Fatalf("wrote over a file that could not be read: %v", d.ops)
	}
}

func TestLeftoverIsRemoved(t *testing.T) {
	dir, sealer, _ := home(t)
	temp := filepath.Join(dir, tempName)
	victim := filepath.Join(t.TempDir(), "victim")
	check(t, os.WriteFile(victim, []byte("untouched"), 0o600))
	check(t, os.Symlink(victim, temp)) // a host's trap: writing through it would destroy another file
	k := must(Open(ctx, dir, sealer, uidOne, testKind, rand.Reader))(t)
	defer k.Close()
	check(t, k.SaveTrusted(ctx, []byte("h"), 1))
	if got := must(os.ReadFile(victim))(t); string(got) != "untouched" {
		t.Fatal("the keys were written through a link")
	}
	if info := must(os.Lstat(filepath.Join(dir, FileName)))(t); !info.Mode().IsRegular() {
		t.Fatalf("the sealed file is %v", info.Mode())
	}
}

func TestKindsAreChecked(t *testing.T) {
	b := testBinding(t)
	k := openOn(t, newMemDisk(), b)
	for _, kind := range []string{"", "a/b", "A", "a b", "message/v1", string(make([]byte, 33)), "über"} {
		if _, err := k.Sign(kind, nil); !errors.Is(err, ErrKind) {
			t.Errorf("signed kind %q: %v", kind, err)
		}
		other := b
		other.kind = kind
		if _, err := open(ctx, newMemDisk(), noLock{}, other, rand.Reader); !errors.Is(err, ErrKind) {
			t.Errorf("opened kind %q: %v", kind, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	d := newMemDisk()
	k := openOn(t, d, testBinding(t))
	before := k.state.fingerprint()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := k.GenerateMasterKey(gone); !errors.Is(err, context.Canceled) || k.state.fingerprint() != before {
		t.Fatal(err)
	}
}

func FuzzFile(f *testing.F) {
	_, sealer, file := home(f)
	b := binding{sealer, uidOne, testKind}
	f.Add(file)
	f.Add(file[:40])
	f.Add([]byte(fileMagic))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := b.decode(ctx, in)
		if (err == nil) != bytes.Equal(in, file) {
			t.Fatalf("%x: %v", in, err)
		}
		if err == nil && s.current.key == nil {
			t.Fatal("a state without keys")
		}
	})
}

// FuzzState: a plaintext is read and written back as the same bytes, or refused.
func FuzzState(f *testing.F) {
	k := openOn(f, newMemDisk(), testBinding(f))
	f.Add(must(k.state.marshal())(f))
	rotate(f, k, 7)
	must(k.GenerateMasterKey(ctx))(f)
	check(f, k.SaveTrusted(ctx, []byte("header"), 8))
	f.Add(must(k.state.marshal())(f))
	f.Add(make([]byte, slots*secretSize+20))
	p := newPair(f)
	f.Add(must(p.fresh.state.marshal())(f))
	p.handOver(f)
	f.Add(must(p.old.state.marshal())(f))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := unmarshalState(in)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if out := must(s.marshal())(t); !bytes.Equal(in, out) {
			t.Fatalf("%x became %x", in, out)
		}
	})
}
