package enclave

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/phalanx-network/phalanx/enclave/contract/pink"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/cache"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
	"github.com/phalanx-network/phalanx/enclave/worker"
)

// Outside says what queries of contracts may reach over HTTP. The zero value allows the public internet.
type Outside struct {
	Off     bool           // no requests at all
	Allowed []netip.Prefix // addresses that are allowed although they are not public
	Refused []netip.Prefix // addresses that are refused although they are
	Ports   []uint16       // ports below 1024 that are allowed beside 80 and 443
}

// maxRequests is how many HTTP requests of contracts are under way in one worker. A query that waits for one keeps its
// contract's memory, and nothing else that others wait for.
const maxRequests = 32

// extension makes what contracts reach through call_chain_extension.
func (e *Enclave) extension() (*pink.Extension, error) {
	config := pink.Config{
		Cache:  cache.New(cache.DefaultLimits(), e.cfg.Now),
		Worker: e.keys.Identity().Array(),
		Quote:  e.lastEvidence,
		Now:    e.now,
	}
	if e.cfg.Outside.Off {
		return pink.New(config)
	}
	roots, err := fetch.SystemRoots()
	if err != nil {
		// Without authorities nothing can be trusted over https; the operator decides whether that matters.
		e.cfg.Log.Warn("contracts have no HTTP: the image has no certificate authorities", "error", err)
		return pink.New(config)
	}
	limits := fetch.DefaultLimits()
	limits.AtOnce = maxRequests
	client, err := fetch.New(fetch.Config{
		Limits: limits, Roots: roots, Now: e.now,
		Policy: fetch.Policy{
			Addresses: e.cfg.Outside.Allowed, Refused: e.cfg.Outside.Refused, Ports: e.cfg.Outside.Ports,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("http of contracts: %w", err)
	}
	config.HTTP = worker.Aside(client)
	return pink.New(config)
}

// now is the host's clock, but never behind the newest verified block.
func (e *Enclave) now() time.Time {
	now := e.cfg.Now()
	if h, _, ok := e.chain.Header(); ok {
		if block := time.UnixMilli(int64(h.UnixMillis())); block.After(now) {
			return block
		}
	}
	return now
}

// lastEvidence is the evidence of the last registration. A contract gets no evidence of its own making: what it says
// would be signed as if this program said it.
func (e *Enclave) lastEvidence(context.Context) ([]byte, error) {
	if p := e.evidence.Load(); p != nil {
		return *p, nil
	}
	return nil, nil
}
