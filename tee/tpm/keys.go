package tpm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sealing"
)

// Bounds in bytes of what the TPM returns and is stored.
const (
	maxTicket  = 64
	maxPrivate = 512
	fixedSize  = 3 + 3*sha256.Size
)

const bindingDomain = "phalanx tpm sealed key v1"

// sealed is a wrapped key; the package comment has its layout.
type sealed struct {
	pcrs    selection
	digest  [sha256.Size]byte // of the registers
	root    [sha256.Size]byte // name of the root key
	unique  [sha256.Size]byte
	ticket  []byte
	private []byte
}

func (s *sealed) encode() []byte {
	b := append(append(append(append([]byte(nil), s.pcrs[:]...), s.digest[:]...), s.root[:]...), s.unique[:]...)
	b = append(append(b, byte(len(s.ticket))), s.ticket...)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(s.private))), s.private...)
}

func decode(b []byte) (*sealed, error) {
	damaged := fmt.Errorf("%w: a wrapped key of %d bytes", tee.ErrSealDamaged, len(b))
	if len(b) < fixedSize+1 {
		return nil, damaged
	}
	s := &sealed{
		pcrs: selection(b), digest: [sha256.Size]byte(b[3:]), root: [sha256.Size]byte(b[3+sha256.Size:]),
		unique: [sha256.Size]byte(b[3+2*sha256.Size:]),
	}
	n, rest := int(b[fixedSize]), b[fixedSize+1:]
	if s.pcrs == (selection{}) || n > maxTicket || len(rest) < n+2 {
		return nil, damaged
	}
	s.ticket, rest = rest[:n:n], rest[n:]
	n, rest = int(binary.LittleEndian.Uint16(rest)), rest[2:]
	if n > maxPrivate || len(rest) != n {
		return nil, damaged
	}
	s.private = rest
	return s, nil
}

// policy returns the digest of the policy that the registers must be as they are in s.
func (s *sealed) policy() ([]byte, error) {
	calc, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err != nil {
		return nil, fmt.Errorf("tpm: policy: %w", err)
	}
	if err := (tpm2.PolicyPCR{Pcrs: s.pcrs.list(), PcrDigest: tpm2.TPM2BDigest{Buffer: s.digest[:]}}).Update(calc); err != nil {
		return nil, fmt.Errorf("tpm: policy: %w", err)
	}
	return calc.Hash().Digest, nil
}

// public returns the public area of the sealed object: it opens by policy alone, on this TPM alone.
func (s *sealed) public() (tpm2.TPMTPublic, error) {
	policy, err := s.policy()
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true},
		AuthPolicy:       tpm2.TPM2BDigest{Buffer: policy},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash,
			&tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{Buffer: s.unique[:]}),
	}, err
}

// creationHash returns the hash of what the TPM says of an object's creation: below r, in the state of the registers of
// s, bound to aad.
func (s *sealed) creationHash(r *root, aad []byte) []byte {
	h := sha256.Sum256(tpm2.Marshal(tpm2.TPMSCreationData{
		PCRSelect: s.pcrs.list(), PCRDigest: tpm2.TPM2BDigest{Buffer: s.digest[:]},
		Locality: tpm2.TPMALocality{TPMLocZero: true}, ParentNameAlg: tpm2.TPMAlgSHA256,
		ParentName: r.tpmName(), ParentQualifiedName: r.qualified(), OutsideInfo: tpm2.TPM2BData{Buffer: bound(aad)},
	}))
	return h[:]
}

func bound(aad []byte) []byte {
	h := sha256.Sum256(append([]byte(bindingDomain), aad...))
	return h[:]
}

// Wrap has the TPM seal a data key to the registers as they are now.
func (k *Keys) Wrap(ctx context.Context, dataKey, aad []byte) (wrapped []byte, err error) {
	if len(dataKey) != sealing.KeySize {
		return nil, fmt.Errorf("tpm: a data key of %d bytes", len(dataKey))
	}
	err = k.with(ctx, func(d transport.TPM) (err error) {
		s := &sealed{pcrs: k.selection}
		if s.digest, err = readPCRs(d, s.pcrs); err != nil {
			return err
		}
		r, err := openRoot(d)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.close()) }()
		if err := s.create(r, dataKey, aad); err != nil {
			return err
		}
		wrapped = s.encode()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return wrapped, nil
}

// create makes the sealed object and checks that the TPM made what was asked for.
func (s *sealed) create(r *root, dataKey, aad []byte) error {
	s.root = r.name
	template, err := s.public()
	if err != nil {
		return err
	}
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{})
	made, err := tpm2.Create{
		ParentHandle: r.auth(tpm2.AESEncryption(128, tpm2.EncryptIn)),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: dataKey}),
		}},
		InPublic: tpm2.New2B(template), OutsideInfo: tpm2.TPM2BData{Buffer: bound(aad)}, CreationPCR: s.pcrs.list(),
	}.Execute(r.tpm)
	if err != nil {
		return fmt.Errorf("tpm: seal: %w", err)
	}
	public, err := made.OutPublic.Contents()
	if err != nil {
		return fmt.Errorf("%w: sealed object: %w", ErrReply, err)
	}
	unique, err := public.Unique.KeyedHash()
	if err != nil || len(unique.Buffer) != len(s.unique) {
		return fmt.Errorf("%w: sealed object without a unique field", ErrReply)
	}
	s.unique = [sha256.Size]byte(unique.Buffer)
	want, err := s.public()
	if err != nil {
		return err
	}
	if !bytes.Equal(tpm2.Marshal(*public), tpm2.Marshal(want)) {
		return fmt.Errorf("%w: another object was sealed", ErrReply)
	}
	if !bytes.Equal(made.CreationHash.Buffer, s.creationHash(r, aad)) {
		return fmt.Errorf("%w: the registers changed while a key was sealed; try again", ErrReply)
	}
	s.ticket, s.private = made.CreationTicket.Digest.Buffer, made.OutPrivate.Buffer
	if len(s.ticket) > maxTicket || len(s.private) > maxPrivate {
		return fmt.Errorf("%w: a ticket of %d bytes, an object of %d", ErrReply, len(s.ticket), len(s.private))
	}
	return nil
}

// Unwrap has the TPM open a data key. Errors wrap tee.ErrOtherMachine if the root key is another's,
// tee.ErrOtherMeasurement if the registers are not as they were, and tee.ErrSealDamaged.
func (k *Keys) Unwrap(ctx context.Context, wrapped, aad []byte) (dataKey []byte, err error) {
	s, err := decode(wrapped)
	if err != nil {
		return nil, err
	}
	if s.pcrs != k.selection {
		return nil, fmt.Errorf("%w: bound to PCRs %x, not %x", tee.ErrOtherMeasurement, s.pcrs[:], k.selection[:])
	}
	err = k.with(ctx, func(d transport.TPM) (err error) {
		r, err := openRoot(d)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.close()) }()
		if r.name != s.root {
			return tee.ErrOtherMachine
		}
		now, err := readPCRs(d, s.pcrs)
		if err != nil {
			return err
		}
		if now != s.digest {
			return fmt.Errorf("%w: the PCRs are not as they were", tee.ErrOtherMeasurement)
		}
		dataKey, err = s.open(r, aad)
		return err
	})
	if err != nil {
		clear(dataKey)
		return nil, err
	}
	return dataKey, nil
}

// open loads the object, has the TPM check who made it and opens it.
func (s *sealed) open(r *root, aad []byte) (dataKey []byte, err error) {
	public, err := s.public()
	if err != nil {
		return nil, err
	}
	loaded, err := tpm2.Load{ParentHandle: r.auth(), InPrivate: tpm2.TPM2BPrivate{Buffer: s.private}, InPublic: tpm2.New2B(public)}.Execute(r.tpm)
	if err != nil {
		return nil, blame("load", err)
	}
	defer func() { err = errors.Join(err, flush(r.tpm, loaded.ObjectHandle)) }()
	hash := sha256.Sum256(tpm2.Marshal(public))
	object := tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: nameOf(hash)}
	if err := s.checkTicket(r, object, aad); err != nil {
		return nil, err
	}
	policy := func(t transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicyPCR{PolicySession: h, Pcrs: s.pcrs.list(), PcrDigest: tpm2.TPM2BDigest{Buffer: s.digest[:]}}.Execute(t)
		return err
	}
	opened, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
		Handle: object.Handle, Name: object.Name,
		Auth: tpm2.Policy(tpm2.TPMAlgSHA256, nonceSize, policy, r.salted(tpm2.AESEncryption(128, tpm2.EncryptOut))...),
	}}.Execute(r.tpm)
	if err != nil {
		return nil, blame("unseal", err)
	}
	return opened.OutData.Buffer, nil
}

// checkTicket has the TPM say that it made the object in the state of the registers that s names, bound to aad. The
// answer is authenticated by a salted session.
func (s *sealed) checkTicket(r *root, object tpm2.NamedHandle, aad []byte) error {
	_, err := tpm2.CertifyCreation{
		SignHandle: tpm2.AuthHandle{
			Handle: tpm2.TPMRHNull, Name: tpm2.HandleName(tpm2.TPMRHNull),
			Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, r.salted()...),
		},
		ObjectHandle: object,
		CreationHash: tpm2.TPM2BDigest{Buffer: s.creationHash(r, aad)},
		InScheme:     tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		CreationTicket: tpm2.TPMTTKCreation{
			Tag: tpm2.TPMSTCreation, Hierarchy: tpm2.TPMRHOwner, Digest: tpm2.TPM2BDigest{Buffer: s.ticket},
		},
	}.Execute(r.tpm)
	if err != nil {
		return blame("check who sealed", err)
	}
	return nil
}

// blame tells what is wrong with the data from what is wrong with the TPM.
func blame(what string, err error) error {
	var format1 tpm2.TPMFmt1Error
	switch {
	case errors.Is(err, tpm2.TPMRCPolicyFail), errors.Is(err, tpm2.TPMRCPCRChanged), errors.Is(err, tpm2.TPMRCValue) && what == "unseal":
		return fmt.Errorf("%w: %s: %w", tee.ErrOtherMeasurement, what, err)
	case errors.As(err, &format1):
		if parameter, _ := format1.Parameter(); parameter {
			return fmt.Errorf("%w: %s: %w", tee.ErrSealDamaged, what, err)
		}
	}
	return fmt.Errorf("tpm: %s: %w", what, err)
}
