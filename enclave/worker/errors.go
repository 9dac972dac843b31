package worker

import "errors"

// Errors of the doors that a caller can act on.
var (
	// ErrUnknownCluster says that this worker is no member of the cluster.
	ErrUnknownCluster = errors.New("this worker does not run that cluster")
	// ErrNotRunning says that the cluster is still waiting for keys or state.
	ErrNotRunning = errors.New("the cluster is not running here yet")
	// ErrBehind says that the worker has not reached the height that the query asks for.
	ErrBehind = errors.New("this worker is behind the height that the query asks for")
	// ErrStale says that the worker has seen no new header for too long to answer for the chain.
	ErrStale = errors.New("this worker has seen no new header for 60 s")
	// ErrStopped says that the role was stopped.
	ErrStopped = errors.New("the worker has stopped")
	// ErrNotYet says that what is asked for is not there yet; ask again.
	ErrNotYet = errors.New("not yet; ask again")
	// ErrNoReceipt says that the message at that index has no receipt: it was not executed, or is too old.
	ErrNoReceipt = errors.New("no receipt for that message")
	// ErrBusy says that too much is under way.
	ErrBusy = errors.New("too many requests are under way")
	// ErrReplayed says that a query was already seen in this incarnation.
	ErrReplayed = errors.New("query was already seen")
	// ErrExpired says that a query's not_after is past or too far ahead.
	ErrExpired = errors.New("query's not_after is past or more than 100 blocks ahead")
	// ErrQuery says that a query is malformed, not for this worker, or badly signed.
	ErrQuery = errors.New("query is malformed, not for this worker, or badly signed")
)
