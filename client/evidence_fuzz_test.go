package client

import (
	"bytes"
	"math/rand/v2"
	"testing"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// signed is a transaction with one registration, twice, and the record that it made.
func signed(t testing.TB) (raw, header []byte, m *registrytypes.MsgRegisterWorker, record *wire.WorkerState) {
	t.Helper()
	identity, err := sr25519.FromMiniSecret(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdh.FromMiniSecret(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	r := wire.Registration{Version: wire.RegistrationVersion, Identity: identity.Public(), Ecdh: own.Public(), Incarnation: wire.Incarnation{3}, HeaderHeight: 4}
	record = &wire.WorkerState{Identity: r.Identity, Ecdh: wire.EcdhEpoch{Key: r.Ecdh, Since: 5}, Incarnation: r.Incarnation,
		HeaderHeight: r.HeaderHeight, AttestedAt: 5, EvidenceKind: uint8(tee.KindNitro)}
	text, err := r.SigningText()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := identity.Sign(bytes.NewReader(make([]byte, 1024)), text)
	if err != nil {
		t.Fatal(err)
	}
	m = &registrytypes.MsgRegisterWorker{Registration: scale.MustMarshal(&r), Signature: signature[:],
		Evidence: scale.MustMarshal(&tee.Evidence{Kind: tee.KindNitro, Data: []byte{1, 2}})}
	packed, err := codectypes.NewAnyWithValue(m)
	if err != nil {
		t.Fatal(err)
	}
	body, err := (&txtypes.TxBody{Messages: []*codectypes.Any{packed, packed}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	raw, err = (&txtypes.TxRaw{BodyBytes: body}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	header, err = lighttest.New(lighttest.Config{}).LightBlock(3).Header.ToProto().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw, header, m, record
}

// FuzzTransactions reads any transaction and header. A registration is found only if it is the one that the IdentityKey
// signed: nobody who lacks that key can make another.
func FuzzTransactions(f *testing.F) {
	raw, header, m, record := signed(f)
	if found := candidatesOf([][]byte{raw}, record, wire.ChainUID{}); len(found) != 1 || found[0].bound != BoundCurrent {
		f.Fatalf("the true one is not found once: %d", len(found))
	}
	f.Add(raw, header)
	f.Add(raw[:len(raw)/2], header[:9])
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, []byte{0x0a, 0x80})
	f.Fuzz(func(t *testing.T, raw, header []byte) {
		onlySigned(t, raw, m, record)
		if hash, _, err := hashesOf(header); err == nil && len(hash) != 0 && len(hash) != 32 {
			t.Fatalf("a hash of %d bytes", len(hash))
		}
	})
}

// onlySigned fails where a transaction shows another registration than the one that was signed.
func onlySigned(t *testing.T, raw []byte, m *registrytypes.MsgRegisterWorker, record *wire.WorkerState) int {
	t.Helper()
	found := candidatesOf([][]byte{raw}, record, wire.ChainUID{})
	for _, x := range found {
		if !bytes.Equal(scale.MustMarshal(&x.registration), m.Registration) {
			t.Fatal("another registration passes for the worker's")
		}
	}
	return len(found)
}

// TestMutatedTransactions changes bytes of a transaction, cuts it and doubles parts of it, with a fixed seed.
func TestMutatedTransactions(t *testing.T) {
	raw, _, m, record := signed(t)
	rng := rand.New(rand.NewPCG(3, 4))
	lost := 0
	for range 20_000 {
		bad := bytes.Clone(raw)
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(bad))
			switch rng.IntN(4) {
			case 0:
				bad = bad[:max(1, at)]
			case 1:
				bad = append(bad[:at:at], append(bytes.Clone(raw[:rng.IntN(len(raw))]), bad[at:]...)...)
			default:
				bad[at] ^= byte(1 + rng.IntN(255))
			}
		}
		if onlySigned(t, bad, m, record) == 0 {
			lost++
		}
	}
	if lost < 5_000 {
		t.Errorf("only %d mutations were noticed", lost)
	}
}
