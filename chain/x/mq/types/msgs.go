package types

import (
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/wire"
)

var (
	_ sdk.HasValidateBasic = (*MsgPush)(nil)
	_ sdk.HasValidateBasic = (*MsgSubmit)(nil)
)

// ValidateBasic checks the bounds that need no state. It returns ErrMalformed.
func (m *MsgPush) ValidateBasic() error {
	if len(m.Entries) == 0 || len(m.Entries) > MaxEntries {
		return errorsmod.Wrapf(ErrMalformed, "%d entries, want 1 to %d", len(m.Entries), MaxEntries)
	}
	for i := range m.Entries {
		if err := m.Entries[i].validate(); err != nil {
			return errorsmod.Wrapf(err, "entry %d", i)
		}
	}
	return nil
}

func (e *PushEntry) validate() error {
	switch {
	case len(e.Cluster) != len(wire.ClusterID{}):
		return errorsmod.Wrapf(ErrMalformed, "cluster id of %d bytes, want 32", len(e.Cluster))
	case e.GasLog2 > wire.MaxGasLog2:
		return errorsmod.Wrapf(ErrMalformed, "gas of 2^%d, the most is 2^%d", e.GasLog2, wire.MaxGasLog2)
	case len(e.Envelope) > wire.MaxEnvelope:
		return errorsmod.Wrapf(ErrMalformed, "envelope of %d bytes, the most is %d", len(e.Envelope), wire.MaxEnvelope)
	}
	return nil
}

// ValidateBasic checks the bounds that need no state. It returns ErrMalformed.
func (m *MsgSubmit) ValidateBasic() error {
	if len(m.Messages) == 0 || len(m.Messages) > MaxEntries {
		return errorsmod.Wrapf(ErrMalformed, "%d messages, want 1 to %d", len(m.Messages), MaxEntries)
	}
	for i, raw := range m.Messages {
		if len(raw) > wire.MaxSignedMessage {
			return errorsmod.Wrapf(ErrMalformed, "message %d of %d bytes, the most is %d", i, len(raw),
				wire.MaxSignedMessage)
		}
	}
	return nil
}
