package keeper

import (
	"context"
	"errors"
	"strings"
	"time"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// Application is what a transaction brings to register an enclave.
type Application struct {
	Operator     wire.Account // who signed the transaction
	Registration []byte       // SCALE of wire.Registration
	Evidence     []byte       // SCALE of tee.Evidence
	Signature    []byte       // of the IdentityKey: 64 bytes
}

// Register makes the enclave of an application an active worker, or attests it again. It refuses an enclave that was
// fed another chain (its uid or header is not this chain's), that shows an old registration (header too old or not
// above the last one's), that has a later life (superseded incarnation), or that runs on an older disk (an EcdhKey
// already replaced); and evidence that tee.Verify refuses.
func (k *Keeper) Register(ctx context.Context, a Application) (wire.WorkerState, error) {
	r, err := k.checkRegistration(ctx, a)
	if err != nil {
		return wire.WorkerState{}, err
	}
	before, known, err := k.Worker(ctx, r.Identity)
	if err != nil {
		return wire.WorkerState{}, err
	}
	after := wire.WorkerState{Identity: r.Identity, Ecdh: wire.EcdhEpoch{Key: r.Ecdh, Since: height(ctx)}}
	if known {
		if after, err = k.succeed(ctx, before, r); err != nil {
			return wire.WorkerState{}, err
		}
	}
	claims, err := k.judge(ctx, r, a.Evidence)
	if err != nil {
		return wire.WorkerState{}, err
	}
	if known {
		if err := k.inherit(ctx, &before, &claims); err != nil {
			return wire.WorkerState{}, err
		}
	}
	if err := k.keepsGate(ctx, r.Identity, claims.Confidence); err != nil {
		return wire.WorkerState{}, err
	}
	describe(ctx, &after, r, claims)
	if err := k.enter(ctx, known, &before, &after); err != nil {
		return wire.WorkerState{}, err
	}
	return after, k.emit(ctx, &types.EventWorkerRegistered{
		Identity:     after.Identity.String(),
		Operator:     accountText(after.Operator),
		Incarnation:  after.Incarnation.String(),
		EcdhEpoch:    after.Ecdh.Epoch,
		EvidenceKind: claims.Kind.String(),
		Confidence:   uint32(claims.Confidence),
		Restarted:    !known || before.Incarnation != after.Incarnation,
		TcbStatus:    claims.TCBStatus.String(),
		Advisories:   strings.Join(claims.Advisories, ","),
		Program:      wire.Hash(claims.Program).String(),
	})
}

// checkRegistration parses a registration and checks what does not depend on the worker's past.
func (k *Keeper) checkRegistration(ctx context.Context, a Application) (*wire.Registration, error) {
	if len(a.Registration) > types.MaxRegistration || len(a.Signature) != len(sr25519.Signature{}) {
		return nil, errorsmod.Wrap(types.ErrMalformed, "length of the registration or its signature")
	}
	var r wire.Registration
	if err := scale.Unmarshal(a.Registration, &r); err != nil {
		return nil, errorsmod.Wrapf(types.ErrMalformed, "registration: %v", err)
	}
	if r.Version != wire.RegistrationVersion {
		return nil, errorsmod.Wrapf(types.ErrMalformed, "registration version %d", r.Version)
	}
	if r.Operator != a.Operator {
		return nil, errorsmod.Wrap(types.ErrUnauthorized, "the registration names another operator")
	}
	if r.Incarnation == (wire.Incarnation{}) {
		return nil, errorsmod.Wrap(types.ErrIncarnation, "it is not random")
	}
	if r.Ecdh.Array() == r.Identity.Array() {
		return nil, errorsmod.Wrap(types.ErrEcdhKey, "it is the IdentityKey")
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
	text, err := r.SigningText()
	if err != nil {
		return nil, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	if err := sr25519.Verify(r.Identity, text, sr25519.Signature(a.Signature)); err != nil {
		return nil, types.ErrSignature
	}
	return &r, nil
}

// checkHeader checks that the chain has committed a block of that height and header hash, at most HeaderWindow ago.
func (k *Keeper) checkHeader(ctx context.Context, h uint64, hash wire.Hash) error {
	now := height(ctx)
	if h >= now || now-h > types.HeaderWindow {
		return errorsmod.Wrapf(types.ErrHeader, "height %d at height %d", h, now)
	}
	var own wire.Hash
	found, err := k.load(ctx, headerKey(h), &own)
	if err != nil {
		return err
	}
	if !found || own != hash {
		return errorsmod.Wrapf(types.ErrHeader, "height %d has another header", h)
	}
	return nil
}

// succeed returns the record of a known worker with the keys that the registration gives it.
func (k *Keeper) succeed(ctx context.Context, before wire.WorkerState, r *wire.Registration) (wire.WorkerState, error) {
	if before.Status == wire.WorkerSuspended {
		return before, errorsmod.Wrap(types.ErrSuspended, r.Identity.String())
	}
	if r.HeaderHeight <= before.HeaderHeight {
		return before, errorsmod.Wrapf(types.ErrHeader, "height %d is not above %d, the last registration's",
			r.HeaderHeight, before.HeaderHeight)
	}
	dead, err := k.store.OpenKVStore(ctx).Has(incarnationKey(r.Identity, r.Incarnation))
	if err != nil {
		return before, err
	}
	if dead {
		return before, errorsmod.Wrap(types.ErrIncarnation, "it was superseded")
	}
	if r.Operator != before.Operator {
		before.Info.Endpoints, before.Info.PeerURLs = nil, nil
	}
	if r.Ecdh == before.Ecdh.Key {
		return before, nil
	}
	if r.Incarnation == before.Incarnation {
		return before, errorsmod.Wrap(types.ErrEcdhKey, "it changes within one incarnation by rotation only")
	}
	err = replaceEcdh(&before, r.Ecdh, height(ctx))
	return before, err
}

// judge verifies the evidence for a registration.
func (k *Keeper) judge(ctx context.Context, r *wire.Registration, raw []byte) (tee.Claims, error) {
	trust, err := k.Trust(ctx)
	if err != nil {
		return tee.Claims{}, err
	}
	data, err := r.ReportData()
	if err != nil {
		return tee.Claims{}, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	return k.verify(ctx, trust, naming{data, r.HeaderHeight}, raw)
}

// naming is report data, and the height of the header that it names, which was checked.
type naming struct {
	data   [tee.ReportDataSize]byte
	header uint64
}

// verify judges evidence. Kinds that sign no time are as old as the header that their report data names, at most.
func (k *Keeper) verify(ctx context.Context, trust types.Trust, n naming, raw []byte) (tee.Claims, error) {
	if len(raw) > types.MaxEvidence {
		return tee.Claims{}, errorsmod.Wrap(types.ErrMalformed, "length of the evidence")
	}
	var evidence tee.Evidence
	if err := scale.Unmarshal(raw, &evidence); err != nil {
		return tee.Claims{}, errorsmod.Wrapf(types.ErrMalformed, "evidence: %v", err)
	}
	network, err := k.NetworkParams(ctx)
	if err != nil {
		return tee.Claims{}, err
	}
	if evidence.Kind == tee.KindSimulated && !network.Simulated {
		return tee.Claims{}, errorsmod.Wrap(types.ErrEvidence, "this network does not accept the simulated platform")
	}
	q := tee.Question{ReportData: n.data, Now: sdk.UnwrapSDKContext(ctx).BlockTime()}
	var made at
	found, err := k.load(ctx, timeKey(n.header), &made)
	if err != nil {
		return tee.Claims{}, err
	}
	if found {
		q.Bound = time.UnixMilli(int64(made))
	}
	claims, err := tee.Verify(k.verifiers, evidence, q, trust.Policy, trust.Roots)
	if err != nil {
		return tee.Claims{}, refused(err)
	}
	return claims, nil
}

// refused returns why evidence is not believed: the verifier's words, and the reason that they belong to.
func refused(err error) error {
	text := err.Error()
	if r, ok := errors.AsType[*tee.Refusal](err); ok && !strings.Contains(text, r.Error()) {
		text = r.Error() + ": " + text
	}
	return errorsmod.Wrap(types.ErrEvidence, text)
}

// describe fills in what a registration says anew each time.
func describe(ctx context.Context, w *wire.WorkerState, r *wire.Registration, claims tee.Claims) {
	w.Info.Software = r.Software
	w.Info.Features = r.Features
	w.Operator = r.Operator
	w.Incarnation = r.Incarnation
	w.EvidenceKind = uint8(claims.Kind)
	w.Confidence = claims.Confidence
	w.Measurement = claims.Measurement
	w.AttestedAt = height(ctx)
	w.AttestedTime = uint64(sdk.UnwrapSDKContext(ctx).BlockTime().UnixMilli())
	w.HeaderHeight = r.HeaderHeight
	w.Status = wire.WorkerActive
}

// enter writes a registered worker's record and its places in the indexes, and tells the hooks.
func (k *Keeper) enter(ctx context.Context, known bool, before, after *wire.WorkerState) error {
	store := k.store.OpenKVStore(ctx)
	if known && before.Incarnation != after.Incarnation {
		if err := store.Set(incarnationKey(before.Identity, before.Incarnation), []byte{1}); err != nil {
			return err
		}
	}
	if known && before.Operator != after.Operator {
		if err := store.Delete(operatorKey(before.Operator, before.Identity)); err != nil {
			return err
		}
	}
	if err := store.Set(operatorKey(after.Operator, after.Identity), []byte{1}); err != nil {
		return err
	}
	network, err := k.NetworkParams(ctx)
	if err != nil {
		return err
	}
	if err := k.setDeadline(ctx, after.Identity, after.AttestedAt+network.RegistrationExpiry); err != nil {
		return err
	}
	if err := k.saveWorker(ctx, after); err != nil {
		return err
	}
	if k.hooks == nil {
		return nil
	}
	return k.hooks.WorkerRegistered(ctx, after)
}

// replaceEcdh makes key the current EcdhKey of a further epoch and the current one the previous. It refuses a key that
// was just replaced, which an enclave on an older disk would show, and the IdentityKey.
func replaceEcdh(w *wire.WorkerState, key ecdh.PublicKey, since uint64) error {
	if key == w.Ecdh.Key || w.PreviousEcdh != nil && key == w.PreviousEcdh.Key {
		return errorsmod.Wrap(types.ErrEcdhKey, "it was the worker's before")
	}
	if key.Array() == w.Identity.Array() {
		return errorsmod.Wrap(types.ErrEcdhKey, "it is the IdentityKey")
	}
	if w.Ecdh.Epoch >= types.MaxEcdhEpoch {
		return errorsmod.Wrap(types.ErrEcdhKey, "no epoch is left")
	}
	previous := w.Ecdh
	w.PreviousEcdh = &previous
	w.Ecdh = wire.EcdhEpoch{Key: key, Epoch: previous.Epoch + 1, Since: since}
	return nil
}
