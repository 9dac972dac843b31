package node

import (
	"sync"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// consensusFailure is what CometBFT logs when its consensus routine has ended for good. It is the only sign of it that
// the engine gives: its process lives on and answers from the last block.
const consensusFailure = "CONSENSUS FAILURE!!!"

// failureWatch is a logger that closes failed when the consensus engine reports its end.
type failureWatch struct {
	cmtlog.Logger
	failed chan struct{}
	once   *sync.Once
}

func newFailureWatch(l cmtlog.Logger) failureWatch {
	return failureWatch{l, make(chan struct{}), new(sync.Once)}
}

// Error logs, and notices the engine's end.
func (w failureWatch) Error(msg string, keyvals ...any) {
	w.Logger.Error(msg, keyvals...)
	if msg == consensusFailure {
		w.once.Do(func() { close(w.failed) })
	}
}

// With returns a logger with more context that notices the same.
func (w failureWatch) With(keyvals ...any) cmtlog.Logger {
	w.Logger = w.Logger.With(keyvals...)
	return w
}
