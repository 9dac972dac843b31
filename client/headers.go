package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/light"
)

const (
	clockDrift  = 10 * time.Second // how far a header may be ahead of the own clock
	maxClimb    = 512              // light blocks that one climb may fetch
	keptHeaders = 1024             // verified headers that are remembered
	keptStates  = 64               // verified headers from which verification can start again
	headerReuse = time.Second      // how long the newest header is taken to be the newest
	stateFile   = "light"
)

// headers follows the chain: it turns what a node says into verified headers. Every state is one that was reached from
// the trust root by verification.
type headers struct {
	cfg  Config
	node Node
	path string // of the trusted state on disk; empty for none

	turn   chan struct{} // holds one token while nobody works; a waiting caller can give up
	known  map[uint64]light.Header
	states []verified // by height, ascending
	newest light.Header
	asked  time.Time // when the node was last asked for its newest height
	saved  uint64
}

type verified struct {
	height uint64
	state  []byte // of a light.Client that stands there
}

func newHeaders(cfg Config, n Node) (*headers, error) {
	h := &headers{cfg: cfg, node: n, turn: make(chan struct{}, 1), known: map[uint64]light.Header{}}
	h.turn <- struct{}{}
	fresh, err := light.New(cfg.ChainID, cfg.TrustRoot, h.options())
	if err != nil {
		return nil, err
	}
	if cfg.CacheDir != "" {
		h.path = filepath.Join(cfg.CacheDir, stateFile)
		if c := h.load(); c != nil {
			fresh = c
		}
	}
	return h, h.keep(fresh)
}

func (h *headers) acquire(ctx context.Context) error {
	select {
	case <-h.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *headers) release() { h.turn <- struct{}{} }

func (h *headers) options() light.Options {
	return light.Options{TrustingPeriod: h.cfg.TrustingPeriod, MaxClockDrift: clockDrift}
}

// load takes up the state on disk. One that is missing, damaged or from another root costs nothing but verifying from
// the root again.
func (h *headers) load() *light.Client {
	b, err := os.ReadFile(h.path)
	if err != nil {
		return nil
	}
	c, err := light.Restore(h.cfg.ChainID, h.cfg.TrustRoot, h.options(), b)
	if err != nil {
		return nil
	}
	return c
}

// save writes the newest state.
func (h *headers) save() error {
	<-h.turn
	defer h.release()
	if h.path == "" || h.newest.Height <= h.saved || len(h.states) == 0 {
		return nil
	}
	if err := writeFile(h.path, h.states[len(h.states)-1].state); err != nil {
		return fmt.Errorf("client: cache: %w", err)
	}
	h.saved = h.newest.Height
	return nil
}

// writeFile replaces a file as a whole.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// keep remembers where a light client stands.
func (h *headers) keep(c *light.Client) error {
	state, err := c.Marshal()
	if err != nil {
		return err
	}
	header, ok := c.Latest()
	if ok {
		h.remember(header)
	}
	at := sort.Search(len(h.states), func(i int) bool { return h.states[i].height >= header.Height })
	if at < len(h.states) && h.states[at].height == header.Height {
		return nil
	}
	h.states = append(h.states, verified{})
	copy(h.states[at+1:], h.states[at:])
	h.states[at] = verified{header.Height, state}
	if len(h.states) > keptStates {
		h.states = h.states[1:]
	}
	return nil
}

func (h *headers) remember(header light.Header) {
	h.known[header.Height] = header
	if header.Height > h.newest.Height {
		h.newest = header
	}
	if len(h.known) <= keptHeaders {
		return
	}
	for height := range h.known {
		if height+keptHeaders < h.newest.Height || len(h.known) > 2*keptHeaders {
			delete(h.known, height)
		}
	}
}

// latest returns the newest verified header. It asks the node unless it did within reuse.
func (h *headers) latest(ctx context.Context, reuse time.Duration) (light.Header, error) {
	if err := h.acquire(ctx); err != nil {
		return light.Header{}, err
	}
	defer h.release()
	now := h.cfg.Now()
	if age := now.Sub(h.asked); h.newest.Height > 0 && age >= 0 && age < reuse {
		return h.newest, h.current(h.newest, now)
	}
	height, err := h.node.Latest(ctx)
	if err != nil {
		return light.Header{}, unreachable(err)
	}
	if height > h.newest.Height {
		if _, err := h.reach(ctx, height); err != nil {
			return light.Header{}, err
		}
	}
	h.asked = now
	if h.newest.Height == 0 {
		return light.Header{}, fmt.Errorf("%w: the chain has no block yet", ErrStaleChain)
	}
	return h.newest, h.current(h.newest, h.cfg.Now())
}

// current checks that a header is of now, so that a node that withholds blocks is not taken for the chain.
func (h *headers) current(header light.Header, now time.Time) error {
	if age := now.Sub(header.Time); age > MaxAge {
		return fmt.Errorf("%w: block %d is %s old; the node withholds blocks, the chain stands still, or this machine's clock is wrong",
			ErrStaleChain, header.Height, age.Round(time.Second))
	}
	return nil
}

// at returns the verified header at a height, which may be below the newest.
func (h *headers) at(ctx context.Context, height uint64) (light.Header, error) {
	if err := h.acquire(ctx); err != nil {
		return light.Header{}, err
	}
	defer h.release()
	return h.reach(ctx, height)
}

// reach verifies the header at a height from the nearest state at or below it.
func (h *headers) reach(ctx context.Context, height uint64) (light.Header, error) {
	if header, ok := h.known[height]; ok {
		return header, nil
	}
	c, err := h.base(height)
	if err != nil {
		return light.Header{}, err
	}
	h.cfg.Progress(StageHeader)
	header, err := h.climb(ctx, c, height)
	if err != nil {
		return light.Header{}, err
	}
	return header, h.keep(c)
}

// base returns a light client at the highest kept state that is not above a height.
func (h *headers) base(height uint64) (*light.Client, error) {
	if height < h.cfg.TrustRoot.Height {
		return nil, fmt.Errorf("%w: block %d lies below the trust root at %d", ErrUnconfirmed, height, h.cfg.TrustRoot.Height)
	}
	for i := len(h.states) - 1; i >= 0; i-- {
		if h.states[i].height <= height {
			return light.Restore(h.cfg.ChainID, h.cfg.TrustRoot, h.options(), h.states[i].state)
		}
	}
	return light.New(h.cfg.ChainID, h.cfg.TrustRoot, h.options())
}

// climb verifies up to a height, by way of as many headers in between as the validators' changes need.
func (h *headers) climb(ctx context.Context, c *light.Client, height uint64) (light.Header, error) {
	next := height
	if _, ok := c.Latest(); !ok {
		next = c.Root().Height
	}
	for range maxClimb {
		block, err := h.node.LightBlock(ctx, next)
		if err != nil {
			return light.Header{}, unreachable(err)
		}
		trusted, _ := c.Latest()
		header, err := c.Verify(block, h.cfg.Now())
		switch {
		case errors.Is(err, light.ErrNeedIntermediate) && next > trusted.Height+1:
			next = trusted.Height + (next-trusted.Height)/2
			continue
		case err != nil:
			return light.Header{}, refused(err)
		case header.Height != next:
			return light.Header{}, fmt.Errorf("%w: it gave block %d for block %d", ErrNodeLied, header.Height, next)
		}
		h.remember(header)
		if next == height {
			return header, nil
		}
		next = height
	}
	return light.Header{}, fmt.Errorf("%w: %d headers did not lead to block %d", ErrNodeLied, maxClimb, height)
}

// refused gives a light client's refusal the name that a caller acts on.
func refused(err error) error {
	switch {
	case errors.Is(err, light.ErrExpired):
		return fmt.Errorf("%w: %w", ErrTrustExpired, err)
	case errors.Is(err, light.ErrRoot):
		return fmt.Errorf("%w, or the chain uid is another network's: %w", ErrNodeLied, err)
	case errors.Is(err, light.ErrFuture):
		return fmt.Errorf("%w, or this machine's clock is wrong: %w", ErrNodeLied, err)
	}
	return fmt.Errorf("%w: %w", ErrNodeLied, err)
}

// unreachable names a failure to reach the node, unless it is the caller's own end of patience.
func unreachable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, node.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
