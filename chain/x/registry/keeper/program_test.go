package keeper_test

import (
	"testing"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/wire"
)

// program reads the record of a program with a measurement.
func (c *chain) program(measurement [32]byte) (wire.ProgramRecord, bool) {
	c.t.Helper()
	p := tee.Exactly(measurement[:])
	key := wire.KeyProgram(p.ID(tee.KindSimulated))
	var record wire.ProgramRecord
	raw := c.ctx.KVStore(c.store).Get([]byte(key.Key))
	if raw == nil {
		return record, false
	}
	ok(c.t, scale.Unmarshal(raw, &record))
	return record, true
}

// TestProgramsOfAnExport: on a chain that goes on from an export, every allowed program is its genesis's, and what was decided but
// not in force is not carried over.
func TestProgramsOfAnExport(t *testing.T) {
	g := devnetGenesis()
	g.Params.Delay = 2
	c := newChain(t, g)
	roots := simulated.Roots()
	for i, measurements := range [][][]byte{{release[:], next[:]}, {next[:]}} {
		_, err := c.k.DecideTrust(c.ctx, scale.MustMarshal(policy(measurements...)), scale.MustMarshal(&roots), 0)
		ok(t, err)
		if i == 0 {
			c.advance(2)
		}
	}
	exported, err := c.k.ExportGenesis(c.ctx)
	ok(t, err)
	c = newChain(t, exported)
	c.advance(3)
	for _, m := range [][32]byte{release, next} {
		if p, found := c.program(m); !found || p.Decided != 0 || p.Since != 0 {
			t.Fatalf("%+v, found %v", p, found)
		}
	}
	if n, err := c.k.NetworkParams(c.ctx); err != nil || n.Delay != 2 {
		t.Fatalf("%+v, %v", n, err)
	}
}

// TestPrograms: the records of programs follow the policy in force, and each keeps the heights of its own decision.
func TestPrograms(t *testing.T) {
	g := devnetGenesis()
	g.Params.Delay = 5
	c := newChain(t, g)
	roots := simulated.Roots()
	decide := func(measurements ...[]byte) {
		t.Helper()
		_, err := c.msg.UpdatePolicy(c.ctx, &types.MsgUpdatePolicy{
			Authority: authority, Policy: scale.MustMarshal(policy(measurements...)), Roots: scale.MustMarshal(&roots),
		})
		ok(t, err)
	}
	if p, found := c.program(release); !found || p.Decided != 0 || p.Since != 0 || len(p.Registers) != 1 {
		t.Fatalf("genesis: %+v", p)
	}
	decided := c.height()
	decide(release[:], next[:])
	c.advance(4)
	if _, found := c.program(next); found {
		t.Fatal("a decision has its record before it is in force")
	}
	c.advance(1)
	if p, found := c.program(next); !found || p.Decided != decided || p.Since != decided+5 {
		t.Fatalf("in force: %+v", p)
	}
	if p, found := c.program(release); !found || p.Since != 0 {
		t.Fatalf("a program that stays: %+v", p)
	}
	decide(next[:])
	c.advance(5)
	if _, found := c.program(release); found {
		t.Fatal("a program that is not allowed any more has a record")
	}
	if p, _ := c.program(next); p.Since != decided+5 {
		t.Fatalf("a program that stays: %+v", p)
	}
	if n, err := c.k.NetworkParams(c.ctx); err != nil || n.Delay != 5 {
		t.Fatalf("%+v, %v", n, err)
	}
}
