// Package tpmtest runs a software TPM (swtpm, of Debian's package of that name) for tests: a process of its own, whose
// state is in a directory, so that a test can restart the machine or have two of them.
package tpmtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"
)

// Machine is a machine with a TPM that is switched on.
type Machine struct {
	t       testing.TB
	state   string
	socket  string
	process *exec.Cmd
	inUse   sync.Mutex
}

// Start switches a new machine on, and off when the test ends. It skips the test where swtpm is not installed, which is an
// error under CI.
func Start(t testing.TB) *Machine {
	t.Helper()
	if _, err := exec.LookPath("swtpm"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("swtpm is not installed")
		}
		t.Skip("swtpm is not installed (Debian: apt-get install swtpm)")
	}
	dir, err := os.MkdirTemp("", "tpm") // t.TempDir's paths are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	m := &Machine{t: t, state: filepath.Join(dir, "state"), socket: filepath.Join(dir, "s")}
	t.Cleanup(func() {
		m.off()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Mkdir(m.state, 0o700); err != nil {
		t.Fatal(err)
	}
	m.on()
	return m
}

// Restart switches the machine off and on again: registers begin anew, keys stay.
func (m *Machine) Restart() {
	m.t.Helper()
	m.off()
	m.on()
}

func (m *Machine) on() {
	m.t.Helper()
	m.process = exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+m.state,
		"--server", "type=unixio,path="+m.socket, "--flags", "not-need-init,startup-clear")
	m.process.Stderr = m.t.Output()
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		d, err := m.Dial()
		if err == nil {
			if err := d.Close(); err != nil {
				m.t.Fatal(err)
			}
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("swtpm does not answer: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (m *Machine) off() {
	m.t.Helper()
	if err := m.process.Process.Kill(); err != nil {
		m.t.Error(err)
	}
	var exit *exec.ExitError
	if err := m.process.Wait(); err != nil && !errors.As(err, &exit) {
		m.t.Error(err)
	}
	if err := os.Remove(m.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		m.t.Error(err)
	}
}

// Dial opens the TPM, as a program opens its device without a resource manager: what is not flushed stays. Another that
// dials waits until it is closed.
func (m *Machine) Dial() (transport.TPMCloser, error) {
	m.inUse.Lock() // swtpm has one client and does not let others wait
	c, err := net.Dial("unix", m.socket)
	if err != nil {
		m.inUse.Unlock()
		return nil, err
	}
	return conn{c, m.inUse.Unlock}, nil
}

type conn struct {
	net.Conn
	release func()
}

// Close lets the next one in. It must be called once.
func (c conn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// Send passes one command on; the response says its own length.
func (c conn) Send(command []byte) ([]byte, error) {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := c.Write(command); err != nil {
		return nil, err
	}
	head := make([]byte, 10)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[2:])
	if n < 10 || n > 4096 {
		return nil, fmt.Errorf("tpmtest: a response of %d bytes", n)
	}
	response := append(head, make([]byte, n-10)...)
	_, err := io.ReadFull(c, response[10:])
	return response, err
}
