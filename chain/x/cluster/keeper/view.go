package keeper

import (
	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/wire"
)

// viewCluster writes a record as Query shows it.
func viewCluster(c *wire.Cluster) (types.Cluster, error) {
	creator, err := accountText(c.Creator)
	if err != nil {
		return types.Cluster{}, err
	}
	view := types.Cluster{
		Id:        c.ID.String(),
		Creator:   creator,
		CreatedAt: c.CreatedAt,
		KeyEpoch:  c.KeyEpoch,
		Marks:     c.Marks,
		NextPaid:  c.NextPaid,
		Escrow:    c.Escrow.String(),
	}
	for _, m := range c.Members {
		view.Members = append(view.Members, types.Member{Identity: m.Identity.String(), SinceEpoch: m.SinceEpoch})
	}
	if c.Fixed != nil {
		view.Fixed = &types.FixedKey{Epoch: c.Fixed.Epoch, Key: c.Fixed.Key.String(), Height: c.Fixed.Height}
	}
	if c.Finalized != nil {
		f := viewFinalized(c.Finalized)
		view.Finalized = &f
	}
	return view, nil
}

func viewFinalized(f *wire.Finalized) types.Finalized {
	return types.Finalized{
		Mark:         f.Mark,
		Count:        f.Count,
		KeyEpoch:     f.KeyEpoch,
		StateRoot:    f.StateRoot.String(),
		ReceiptsRoot: f.ReceiptsRoot.String(),
		Height:       f.Height,
		Reports:      uint32(f.Reports),
		Members:      uint32(f.Members),
		Unchecked:    f.Unchecked(),
	}
}

func viewContract(id wire.ContractID, r *wire.ContractRecord) types.Contract {
	return types.Contract{
		Id:       id.String(),
		Cluster:  r.Cluster.String(),
		CodeHash: r.CodeHash.String(),
		Index:    r.Index,
		Height:   r.Height,
	}
}
