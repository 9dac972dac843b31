package account

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

const (
	maxNameBytes = 64
	maxFileBytes = 16 << 10
	maxAccounts  = 4096 // files that List reads
	fileSuffix   = ".json"
)

// Errors that a caller can act on.
var (
	// ErrUnknown says that the store has no account of that name.
	ErrUnknown = errors.New("no such account")
	// ErrExists says that the store has an account of that name; it is never overwritten.
	ErrExists = errors.New("an account of that name exists")
	// ErrName says that a name is not 1 to 64 letters, digits, hyphens, underscores or dots, beginning with a letter or
	// digit.
	ErrName = errors.New("bad account name")
	// ErrPassphrase says that a passphrase does not open a key file, or that the file was changed.
	ErrPassphrase = errors.New("passphrase is wrong, or the key file was changed")
	// ErrPassphraseNeeded says that the account is protected and no passphrase was given.
	ErrPassphraseNeeded = errors.New("the account is protected by a passphrase")
	// ErrFile says that a key file is damaged.
	ErrFile = errors.New("key file is damaged")
)

// Store is a folder of key files, NAME.json each.
type Store struct{ dir string }

// Open returns the store in the folder keys below home. The folder is made by the first [Store.Put].
func Open(home string) *Store { return &Store{dir: filepath.Join(home, "keys")} }

// Dir returns the folder.
func (s *Store) Dir() string { return s.dir }

// Entry is what a key file shows without a passphrase.
type Entry struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	Identity  string `json:"identity"` // 0x and 64 hexadecimal digits
	Protected bool   `json:"protected"`
}

// Put stores an account under a new name, under the passphrase, or unprotected where it is empty. Random is the
// operating system's CSPRNG outside tests.
func (s *Store) Put(name string, a *Account, passphrase []byte, random io.Reader) (err error) {
	if err := CheckName(name); err != nil {
		return err
	}
	raw, err := encodeFile(name, a, passphrase, random)
	if err != nil {
		return err
	}
	defer clear(raw)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("key store: %w", err)
	}
	f, err := os.CreateTemp(s.dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("key store: %w", err)
	}
	defer func() { err = errors.Join(err, removeIfThere(f.Name())) }()
	_, werr := f.Write(raw)
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	// Link, not rename: it fails where the name exists.
	if err := os.Link(f.Name(), s.path(name)); errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, name)
	} else if err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	return syncDir(s.dir)
}

// Get opens an account. For an unprotected one the passphrase is ignored.
func (s *Store) Get(name string, passphrase []byte) (*Account, error) {
	f, err := s.read(name)
	if err != nil {
		return nil, err
	}
	return f.open(passphrase)
}

// Entry returns what is known of an account without its passphrase.
func (s *Store) Entry(name string) (Entry, error) {
	f, err := s.read(name)
	if err != nil {
		return Entry{}, err
	}
	return f.entry(), nil
}

// List returns the accounts in the order of their names.
func (s *Store) List() ([]Entry, error) {
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	var out []Entry
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), fileSuffix)
		if !ok || CheckName(name) != nil {
			continue
		}
		if len(out) == maxAccounts {
			return nil, fmt.Errorf("key store has over %d accounts", maxAccounts)
		}
		e, err := s.Entry(name)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Remove deletes an account's file. Without its mnemonic the account is lost.
func (s *Store) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	err := os.Remove(s.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	if err != nil {
		return fmt.Errorf("key store: %w", err)
	}
	return syncDir(s.dir)
}

// CheckName checks an account's name; it becomes a file's.
func CheckName(name string) error {
	if name == "" || len(name) > maxNameBytes {
		return fmt.Errorf("%w: %d bytes", ErrName, len(name))
	}
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("-_.", r)) {
			return fmt.Errorf("%w: %q", ErrName, name)
		}
	}
	return nil
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name+fileSuffix) }

func (s *Store) read(name string) (*keyFile, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	f, err := os.Open(s.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", name, err)
	}
	defer clear(raw)
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%w: %s is over %d bytes", ErrFile, name, maxFileBytes)
	}
	k, err := decodeFile(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if k.Name != name {
		return nil, fmt.Errorf("%w: %s holds the account %q", ErrFile, name, k.Name)
	}
	return k, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
