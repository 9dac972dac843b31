//go:build !linux

package contract

import (
	"errors"
	"os"
)

// inMemory reports whether a directory is on a file system in memory, which only Linux says.
func inMemory(string) bool { return false }

// lockStage is not asked for where nothing is in memory.
func lockStage(string) (*os.File, error) { return nil, errors.ErrUnsupported }
