package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

var (
	ctx    = context.Background()
	uidOne = wire.ChainUID{1}
	uidTwo = wire.ChainUID{2}
)

const testKind = "pruntime"

func machine(t testing.TB, dir, program string) *device.Device {
	t.Helper()
	d, err := device.Open(dir, device.Options{
		Measurement: simulated.Measurement(program), Rand: rand.Reader, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testBinding(t testing.TB) binding {
	t.Helper()
	return binding{machine(t, t.TempDir(), "release 1"), uidOne, testKind}
}

type noLock struct{}

func (noLock) Close() error { return nil }

func openOn(t testing.TB, d disk, b binding) *Keyring {
	t.Helper()
	k, err := open(ctx, d, noLock{}, b, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fingerprint names everything that is sealed, without secrets.
func (s *state) fingerprint() string {
	show := func(c channel) string {
		if !c.held() {
			return "-"
		}
		return fmt.Sprintf("%s@%d", c.key.Public(), c.epoch)
	}
	return fmt.Sprintf("%s|%s|%s|%s|%x|%d|%x", s.standing(), s.keysPrint(), show(channel{s.receive, 0}), s.received, s.trusted,
		s.blockTime, s.given)
}

// keysPrint names what is handed over.
func (s *state) keysPrint() string {
	show := func(c channel) string {
		if !c.held() {
			return "-"
		}
		return fmt.Sprintf("%s@%d", c.key.Public(), c.epoch)
	}
	master := "-"
	if s.master != nil {
		master = s.master.Public().String()
	}
	return fmt.Sprintf("%s|%s|%s<%d|%s|%s", s.whose, show(s.current), show(s.previous), s.graceEnds, show(s.next), master)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rotate runs a whole rotation that the chain puts into epoch current + 1.
func rotate(t testing.TB, k *Keyring, graceEnds uint64) {
	t.Helper()
	key, epoch, err := k.BeginRotation(ctx)
	check(t, err)
	check(t, k.AdoptEpoch(ctx, key, epoch, graceEnds))
}

// send makes an envelope from a fresh client key.
func send(t testing.TB, to ecdh.PublicKey, epoch uint32, p commkey.Purpose) *envelope.Envelope {
	t.Helper()
	client := must(ecdh.Generate(rand.Reader))(t)
	return must(envelope.Seal(rand.Reader, uidOne, client, to, epoch, p, []byte("hello")))(t)
}

var errCut = errors.New("power cut")

// memDisk is a disk in memory that knows what would survive a power cut: of a file, the bytes that were synced; of
// the names, those that stood at the last Sync, or the newer ones, as luck will have it.
type memDisk struct {
	names, durable map[string]*inode
	ops            []string
	failAt         int  // the operation that fails, from 1; 0 for none
	stay           bool // only that operation fails, as on a full disk; otherwise all after it do
	lyingSync      bool // the control: a file's Sync does nothing
}

type inode struct{ data, synced []byte }

func newMemDisk() *memDisk { return &memDisk{names: map[string]*inode{}, durable: map[string]*inode{}} }

func (d *memDisk) step(op string) error {
	d.ops = append(d.ops, op)
	n := len(d.ops)
	if d.failAt > 0 && (n == d.failAt || (n > d.failAt && !d.stay)) {
		return errCut
	}
	return nil
}

// arm makes the n-th operation from now fail.
func (d *memDisk) arm(n int, stay bool) { d.ops, d.failAt, d.stay = nil, n, stay }

// after returns the disk as it is found after a power cut.
func (d *memDisk) after(newNames bool) *memDisk {
	from := d.durable
	if newNames {
		from = d.names
	}
	out := newMemDisk()
	for name, i := range from {
		kept := &inode{slices.Clone(i.synced), slices.Clone(i.synced)}
		out.names[name], out.durable[name] = kept, kept
	}
	return out
}

func (d *memDisk) Read(name string, limit int) ([]byte, error) {
	i, ok := d.names[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(i.data[:min(limit, len(i.data))]), nil
}

func (d *memDisk) Create(name string) (diskFile, error) {
	if _, ok := d.names[name]; ok {
		return nil, fs.ErrExist
	}
	if err := d.step("create"); err != nil {
		return nil, err
	}
	d.names[name] = &inode{}
	return &memFile{d, d.names[name]}, nil
}

func (d *memDisk) Rename(from, to string) error {
	if err := d.step("rename"); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *memDisk) Remove(name string) error {
	if err := d.step("remove"); err != nil {
		return err
	}
	if _, ok := d.names[name]; !ok {
		return fs.ErrNotExist
	}
	delete(d.names, name)
	return nil
}

func (d *memDisk) Sync() error {
	if err := d.step("sync directory"); err != nil {
		return err
	}
	d.durable = maps.Clone(d.names)
	return nil
}

type memFile struct {
	d *memDisk
	i *inode
}

func (f *memFile) Write(b []byte) (int, error) {
	if err := f.d.step("write"); err != nil {
		f.i.data = append(f.i.data, b[:len(b)/2]...)
		return len(b) / 2, err
	}
	f.i.data = append(f.i.data, b...)
	return len(b), nil
}

func (f *memFile) Sync() error {
	if err := f.d.step("sync file"); err != nil {
		return err
	}
	if !f.d.lyingSync {
		f.i.synced = slices.Clone(f.i.data)
	}
	return nil
}

func (f *memFile) Close() error { return f.d.step("close") }

var _ io.Writer = (*memFile)(nil)

// spySealer keeps the plaintexts that it was given to seal and those that it unsealed.
type spySealer struct {
	tee.Sealer
	seen [][]byte
}

func (s *spySealer) Seal(ctx context.Context, plaintext, aad []byte) ([]byte, error) {
	s.seen = append(s.seen, plaintext)
	return s.Sealer.Seal(ctx, plaintext, aad)
}

func (s *spySealer) Unseal(ctx context.Context, sealed, aad []byte) ([]byte, error) {
	plaintext, err := s.Sealer.Unseal(ctx, sealed, aad)
	s.seen = append(s.seen, plaintext)
	return plaintext, err
}
