package worker

import (
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// ownQuery answers a query that is to no contract but to the cluster itself: for the caller's balance, for a contract's
// code, for its logs.
func (cl *cluster) ownQuery(o *state.Overlay, inv *wire.Invocation) (wire.Outcome, error) {
	if len(inv.Payload.Input) == 0 {
		return ownBalance(o, inv)
	}
	var code wire.CodeRequest
	if scale.Unmarshal(inv.Payload.Input, &code) == nil {
		return codeFor(o, code.Contract)
	}
	return cl.logsFor(o, inv)
}

// codeFor tells which code a contract has. Who knows a contract's id may know that.
func codeFor(o *state.Overlay, id wire.ContractID) (wire.Outcome, error) {
	var e contractEntry
	ok, err := load(o, systemKey("c/", id[:]), &e)
	if err != nil {
		return wire.Outcome{}, err
	}
	if !ok || e.CodeHash.IsZero() {
		return fault(wire.StatusRefused, 0, "no such contract"), nil
	}
	reply := wire.CodeReply{Code: e.CodeHash, Born: e.Born}
	if e.Deployer != nil {
		by := wire.ContractID(*e.Deployer)
		reply.Deployer = &by
	}
	out, err := scale.Marshal(&reply)
	return wire.Outcome{Status: wire.StatusDone, Output: out}, err
}
