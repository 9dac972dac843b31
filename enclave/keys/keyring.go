package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// Keyring holds the secrets of one pRuntime. It prints as "[keyring]", does not marshal and does not compare.
type Keyring struct {
	_ [0]func()

	binding binding
	disk    disk
	lock    io.Closer
	rand    io.Reader

	// writing is held by whoever changes the state, while it seals and writes; mu only while the state is read or
	// replaced, so that no reader waits for a disk. writing is taken first.
	writing     sync.Mutex
	mu          sync.RWMutex
	state       *state // nil once closed
	incarnation wire.Incarnation
}

// Open takes the directory dir, which it makes if need be, and returns its Keyring: the one that was sealed there, or,
// if the directory holds none, a new one that is sealed before Open returns. uid and kind, the sort of program (1 to 32
// of a-z, 0-9 and '-'), are what the sealed file is bound to. rand must be the operating system's CSPRNG outside tests,
// and safe for concurrent use.
//
// It fails with [ErrInUse] while another process has the directory, and with one of the errors of sealed files, or the
// sealer's own, if there is a file that does not open; that file is then left as it is.
func Open(ctx context.Context, dir string, sealer tee.Sealer, uid wire.ChainUID, kind string, rand io.Reader) (*Keyring, error) {
	return openDir(ctx, dir, binding{sealer, uid, kind}, rand, newState)
}

// openDir is Open with the state of a directory that holds none.
func openDir(ctx context.Context, dir string, b binding, rand io.Reader, first func(io.Reader) (*state, error)) (*Keyring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keys: make directory: %w", err)
	}
	d := directory(dir)
	lock, err := d.lock()
	if err != nil {
		return nil, err
	}
	k, err := openFirst(ctx, d, lock, b, rand, first)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", filepath.Join(dir, FileName), err), lock.Close())
	}
	return k, nil
}

func open(ctx context.Context, d disk, lock io.Closer, b binding, rand io.Reader) (*Keyring, error) {
	return openFirst(ctx, d, lock, b, rand, newState)
}

func openFirst(
	ctx context.Context, d disk, lock io.Closer, b binding, rand io.Reader, first func(io.Reader) (*state, error),
) (*Keyring, error) {
	if !wellFormed(b.kind) {
		return nil, fmt.Errorf("%w: %q", ErrKind, b.kind)
	}
	k := &Keyring{binding: b, disk: d, lock: lock, rand: rand}
	if err := k.drawIncarnation(); err != nil {
		return nil, err
	}
	file, err := d.Read(FileName, maxFile+1)
	if errors.Is(err, fs.ErrNotExist) {
		return k, k.create(ctx, first)
	}
	if err != nil {
		return nil, fmt.Errorf("keys: read: %w", err)
	}
	s, err := b.decode(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("%w (the file is left as it is)", err)
	}
	k.state = s
	return k, nil
}

// create draws and seals the first state.
func (k *Keyring) create(ctx context.Context, first func(io.Reader) (*state, error)) error {
	s, err := first(k.rand)
	if err != nil {
		return err
	}
	if err := k.persist(ctx, s); err != nil {
		s.eraseExcept(nil)
		return err
	}
	k.state = s
	return nil
}

func (k *Keyring) persist(ctx context.Context, s *state) error {
	file, err := k.binding.encode(ctx, s)
	if err != nil {
		return err
	}
	return replace(k.disk, file)
}

// errUnchanged is what an edit returns when there is nothing to write.
var errUnchanged = errors.New("keys: unchanged")

// change is amend for what needs the identity's keys: it fails where they are not here.
func (k *Keyring) change(ctx context.Context, edit func(*state) error) error {
	return k.amend(ctx, func(s *state) error {
		if err := s.held(); err != nil {
			return err
		}
		return edit(s)
	})
}

// amend lets edit work on a copy of the state, seals and writes the copy and only then puts it in the state's place.
// Secrets that the new state no longer holds are erased; if anything fails, those that only the copy holds are.
func (k *Keyring) amend(ctx context.Context, edit func(*state) error) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	old := k.state // only a holder of writing replaces it
	if old == nil {
		return ErrClosed
	}
	draft := *old
	err := edit(&draft)
	if err == nil {
		err = k.persist(ctx, &draft)
	}
	if err != nil {
		draft.eraseExcept(old)
		if errors.Is(err, errUnchanged) {
			return nil
		}
		return err
	}
	k.mu.Lock()
	k.state = &draft
	k.mu.Unlock()
	old.eraseExcept(&draft)
	return nil
}

// read calls f with the state, which stays whole while f runs. It fails where the identity's keys are not here.
func (k *Keyring) read(f func(*state) error) error {
	return k.look(func(s *state) error {
		if err := s.held(); err != nil {
			return err
		}
		return f(s)
	})
}

// look is read for what does not need the identity's keys.
func (k *Keyring) look(f func(*state) error) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.state == nil {
		return ErrClosed
	}
	return f(k.state)
}

// Close erases every secret from memory and releases the directory. Later calls of the Keyring fail with [ErrClosed].
func (k *Keyring) Close() error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == nil {
		return nil
	}
	k.state.eraseExcept(nil)
	k.state = nil
	return k.lock.Close()
}

// Identity returns the IdentityKey's public half, or the zero key once closed. Its private half may be another release's;
// see [Keyring.Standing].
func (k *Keyring) Identity() sr25519.PublicKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.state == nil {
		return sr25519.PublicKey{}
	}
	return k.state.whose
}

// Incarnation returns what tells this start from every other.
func (k *Keyring) Incarnation() wire.Incarnation {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.incarnation
}

func (k *Keyring) drawIncarnation() error {
	var fresh wire.Incarnation
	if k.rand == nil {
		return errors.New("keys: no randomness")
	}
	if _, err := io.ReadFull(k.rand, fresh[:]); err != nil {
		return fmt.Errorf("keys: incarnation: %w", err)
	}
	k.mu.Lock()
	k.incarnation = fresh
	k.mu.Unlock()
	return nil
}

// Sign signs `phalanx/<kind>/v1` ‖ chain_uid ‖ body with the IdentityKey. A kind is 1 to 32 of a-z, 0-9 and '-', and
// belongs to one record type: see the Kind constants of wire.
func (k *Keyring) Sign(kind string, body []byte) (sr25519.Signature, error) {
	if !wellFormed(kind) {
		return sr25519.Signature{}, fmt.Errorf("%w: %q", ErrKind, kind)
	}
	text := wire.SigningText(kind, k.binding.uid, body)
	var sig sr25519.Signature
	err := k.read(func(s *state) (err error) {
		sig, err = s.identity.Sign(k.rand, text)
		return err
	})
	return sig, err
}

func wellFormed(kind string) bool {
	for _, c := range []byte(kind) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(kind) > 0 && len(kind) <= maxKind
}

// Trusted returns a copy of the light client's trusted header, nil at the first start, and the floor of the enclave's
// clock: the newest verified block time that was saved, in Unix milliseconds.
func (k *Keyring) Trusted() (header []byte, blockTime uint64, err error) {
	err = k.look(func(s *state) error {
		header, blockTime = slices.Clone(s.trusted), s.blockTime
		return nil
	})
	return header, blockTime, err
}

// SaveTrusted seals the light client's trusted header, at most [MaxTrusted] bytes, and a verified block time in Unix
// milliseconds. The floor never sinks: a smaller block time leaves it.
func (k *Keyring) SaveTrusted(ctx context.Context, header []byte, blockTime uint64) error {
	return k.amend(ctx, func(s *state) error { return s.setTrusted(header, blockTime) })
}

// ReplaceTrustRoot is for a trusted header that was not verified from the one before but given anew by the operator.
// Since the new root might be a false chain's, it starts a new incarnation and erases what gatekeepers hold for others:
// the MasterKey, and the one-time key with which keys were asked for: what is handed to it would be believed on the false
// chain. The caller erases its ClusterKeys and other one-time keys.
func (k *Keyring) ReplaceTrustRoot(ctx context.Context, header []byte, blockTime uint64) error {
	// The incarnation first: should sealing fail, a superseded incarnation has merely ended early.
	if err := k.drawIncarnation(); err != nil {
		return err
	}
	return k.amend(ctx, func(s *state) error {
		s.master, s.receive = nil, nil
		return s.setTrusted(header, blockTime)
	})
}

func (s *state) setTrusted(header []byte, blockTime uint64) error {
	if len(header) > MaxTrusted {
		return fmt.Errorf("%w: %d bytes", ErrTrusted, len(header))
	}
	s.trusted = slices.Clone(header)
	s.blockTime = max(s.blockTime, blockTime)
	return nil
}

// EcdhKey returns the current EcdhKey's public half and its epoch.
func (k *Keyring) EcdhKey() (key ecdh.PublicKey, epoch uint32, err error) {
	err = k.read(func(s *state) error {
		key, epoch = s.current.key.Public(), s.current.epoch
		return nil
	})
	return key, epoch, err
}
