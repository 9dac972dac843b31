package clientcmd

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// isTerminal reports whether people read what is written to w.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress is a line that says what is awaited and for how long. It writes on a terminal only.
type progress struct {
	w     io.Writer
	began time.Time

	mu    sync.Mutex
	stage string
	done  chan struct{} // closed by stop; nil until the first stage
	ended sync.WaitGroup
}

func newProgress(w io.Writer) *progress { return &progress{w: w, began: time.Now()} }

// say changes what is awaited. The line appears once it has lasted a moment.
func (p *progress) say(stage string) {
	if !isTerminal(p.w) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = stage
	if p.done != nil {
		return
	}
	p.done = make(chan struct{})
	p.ended.Add(1)
	go p.draw(p.done)
}

func (p *progress) draw(done chan struct{}) {
	defer p.ended.Done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			p.mu.Lock()
			fmt.Fprintf(p.w, "\r\x1b[K\x1b[2m%s … %.1f s\x1b[0m", p.stage, time.Since(p.began).Seconds())
			p.mu.Unlock()
		}
	}
}

// clear removes the line for something else to be written.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// stop removes the line for good.
func (p *progress) stop() {
	p.mu.Lock()
	done := p.done
	p.done = nil
	p.mu.Unlock()
	if done == nil {
		return
	}
	close(done)
	p.ended.Wait()
	fmt.Fprint(p.w, "\r\x1b[K")
}
