package dispatch

import (
	"context"

	"github.com/phalanx-network/phalanx/wire"
)

// Custody says whether the identity's keys are here: they move from one release to the next.
type Custody interface {
	// Away is empty while the identity's keys are here, and otherwise the word that the status shows in place of a role.
	Away() string
	// Step runs in place of the roles while the keys are away. The chain has no Self then, and takes no Act.
	Step(ctx context.Context, c Chain) error
}

// away says where the identity's keys are, if not here.
func (d *Dispatcher) away() string {
	if d.cfg.Custody == nil {
		return ""
	}
	return d.cfg.Custody.Away()
}

// stepAway is step while the identity's keys are elsewhere: nothing is registered, no role acts, and what was not delivered
// never will be. The facts that are followed are the chain's and the identity's record.
func (d *Dispatcher) stepAway(ctx context.Context, away string) error {
	d.self, d.needsReg, d.role, d.outbox, d.problem = nil, false, away, outbox{}, ""
	d.suspend()
	err := d.checkUID()
	if err == nil {
		var params wire.NetworkParams
		var present bool
		if present, _, err = d.record(wire.KeyNetworkParams(), &params); present && err == nil {
			d.params = &params
		}
	}
	d.want(wire.KeyWorker(d.cfg.Keys.Identity()))
	if err == nil {
		err = d.cfg.Custody.Step(ctx, chain{d})
	}
	if err != nil {
		d.problem = err.Error()
	}
	return err
}
