package keeper

import (
	"context"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// setPrograms writes the records of the programs that a policy allows, which enclaves prove before they give keys to one, and
// removes those of programs that it does not. A program that stays allowed keeps the heights of its own decision.
func (k *Keeper) setPrograms(ctx context.Context, policy *tee.Policy, decided, since uint64) error {
	fresh := make(map[wire.Hash]wire.ProgramRecord)
	var order []wire.Hash
	for i := range policy.Accept {
		a := &policy.Accept[i]
		for j := range a.Programs {
			id := wire.Hash(a.Programs[j].ID(a.Kind))
			fresh[id] = programRecord(a.Kind, &a.Programs[j], decided, since)
			order = append(order, id)
		}
	}
	store := k.store.OpenKVStore(ctx)
	kept := make(map[wire.Hash]bool)
	var gone [][]byte
	err := k.each(ctx, prefixProgram, func(key, _ []byte) {
		if _, ok := fresh[wire.Hash(key)]; ok {
			kept[wire.Hash(key)] = true
			return
		}
		gone = append(gone, append([]byte(prefixProgram), key...))
	})
	if err != nil {
		return err
	}
	for _, key := range gone {
		if err := store.Delete(key); err != nil {
			return err
		}
	}
	for _, id := range order {
		record := fresh[id]
		if kept[id] {
			continue
		}
		raw, err := scale.Marshal(&record)
		if err != nil {
			return err
		}
		if err := store.Set([]byte(wire.KeyProgram(id).Key), raw); err != nil {
			return err
		}
	}
	return nil
}

func programRecord(kind tee.Kind, p *tee.Program, decided, since uint64) wire.ProgramRecord {
	r := wire.ProgramRecord{Kind: uint8(kind), Decided: decided, Since: since}
	for _, x := range p.Registers {
		r.Registers = append(r.Registers, wire.ProgramRegister{Name: x.Name, Value: x.Value})
	}
	return r
}
