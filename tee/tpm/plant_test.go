package tpm_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/tpm"
	"github.com/phalanx-network/phalanx/tee/tpm/tpmtest"
)

// planter seals for the registers that a genuine sealed value names, whatever they are now.
type planter struct {
	t       testing.TB
	m       *tpmtest.Machine
	genuine []byte // wrapped key
}

func plant(t testing.TB, m *tpmtest.Machine, sealed []byte) *sealing.Sealer {
	t.Helper()
	at := 2 + len(tpm.Label)
	n := int(binary.LittleEndian.Uint16(sealed[at:]))
	return sealing.New(&planter{t, m, sealed[at+2 : at+2+n]}, tpm.Label, rand.Reader)
}

// Wrap makes the object that the genuine program would have made, but for the creation data, and writes it down as that
// would.
func (p *planter) Wrap(_ context.Context, dataKey, aad []byte) (wrapped []byte, err error) {
	digest := p.genuine[3 : 3+sha256.Size]
	pcrs := tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: p.genuine[:3]}}}
	calc, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err != nil {
		return nil, err
	}
	if err := (tpm2.PolicyPCR{Pcrs: pcrs, PcrDigest: tpm2.TPM2BDigest{Buffer: digest}}).Update(calc); err != nil {
		return nil, err
	}
	bound := sha256.Sum256(append([]byte("phalanx tpm sealed key v1"), aad...))
	on(p.t, p.m, func(d transport.TPM) {
		root := done(p.t, tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute, d)
		made := done(p.t, tpm2.Create{
			ParentHandle: tpm2.AuthHandle{Handle: root.ObjectHandle, Name: root.Name, Auth: tpm2.PasswordAuth(nil)},
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: dataKey})}},
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true},
				AuthPolicy:       tpm2.TPM2BDigest{Buffer: calc.Hash().Digest},
			}),
			OutsideInfo: tpm2.TPM2BData{Buffer: bound[:]}, CreationPCR: pcrs,
		}.Execute, d)
		done(p.t, tpm2.FlushContext{FlushHandle: root.ObjectHandle}.Execute, d)
		public, err := made.OutPublic.Contents()
		if err != nil {
			p.t.Fatal(err)
		}
		unique, err := public.Unique.KeyedHash()
		if err != nil {
			p.t.Fatal(err)
		}
		wrapped = bytes.Clone(p.genuine[:3+2*sha256.Size])
		wrapped = append(append(wrapped, unique.Buffer...), byte(len(made.CreationTicket.Digest.Buffer)))
		wrapped = append(wrapped, made.CreationTicket.Digest.Buffer...)
		wrapped = binary.LittleEndian.AppendUint16(wrapped, uint16(len(made.OutPrivate.Buffer)))
		wrapped = append(wrapped, made.OutPrivate.Buffer...)
	})
	return wrapped, nil
}

// Unwrap is not the planter's business.
func (p *planter) Unwrap(context.Context, []byte, []byte) ([]byte, error) {
	return nil, errors.New("no")
}
