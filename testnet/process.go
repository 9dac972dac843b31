package testnet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a process may take to end after SIGTERM.
const stopTimeout = 10 * time.Second

// maxReadyLine bounds the line that a program prints when it is ready.
const maxReadyLine = 64 << 10

// launcher starts processes on one thread that lives as long as they: the kernel's death signal follows the thread, not
// the process, that started a child.
type launcher struct {
	starts chan func()
	ended  chan struct{}
}

func newLauncher() *launcher {
	l := &launcher{starts: make(chan func()), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range l.starts {
			f()
		}
	}()
	return l
}

func (l *launcher) start(cmd *exec.Cmd) error {
	result := make(chan error)
	l.starts <- func() { result <- cmd.Start() }
	return <-result
}

func (l *launcher) close() {
	close(l.starts)
	<-l.ended
}

// child is a process. Its methods are safe for concurrent use.
type child struct {
	id   string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how, then

	mu      sync.Mutex
	wanted  bool // whether its end was asked for
	onDeath func(*child)
}

// launch starts a program whose standard error goes to a log file, and its standard output too unless stdout is not
// nil: that gets the first line.
func launch(l *launcher, id, log string, first chan<- string, onDeath func(*child), path string, args ...string) (*child, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Stderr, cmd.Stdout = f, f
	cmd.SysProcAttr = processAttributes()
	var pipe io.ReadCloser
	if first != nil {
		cmd.Stdout = nil
		if pipe, err = cmd.StdoutPipe(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := l.start(cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", id, err), f.Close())
	}
	c := &child{id: id, cmd: cmd, done: make(chan struct{}), onDeath: onDeath}
	read := make(chan struct{})
	go func() {
		defer close(read)
		if pipe != nil {
			forward(pipe, first, f)
		}
	}()
	go c.await(read, f)
	return c, nil
}

// forward sends the first line and copies the rest to the log.
func forward(pipe io.Reader, first chan<- string, log io.Writer) {
	defer close(first)
	r := bufio.NewReaderSize(pipe, maxReadyLine)
	line, err := r.ReadSlice('\n')
	if err != nil {
		return // it ended before it was ready, or is no program of ours
	}
	first <- string(line)
	io.Copy(log, r) // a log that cannot be written loses lines, and nothing else
}

func (c *child) await(read <-chan struct{}, log *os.File) {
	<-read
	c.err = errors.Join(c.cmd.Wait(), log.Close())
	c.mu.Lock()
	wanted := c.wanted
	c.mu.Unlock()
	close(c.done)
	if !wanted && c.onDeath != nil {
		c.onDeath(c)
	}
}

func (c *child) pid() int {
	if c == nil {
		return 0
	}
	select {
	case <-c.done:
		return 0
	default:
		return c.cmd.Process.Pid
	}
}

// kill ends the process at once, by SIGKILL.
func (c *child) kill() error { return c.end(syscall.SIGKILL) }

// stop ends it in order, and by force where that takes too long.
func (c *child) stop() error {
	if c == nil {
		return nil
	}
	return c.end(syscall.SIGTERM)
}

func (c *child) end(sig syscall.Signal) error {
	c.mu.Lock()
	c.wanted = true
	c.mu.Unlock()
	if err := c.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", c.id, err)
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", c.id, err)
	}
	<-c.done
	return nil
}
