package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Names in the directory.
const (
	// FileName is the sealed file.
	FileName = "keys.sealed"
	// LockName is the file whose lock says that a process uses the directory.
	LockName = "keys.lock"

	tempName = FileName + ".tmp"
)

// disk is one directory, as the atomic replacement of a file needs it.
type disk interface {
	// Read returns a file's bytes, at most limit of them, or an error that is fs.ErrNotExist.
	Read(name string, limit int) ([]byte, error)
	// Create makes a file that must not exist yet, with mode 0600.
	Create(name string) (diskFile, error)
	Rename(from, to string) error
	Remove(name string) error
	// Sync makes the directory's names durable.
	Sync() error
}

type diskFile interface {
	io.Writer
	Sync() error
	Close() error
}

// replace puts data in the place of the file so that at every instant, and after a crash at any, the name holds the
// old bytes or the new ones, whole. After an error it may be either.
func replace(d disk, data []byte) (err error) {
	if err := d.Remove(tempName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keys: remove what a crash left: %w", err)
	}
	f, err := d.Create(tempName)
	if err != nil {
		return fmt.Errorf("keys: create: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		// The full disk that stopped the write should not stay full of this; if removal fails too, the next
		// replacement removes it.
		return errors.Join(fmt.Errorf("keys: write: %w", err), d.Remove(tempName))
	}
	if err := d.Rename(tempName, FileName); err != nil {
		return fmt.Errorf("keys: rename: %w", err)
	}
	if err := d.Sync(); err != nil {
		return fmt.Errorf("keys: sync directory: %w", err)
	}
	return nil
}

// directory is the disk that is one.
type directory string

func (d directory) path(name string) string { return filepath.Join(string(d), name) }

// Read implements disk.
func (d directory) Read(name string, limit int) ([]byte, error) {
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(limit)))
}

// Create implements disk.
func (d directory) Create(name string) (diskFile, error) {
	return os.OpenFile(d.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Rename implements disk.
func (d directory) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// Remove implements disk.
func (d directory) Remove(name string) error { return os.Remove(d.path(name)) }

// Sync implements disk.
func (d directory) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lock takes the directory for this process. The operating system releases it when the process ends, however it ends.
func (d directory) lock() (io.Closer, error) {
	f, err := os.OpenFile(d.path(LockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keys: lock file: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w: %s", ErrInUse, string(d))
	} else {
		err = fmt.Errorf("keys: lock %s: %w", string(d), err)
	}
	return nil, errors.Join(err, f.Close())
}
