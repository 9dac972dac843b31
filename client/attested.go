package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	judgedReuse = time.Minute // how long a judgement stands: collateral may end meanwhile
	maxJudged   = 256         // workers whose judgement is remembered
)

// judgement is what was found of a worker in one registration.
type judgement struct {
	incarnation wire.Incarnation
	attestedAt  uint64
	at          time.Time
	refused     error // nil where the policy takes it
}

// judgements remembers what was judged. The zero value remembers nothing yet.
type judgements struct {
	mu sync.Mutex
	of map[sr25519.PublicKey]judgement
}

func (j *judgements) get(w *wire.WorkerState, now time.Time) (judgement, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	x, ok := j.of[w.Identity]
	age := now.Sub(x.at)
	return x, ok && x.incarnation == w.Incarnation && x.attestedAt == w.AttestedAt && age >= 0 && age < judgedReuse
}

func (j *judgements) put(w *wire.WorkerState, x judgement) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.of == nil || len(j.of) >= maxJudged {
		j.of = map[sr25519.PublicKey]judgement{}
	}
	j.of[w.Identity] = x
}

// attested returns an error that wraps [ErrNotAttested] unless the worker's evidence meets [Config.Attested], where one is
// set. Evidence that could not be had is asked for again the next time.
func (c *Client) attested(ctx context.Context, w Proven[wire.WorkerState]) error {
	if c.cfg.Attested == nil {
		return nil
	}
	now := c.cfg.Now()
	if x, ok := c.judged.get(&w.Record, now); ok {
		return x.refused
	}
	e, err := c.verifyWorker(ctx, w, Judging{Policy: c.cfg.Attested, At: now})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAttested, err)
	}
	x := judgement{incarnation: w.Record.Incarnation, attestedAt: w.Record.AttestedAt, at: now}
	if err := e.Report.Err(); err != nil {
		x.refused = fmt.Errorf("%w: %w", ErrNotAttested, err)
	}
	c.judged.put(&w.Record, x)
	return x.refused
}
