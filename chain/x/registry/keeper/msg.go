package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

type msgServer struct{ *Keeper }

// NewMsgServer returns what accounts may do.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k} }

// RegisterWorker charges gas for the evidence before any of it is parsed.
func (s msgServer) RegisterWorker(
	ctx context.Context, m *types.MsgRegisterWorker,
) (*types.MsgRegisterWorkerResponse, error) {
	chargeEvidence(ctx, len(m.Registration)+len(m.Evidence))
	operator, err := parseAccount(m.Operator)
	if err != nil {
		return nil, err
	}
	w, err := s.Register(ctx, Application{
		Operator: operator, Registration: m.Registration, Evidence: m.Evidence, Signature: m.Signature,
	})
	if err != nil {
		return nil, err
	}
	return &types.MsgRegisterWorkerResponse{EcdhEpoch: w.Ecdh.Epoch}, nil
}

func (s msgServer) UpdateEndpoints(
	ctx context.Context, m *types.MsgUpdateEndpoints,
) (*types.MsgUpdateEndpointsResponse, error) {
	operator, err := parseAccount(m.Operator)
	if err != nil {
		return nil, err
	}
	pk, err := parseIdentity(m.Identity)
	if err != nil {
		return nil, err
	}
	return &types.MsgUpdateEndpointsResponse{}, s.SetEndpoints(ctx, operator, pk, m.Endpoints, m.PeerUrls)
}

func (s msgServer) NameGatekeepers(
	ctx context.Context, m *types.MsgNameGatekeepers,
) (*types.MsgNameGatekeepersResponse, error) {
	if err := s.authorize(ctx, m.Authority); err != nil {
		return nil, err
	}
	if len(m.Identities) > wire.MaxGatekeepers {
		return nil, errorsmod.Wrapf(types.ErrMalformed, "%d gatekeepers", len(m.Identities))
	}
	var members []sr25519.PublicKey
	for _, raw := range m.Identities {
		pk, err := parseIdentity(raw)
		if err != nil {
			return nil, err
		}
		members = append(members, pk)
	}
	since, err := s.Keeper.NameGatekeepers(ctx, members)
	if err != nil {
		return nil, err
	}
	return &types.MsgNameGatekeepersResponse{Since: since}, nil
}

// RequestHandover charges gas for the evidence before any of it is parsed.
func (s msgServer) RequestHandover(
	ctx context.Context, m *types.MsgRequestHandover,
) (*types.MsgRequestHandoverResponse, error) {
	chargeEvidence(ctx, len(m.Request)+len(m.Evidence))
	operator, err := parseAccount(m.Operator)
	if err != nil {
		return nil, err
	}
	told, _, err := s.Keeper.RequestHandover(ctx, Asking{Operator: operator, Request: m.Request, Evidence: m.Evidence})
	if err != nil {
		return nil, err
	}
	return &types.MsgRequestHandoverResponse{Program: told.Program[:]}, nil
}

func (s msgServer) UpdatePolicy(
	ctx context.Context, m *types.MsgUpdatePolicy,
) (*types.MsgUpdatePolicyResponse, error) {
	if err := s.authorize(ctx, m.Authority); err != nil {
		return nil, err
	}
	since, err := s.DecideTrust(ctx, m.Policy, m.Roots, m.GatekeeperConfidence)
	if err != nil {
		return nil, err
	}
	return &types.MsgUpdatePolicyResponse{Since: since}, nil
}

func (s msgServer) UpdateParams(
	ctx context.Context, m *types.MsgUpdateParams,
) (*types.MsgUpdateParamsResponse, error) {
	if err := s.authorize(ctx, m.Authority); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, s.SetNetworkParams(ctx, m.Network)
}

func (s msgServer) authorize(ctx context.Context, address string) error {
	ok, err := s.IsAuthority(ctx, address)
	if err == nil && !ok {
		err = errorsmod.Wrapf(types.ErrUnauthorized, "%s is not the registry's authority", address)
	}
	return err
}

// chargeEvidence takes the gas for judging evidence once.
func chargeEvidence(ctx context.Context, bytes int) {
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(types.GasRegister+types.GasRegisterPerByte*uint64(bytes), "verify evidence")
}

func parseAccount(text string) (wire.Account, error) {
	raw, err := types.AccountCodec().StringToBytes(text)
	if err != nil || len(raw) != len(wire.Account{}) {
		return wire.Account{}, errorsmod.Wrapf(types.ErrMalformed, "account %q", text)
	}
	return wire.Account(raw), nil
}

// accountText returns an account's address as users know it.
func accountText(a wire.Account) string {
	text, err := types.AccountCodec().BytesToString(a[:])
	if err != nil {
		return a.String()
	}
	return text
}

func parseIdentity(raw []byte) (sr25519.PublicKey, error) {
	pk, err := sr25519.ParsePublicKey(raw)
	if err != nil {
		return pk, errorsmod.Wrapf(types.ErrMalformed, "identity: %v", err)
	}
	return pk, nil
}
