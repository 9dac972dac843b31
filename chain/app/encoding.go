package app

import (
	"fmt"

	"cosmossdk.io/core/address"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	"github.com/cosmos/cosmos-sdk/x/tx/signing"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
)

// Encoding is how the application and its clients encode messages and transactions.
type Encoding struct {
	Registry codectypes.InterfaceRegistry
	Codec    codec.Codec
	Amino    *codec.LegacyAmino
	Tx       client.TxConfig
}

// NewEncoding returns the encoding with the types of every module registered.
func NewEncoding() (Encoding, error) {
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: proto.HybridResolver,
		SigningOptions: signing.Options{
			AddressCodec:          accountCodec(),
			ValidatorAddressCodec: validatorCodec(),
		},
	})
	if err != nil {
		return Encoding{}, fmt.Errorf("interface registry: %w", err)
	}
	if err := registry.SigningContext().Validate(); err != nil {
		return Encoding{}, fmt.Errorf("message signers: %w", err)
	}
	enc := Encoding{
		Registry: registry,
		Codec:    codec.NewProtoCodec(registry),
		Amino:    codec.NewLegacyAmino(),
	}
	enc.Tx = authtx.NewTxConfig(enc.Codec, authtx.DefaultSignModes)
	std.RegisterLegacyAminoCodec(enc.Amino)
	std.RegisterInterfaces(registry)
	basics := BasicManager()
	basics.RegisterLegacyAminoCodec(enc.Amino)
	basics.RegisterInterfaces(registry)
	return enc, nil
}

func accountCodec() address.Codec   { return types.AccountCodec() }
func validatorCodec() address.Codec { return addresscodec.NewBech32Codec(types.ValidatorPrefix) }
func consensusCodec() address.Codec { return addresscodec.NewBech32Codec(types.ConsensusPrefix) }
