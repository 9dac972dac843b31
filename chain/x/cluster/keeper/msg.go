package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// msgServer answers the module's Msg service.
type msgServer struct{ *Keeper }

// NewMsgServer returns the module's Msg service.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k} }

// CreateCluster makes a cluster.
func (s msgServer) CreateCluster(
	ctx context.Context, m *types.MsgCreateCluster,
) (*types.MsgCreateClusterResponse, error) {
	if err := m.ValidateBasic(); err != nil {
		return nil, err
	}
	creator, err := parseAccount(m.Creator)
	if err != nil {
		return nil, err
	}
	members, err := parseKeys(m.Members)
	if err != nil {
		return nil, err
	}
	if err := s.operates(ctx, m.Creator, creator, members); err != nil {
		return nil, err
	}
	id, err := s.create(ctx, creator, members)
	if err != nil {
		return nil, err
	}
	return &types.MsgCreateClusterResponse{Cluster: id[:]}, nil
}

// AddMembers adds workers to a cluster.
func (s msgServer) AddMembers(ctx context.Context, m *types.MsgAddMembers) (*types.MsgAddMembersResponse, error) {
	if err := m.ValidateBasic(); err != nil {
		return nil, err
	}
	c, signer, err := s.changeable(ctx, m.Signer, m.Cluster)
	if err != nil {
		return nil, err
	}
	members, err := parseKeys(m.Members)
	if err != nil {
		return nil, err
	}
	if err := s.operates(ctx, m.Signer, signer, members); err != nil {
		return nil, err
	}
	if err := s.changeMembers(ctx, c, members, nil, reasonRequest); err != nil {
		return nil, err
	}
	return &types.MsgAddMembersResponse{}, nil
}

// RemoveMembers removes workers from a cluster.
func (s msgServer) RemoveMembers(
	ctx context.Context, m *types.MsgRemoveMembers,
) (*types.MsgRemoveMembersResponse, error) {
	if err := m.ValidateBasic(); err != nil {
		return nil, err
	}
	c, _, err := s.changeable(ctx, m.Signer, m.Cluster)
	if err != nil {
		return nil, err
	}
	members, err := parseKeys(m.Members)
	if err != nil {
		return nil, err
	}
	if err := s.changeMembers(ctx, c, nil, members, reasonRequest); err != nil {
		return nil, err
	}
	return &types.MsgRemoveMembersResponse{}, nil
}

// Deposit funds a cluster.
func (s msgServer) Deposit(ctx context.Context, m *types.MsgDeposit) (*types.MsgDepositResponse, error) {
	if err := m.ValidateBasic(); err != nil {
		return nil, err
	}
	from, err := parseAccount(m.Depositor)
	if err != nil {
		return nil, err
	}
	index, err := s.deposit(ctx, from, wire.ClusterID(m.Cluster), m.Amount, m.Beneficiary)
	if err != nil {
		return nil, err
	}
	return &types.MsgDepositResponse{Index: index}, nil
}

// ReleaseHeld pays a withdrawal that the bank had refused.
func (s msgServer) ReleaseHeld(
	ctx context.Context, m *types.MsgReleaseHeld,
) (*types.MsgReleaseHeldResponse, error) {
	if err := m.ValidateBasic(); err != nil {
		return nil, err
	}
	authority, err := s.registry.IsAuthority(ctx, m.Authority)
	if err != nil {
		return nil, err
	}
	if !authority {
		return nil, errorsmod.Wrapf(types.ErrNotAllowed, "%s is not the authority", m.Authority)
	}
	to, err := parseAccount(m.Recipient)
	if err != nil {
		return nil, err
	}
	if err := s.releaseHeld(ctx, wire.ClusterID(m.Cluster), m.Number, to); err != nil {
		return nil, err
	}
	return &types.MsgReleaseHeldResponse{}, nil
}

// changeable returns a cluster whose members the signer may change: the authority, or its creator.
func (k *Keeper) changeable(ctx context.Context, signer string, id []byte) (*wire.Cluster, wire.Account, error) {
	account, err := parseAccount(signer)
	if err != nil {
		return nil, account, err
	}
	c, err := k.Cluster(ctx, wire.ClusterID(id))
	if err != nil {
		return nil, account, err
	}
	authority, err := k.registry.IsAuthority(ctx, signer)
	if err != nil {
		return nil, account, err
	}
	if !authority && account != c.Creator {
		return nil, account, errorsmod.Wrapf(types.ErrNotAllowed, "%s has not created the cluster", signer)
	}
	return c, account, nil
}

// operates returns ErrNotAllowed unless the signer is the authority or the operator of every worker.
func (k *Keeper) operates(
	ctx context.Context, signer string, account wire.Account, workers []sr25519.PublicKey,
) error {
	authority, err := k.registry.IsAuthority(ctx, signer)
	if err != nil || authority {
		return err
	}
	for _, pk := range workers {
		w, registered, err := k.registry.Worker(ctx, pk)
		if err != nil {
			return err
		}
		if !registered {
			return errorsmod.Wrapf(types.ErrWorker, "%s is not registered", pk)
		}
		if w.Operator != account {
			return errorsmod.Wrapf(types.ErrNotAllowed, "%s has another operator", pk)
		}
	}
	return nil
}

func parseKeys(raw [][]byte) ([]sr25519.PublicKey, error) {
	out := make([]sr25519.PublicKey, 0, len(raw))
	for i, b := range raw {
		pk, err := sr25519.ParsePublicKey(b)
		if err != nil {
			return nil, errorsmod.Wrapf(types.ErrMalformed, "member %d: %v", i, err)
		}
		out = append(out, pk)
	}
	return out, nil
}

// parseAccount reads an account's address. It returns ErrMalformed for one that is not 20 bytes long.
func parseAccount(text string) (wire.Account, error) {
	raw, err := registrytypes.AccountCodec().StringToBytes(text)
	if err != nil {
		return wire.Account{}, errorsmod.Wrapf(types.ErrMalformed, "address: %v", err)
	}
	if len(raw) != len(wire.Account{}) {
		return wire.Account{}, errorsmod.Wrapf(types.ErrMalformed, "address of %d bytes, want 20", len(raw))
	}
	return wire.Account(raw), nil
}

func accountText(a wire.Account) (string, error) {
	return registrytypes.AccountCodec().BytesToString(a[:])
}
