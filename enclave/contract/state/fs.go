package state

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// FS is what a [Store] asks of a file system. Nothing it returns is trusted.
type FS interface {
	// MkdirAll makes a directory, mode 0700, and those above it, durably.
	MkdirAll(dir string) error
	// ReadDir returns the names in a directory.
	ReadDir(dir string) ([]string, error)
	// Open opens a file for reading and returns its size.
	Open(path string) (ReadFile, int64, error)
	// Create makes a new file, mode 0600, and fails where one exists.
	Create(path string) (WriteFile, error)
	// Rename moves a file, atomically.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(path string) error
	// SyncDir makes what happened to the names in a directory durable.
	SyncDir(dir string) error
}

// ReadFile is a file open for reading.
type ReadFile interface {
	io.ReaderAt
	io.Closer
}

// WriteFile is a file open for writing at its end.
type WriteFile interface {
	io.WriteCloser
	// Sync makes what was written durable.
	Sync() error
}

// OS is the operating system's file system.
type OS struct{}

// MkdirAll implements [FS].
func (o OS) MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := o.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return o.SyncDir(parent)
}

// ReadDir implements [FS].
func (OS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Open implements [FS].
func (OS) Open(path string) (ReadFile, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Create implements [FS].
func (OS) Create(path string) (WriteFile, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Rename implements [FS].
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements [FS].
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir implements [FS].
func (OS) SyncDir(dir string) error {
	f, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
