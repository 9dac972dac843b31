package node

import cmtlog "github.com/cometbft/cometbft/libs/log"

// NewFailureWatch opens newFailureWatch to tests.
func NewFailureWatch(l cmtlog.Logger) (cmtlog.Logger, <-chan struct{}) {
	w := newFailureWatch(l)
	return w, w.failed
}
