package testnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// heirSuffix makes the id of a new release of that of the old one.
const heirSuffix = "-next"

// heir is what a new release of a pruntime is.
type heir struct {
	of       string // the old release's id
	program  string
	identity sr25519.PublicKey
}

// Upgrade starts a new release of a worker's or gatekeeper's pruntime beside it, with a home, ports and a relay of its own. It
// waits for the old one's keys, which `phalanx pruntime handover` brings; the old one runs on. Its id is the old one's followed
// by "-next", for Kill and Restart. It is part of the network until Stop, and not of a later start.
func (d *Devnet) Upgrade(ctx context.Context, id, program string) (Process, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, relay, err := d.find(id)
	if err != nil {
		return Process{}, err
	}
	if relay || old.enclave == nil || old.heir != nil {
		return Process{}, fmt.Errorf("%w: %.80q is no pruntime that can be upgraded here", ErrUnknownProcess, id)
	}
	e := enclavePlan{ID: id + heirSuffix, Gatekeeper: old.enclave.Gatekeeper}
	if !e.Gatekeeper {
		if e.Listen, err = freeAddress(); err != nil {
			return Process{}, err
		}
		if e.Peer, err = freeAddress(); err != nil {
			return Process{}, err
		}
	}
	u := &unit{id: e.ID, enclave: &e, heir: &heir{id, program, old.identity}}
	d.units = append(d.units, u)
	err = d.startEnclave(ctx, u)
	return Process{
		ID: u.id, PID: u.main.pid(), RelayPID: u.relay.pid(), Endpoint: u.endpoint, Home: d.plan.enclaveHome(e), Socket: d.plan.socket(e),
	}, errors.Join(err, d.writeNetworkLocked())
}
