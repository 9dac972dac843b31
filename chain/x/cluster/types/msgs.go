package types

import (
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/wire"
)

var (
	_ sdk.HasValidateBasic = (*MsgCreateCluster)(nil)
	_ sdk.HasValidateBasic = (*MsgAddMembers)(nil)
	_ sdk.HasValidateBasic = (*MsgRemoveMembers)(nil)
	_ sdk.HasValidateBasic = (*MsgDeposit)(nil)
	_ sdk.HasValidateBasic = (*MsgReleaseHeld)(nil)
)

// ValidateBasic checks the bounds that need no state. It returns ErrMalformed.
func (m *MsgCreateCluster) ValidateBasic() error { return checkMembers(m.Members) }

// ValidateBasic checks the bounds that need no state. It returns ErrMalformed.
func (m *MsgAddMembers) ValidateBasic() error {
	if err := checkCluster(m.Cluster); err != nil {
		return err
	}
	return checkMembers(m.Members)
}

// ValidateBasic checks the bounds that need no state. It returns ErrMalformed.
func (m *MsgRemoveMembers) ValidateBasic() error {
	if err := checkCluster(m.Cluster); err != nil {
		return err
	}
	return checkMembers(m.Members)
}

// ValidateBasic checks the bounds that need no state. It returns ErrMalformed or ErrAmount.
func (m *MsgDeposit) ValidateBasic() error {
	if err := checkCluster(m.Cluster); err != nil {
		return err
	}
	if err := m.Amount.Validate(); err != nil {
		return errorsmod.Wrap(ErrAmount, err.Error())
	}
	if len(m.Beneficiary) > wire.MaxBeneficiary {
		return errorsmod.Wrapf(ErrMalformed, "beneficiary of %d bytes, the most is %d", len(m.Beneficiary),
			wire.MaxBeneficiary)
	}
	return nil
}

// ValidateBasic checks the bounds that need no state. It returns ErrMalformed.
func (m *MsgReleaseHeld) ValidateBasic() error { return checkCluster(m.Cluster) }

func checkCluster(id []byte) error {
	if len(id) != len(wire.ClusterID{}) {
		return errorsmod.Wrapf(ErrMalformed, "cluster id of %d bytes, want 32", len(id))
	}
	return nil
}

func checkMembers(members [][]byte) error {
	if len(members) == 0 || len(members) > wire.MaxMembers {
		return errorsmod.Wrapf(ErrMalformed, "%d members, want 1 to %d", len(members), wire.MaxMembers)
	}
	for i, pk := range members {
		if len(pk) != 32 {
			return errorsmod.Wrapf(ErrMalformed, "member %d of %d bytes, want 32", i, len(pk))
		}
	}
	return nil
}
