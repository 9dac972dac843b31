package keeper

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// Asking is what a transaction brings to ask for an identity's keys.
type Asking struct {
	Operator wire.Account // who signed the transaction
	Request  []byte       // SCALE of wire.HandoverRequest
	Evidence []byte       // SCALE of tee.Evidence
}

// RequestHandover tells an active worker or gatekeeper, in its own topic, that a new release asks for its keys. It refuses a
// request that is not brought by the operator of the worker's record, that names another chain or header, and evidence that a
// registration of that worker would be refused with. It returns what it told, and the message's index.
func (k *Keeper) RequestHandover(ctx context.Context, a Asking) (wire.Handover, uint64, error) {
	r, err := k.checkAsking(ctx, a)
	if err != nil {
		return wire.Handover{}, 0, err
	}
	claims, err := k.judgeAsking(ctx, r, a.Evidence)
	if err != nil {
		return wire.Handover{}, 0, err
	}
	if err := k.keepsGate(ctx, r.Identity, claims.Confidence); err != nil {
		return wire.Handover{}, 0, err
	}
	told := wire.Handover{
		Request: *r, Kind: uint8(claims.Kind), Measurement: claims.Measurement, Confidence: claims.Confidence, Program: claims.Program,
	}
	if err := k.nameHeir(ctx, &told); err != nil {
		return told, 0, err
	}
	body := &wire.Body{Kind: wire.BodyHandover, Handover: &told}
	index, err := k.topics.Append(ctx, wire.Sender{Variant: wire.SenderChain}, wire.EntityTopic(r.Identity), body)
	if err != nil {
		return told, 0, err
	}
	return told, index, k.emit(ctx, &types.EventHandoverRequested{
		Identity:     r.Identity.String(),
		EvidenceKind: claims.Kind.String(),
		Measurement:  hex.EncodeToString(told.Measurement),
		Confidence:   uint32(told.Confidence),
		Program:      told.Program.String(),
		Index:        index,
	})
}

// checkAsking parses a request and checks everything but its evidence.
func (k *Keeper) checkAsking(ctx context.Context, a Asking) (*wire.HandoverRequest, error) {
	if len(a.Request) > wire.MaxHandoverRequest {
		return nil, errorsmod.Wrap(types.ErrMalformed, "length of the request")
	}
	var r wire.HandoverRequest
	if err := scale.Unmarshal(a.Request, &r); err != nil {
		return nil, errorsmod.Wrapf(types.ErrMalformed, "request: %v", err)
	}
	if r.Version != wire.HandoverVersion {
		return nil, errorsmod.Wrapf(types.ErrMalformed, "request version %d", r.Version)
	}
	if r.OneTime == (ecdh.PublicKey{}) {
		return nil, errorsmod.Wrap(types.ErrMalformed, "no one-time key")
	}
	if r.Operator != a.Operator {
		return nil, errorsmod.Wrap(types.ErrUnauthorized, "the request names another operator")
	}
	uid, err := k.ChainUID(ctx)
	if err != nil {
		return nil, err
	}
	if r.UID != uid {
		return nil, errorsmod.Wrap(types.ErrChain, r.UID.String())
	}
	if err := k.checkHeader(ctx, r.HeaderHeight, r.HeaderHash); err != nil {
		return nil, err
	}
	w, err := k.worker(ctx, r.Identity)
	switch {
	case err != nil:
		return nil, err
	case w.Operator != a.Operator:
		return nil, errorsmod.Wrap(types.ErrUnauthorized, "another account is the worker's operator")
	case w.Status == wire.WorkerSuspended:
		return nil, errorsmod.Wrap(types.ErrSuspended, r.Identity.String())
	case w.Status != wire.WorkerActive:
		return nil, errorsmod.Wrapf(types.ErrInactive, "%s is %s: let the old release register first", r.Identity, w.Status)
	}
	return &r, nil
}

// judgeAsking verifies the evidence of a request. Where a policy is decided that will accept it, the refusal says from when on;
// to look is charged as a second judgement.
func (k *Keeper) judgeAsking(ctx context.Context, r *wire.HandoverRequest, raw []byte) (tee.Claims, error) {
	data, err := r.ReportData()
	if err != nil {
		return tee.Claims{}, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	trust, err := k.Trust(ctx)
	if err != nil {
		return tee.Claims{}, err
	}
	claims, err := k.verify(ctx, trust, naming{data, r.HeaderHeight}, raw)
	if !errors.Is(err, types.ErrEvidence) {
		return claims, err
	}
	var p pendingTrust
	found, loadErr := k.load(ctx, keyPendingTrust, &p)
	if loadErr != nil {
		return claims, loadErr
	}
	if found {
		chargeEvidence(ctx, len(raw))
		if _, later := k.verify(ctx, p.Trust, naming{data, r.HeaderHeight}, raw); later == nil {
			err = errorsmod.Wrapf(types.ErrEvidence, "the policy that accepts it is in force from height %d on", p.Since)
		}
	}
	return claims, err
}

// nameHeir remembers which release the identity's keys are asked for.
func (k *Keeper) nameHeir(ctx context.Context, told *wire.Handover) error {
	key := heirKey(told.Request.Identity)
	var h types.Heir
	if _, err := k.load(ctx, key, &h); err != nil {
		return err
	}
	h.Identity, h.Kind, h.Measurement = told.Request.Identity, told.Kind, told.Measurement
	return k.save(ctx, key, &h)
}

// inherit checks that a release may register a known identity: once its keys were handed over, an earlier release may not,
// for it runs on a disk from before.
func (k *Keeper) inherit(ctx context.Context, before *wire.WorkerState, claims *tee.Claims) error {
	key := heirKey(before.Identity)
	var h types.Heir
	found, err := k.load(ctx, key, &h)
	if err != nil || !found {
		return err
	}
	kind := uint8(claims.Kind)
	if kind == before.EvidenceKind && bytes.Equal(claims.Measurement, before.Measurement) {
		return nil
	}
	if !h.Is(kind, claims.Measurement) {
		if h.Bound {
			return errorsmod.Wrapf(types.ErrHandedOver, "to the release with measurement %s", hex.EncodeToString(before.Measurement))
		}
		return nil
	}
	h.Bound = true
	return k.save(ctx, key, &h)
}

func heirKey(pk sr25519.PublicKey) string { return prefixHeir + string(pk.Bytes()) }
