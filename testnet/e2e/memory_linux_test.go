package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// inMemory counts each secret, those of zeros left out, in a process's writable memory.
func inMemory(pid int, secrets [][32]byte) (found []int, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, mem.Close()) }()
	found = make([]int, len(secrets))
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		var from, to uint64
		var perms string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &perms); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(perms, "rw") {
			continue
		}
		if err := countIn(mem, int64(from), int64(to), secrets, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// countIn reads one mapping in pieces that overlap by less than a secret.
func countIn(mem io.ReaderAt, from, to int64, secrets [][32]byte, found []int) error {
	buf := make([]byte, 1<<20)
	for from < to {
		n, err := mem.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if errors.Is(err, os.ErrPermission) {
			return err
		}
		if n == 0 {
			return nil // a mapping that went away since it was listed
		}
		for i, s := range secrets {
			if s != [32]byte{} {
				found[i] += bytes.Count(buf[:n], s[:])
			}
		}
		if int64(n) == to-from {
			return nil
		}
		from += max(int64(n)-31, 1)
	}
	return nil
}
