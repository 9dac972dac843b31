//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// problem is how the operator learns of a full disk.
var problem = regexp.MustCompile(`msg=cluster .* phase="failed: .*no space left on device`)

// A worker whose disk is full says so and answers nothing wrong; with room again it goes on after a start.
func TestFullDisk(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	c.add(t, 1)
	n.kill(t, "worker-1")
	dir := filepath.Join(n.where.Workers[1].Home, "clusters")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		n.restart(t, "worker-1")
		needs(t, fmt.Sprintf("the right to mount a tmpfs (run it as root): %v", err))
	}
	t.Cleanup(func() { // the state goes with it, and comes back as after any loss
		n.kill(t, "worker-1")
		must(t, syscall.Unmount(dir, 0))
		n.restart(t, "worker-1")
		n.awaitRunning(t, n.workers[1])
		c.sound(t, n.workers...)
	})
	n.restart(t, "worker-1")
	n.awaitRunning(t, n.workers[1])
	c.exact(t, n.workers...)

	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	request := c.request(t, c.owner, "inc")
	sent, err := n.client.Send(limit(t), n.payer, request, request, request, request)
	must(t, err)
	c.value += 4
	eventually(t, func(ctx context.Context) error {
		phase, err := n.phase(ctx, n.workers[1])
		if err != nil {
			return err
		}
		if phase == nil || phase.Phase != "failed" {
			return fmt.Errorf("the worker says %v", phase)
		}
		log, err := os.ReadFile(filepath.Join(n.home, "logs", "worker-1-relay.log"))
		if err == nil && !problem.Match(log) { // the words are for the operator alone
			err = errors.New("the relay's log does not say what is the matter")
		}
		return err
	})
	_, err = sent[3].Receipt(limit(t)) // from the other worker; from here on an answer must stand on it
	must(t, err)
	if value, _, err := c.ask(limit(t), n.workers[1], c.owner, "get"); err == nil && value != fmt.Sprint(c.value) {
		t.Fatalf("the worker answers %s, not %d", value, c.value)
	}
	c.exact(t, n.workers[0])
	must(t, os.Remove(filler))
	n.restart(t, "worker-1")
	n.awaitRunning(t, n.workers[1])
	c.sound(t, n.workers...)
}

// fill writes a file until the disk takes no more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		if errors.Is(err, syscall.ENOSPC) {
			size /= 2
			continue
		}
		must(t, err)
	}
}
