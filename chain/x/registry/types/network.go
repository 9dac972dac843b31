package types

import (
	"cosmossdk.io/core/address"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
)

// Denom is the chain's base denomination: one millionth of a PHX.
const Denom = "uphx"

// Bech32 prefixes of the chain's addresses.
const (
	AccountPrefix   = "phx"
	ValidatorPrefix = "phxvaloper"
	ConsensusPrefix = "phxvalcons"
)

// AccountCodec reads and writes account addresses; it depends on no process-wide setting of the SDK.
func AccountCodec() address.Codec { return addresscodec.NewBech32Codec(AccountPrefix) }
