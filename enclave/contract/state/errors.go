package state

import (
	"errors"
	"fmt"
)

// Errors that a caller can act on, wrapped with context.
var (
	// ErrDamaged says that a file is not what was written: changed, cut in its middle, swapped, or missing between others.
	ErrDamaged = errors.New("state: damaged")
	// ErrForeign says that a file is of another cluster.
	ErrForeign = errors.New("state: file of another cluster")
	// ErrVersion says that a file is of a format that this program does not know.
	ErrVersion = errors.New("state: unknown file version")
	// ErrKey says that the key of an epoch is not held, or is not the one a file was written under.
	ErrKey = errors.New("state: key not held")
	// ErrBound says that a key, value, batch or import is over its bound. Nothing has changed.
	ErrBound = errors.New("state: over its bound")
	// ErrCount says that a batch does not advance the topic count. Nothing has changed.
	ErrCount = errors.New("state: topic count does not advance")
	// ErrStale says that a write set or rehash is not of the newest view, or is unfinished. Nothing has changed.
	ErrStale = errors.New("state: not made on the newest state")
	// ErrReverted says that an overlay was given up, by a write or a new child of its parent, or is committed already.
	ErrReverted = errors.New("state: overlay is reverted or committed")
	// ErrImport says that transferred chunks are not an export.
	ErrImport = errors.New("state: chunks are no export")
	// ErrClosed says that the store is closed.
	ErrClosed = errors.New("state: store is closed")
)

// FileError says in which file and where an error was found. It unwraps to [ErrDamaged], [ErrForeign], [ErrVersion],
// [ErrKey] or the file system's error.
type FileError struct {
	File   string // name in the directory
	Offset int64  // bytes from its start
	Err    error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s at byte %d: %v", e.File, e.Offset, e.Err)
}

// Unwrap returns the error without its place.
func (e *FileError) Unwrap() error { return e.Err }
