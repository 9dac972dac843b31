package handover

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// clustersDir holds the encrypted state of a pRuntime's clusters, below its home.
const clustersDir = "clusters"

// State is what was copied of a home.
type State struct {
	Files int
	Bytes int64
}

// copyState copies the clusters' files from a home to another, which has them whole afterwards or not at all. Where the new home
// has some already, that was done before. The old home's stay: they are ciphertext, under keys that no file holds.
func copyState(from, to string) (State, error) {
	target := filepath.Join(to, clustersDir)
	if names, err := os.ReadDir(target); err == nil && len(names) > 0 {
		return State{}, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return State{}, fmt.Errorf("state: %w", err)
	}
	source := filepath.Join(from, clustersDir)
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		return State{}, nil // a gatekeeper, or a worker without a cluster
	} else if err != nil {
		return State{}, fmt.Errorf("state: %w", err)
	}
	partial := target + ".incoming"
	if err := os.RemoveAll(partial); err != nil {
		return State{}, fmt.Errorf("state: remove what a crash left: %w", err)
	}
	var s State
	if err := s.tree(source, partial); err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("state: %w", err)
	}
	if err := os.Rename(partial, target); err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	return s, syncDir(to)
}

func (s *State) tree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case e.IsDir():
			return os.Mkdir(target, 0o700)
		case !e.Type().IsRegular():
			return fmt.Errorf("%s is no file", path)
		}
		n, err := copyFile(path, target)
		s.Files, s.Bytes = s.Files+1, s.Bytes+n
		return err
	})
}

func copyFile(from, to string) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return n, errors.Join(err, out.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
