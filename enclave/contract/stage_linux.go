package contract

import (
	"errors"
	"os"
	"syscall"
)

// Magic numbers of Linux's file systems in memory (statfs(2)).
const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
)

// inMemory reports whether a directory is on a file system in memory.
func inMemory(dir string) bool {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return false
	}
	kind := uint32(s.Type)
	return kind == tmpfsMagic || kind == ramfsMagic
}

// lockStage locks a directory until the file is closed, at the latest when the process ends; it fails where another
// holds it.
func lockStage(root string) (*os.File, error) {
	f, err := os.OpenFile(root, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := os.Stat(root); err != nil { // removed between its making and its locking
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
