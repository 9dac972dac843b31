package tpm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// persistent is where the storage root key is kept, if it is (TCG TPM v2.0 Provisioning Guidance, section 7.8).
const persistent tpm2.TPMHandle = 0x81000001

// root is the storage root key while it is loaded.
type root struct {
	tpm       transport.TPM
	handle    tpm2.TPMHandle
	name      [sha256.Size]byte // without its algorithm, SHA-256
	public    tpm2.TPMTPublic
	transient bool
}

// openRoot returns the persistent storage root key if it has the standard form, else it makes it.
func openRoot(d transport.TPM) (*root, error) {
	r, err := tpm2.ReadPublic{ObjectHandle: persistent}.Execute(d)
	if err == nil {
		if at, err := rootOf(d, persistent, r.OutPublic); err == nil {
			return at, nil // else it is another kind of key
		}
	} else if !errors.Is(err, tpm2.TPMRCHandle) {
		return nil, fmt.Errorf("tpm: read the root key: %w", err)
	}
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(d)
	if err != nil {
		if errors.Is(err, tpm2.TPMRCBadAuth) || errors.Is(err, tpm2.TPMRCAuthFail) {
			return nil, fmt.Errorf("tpm: the owner has a password; persist the storage root key (ECC P-256) at %#x: %w", uint32(persistent), err)
		}
		return nil, fmt.Errorf("tpm: make the root key: %w", err)
	}
	at, err := rootOf(d, made.ObjectHandle, made.OutPublic)
	if err != nil {
		return nil, errors.Join(err, flush(d, made.ObjectHandle))
	}
	at.transient = true
	return at, nil
}

// rootOf checks that a key is a storage root key of the standard form, and takes its name from its own bytes.
func rootOf(d transport.TPM, handle tpm2.TPMHandle, b tpm2.TPM2BPublic) (*root, error) {
	public, err := b.Contents()
	if err != nil {
		return nil, fmt.Errorf("%w: root key: %w", ErrReply, err)
	}
	same := *public
	same.Unique = tpm2.ECCSRKTemplate.Unique
	if public.Type != tpm2.TPMAlgECC || !bytes.Equal(tpm2.Marshal(same), tpm2.Marshal(tpm2.ECCSRKTemplate)) {
		return nil, fmt.Errorf("%w: the root key is not of the standard form", ErrReply)
	}
	return &root{tpm: d, handle: handle, name: sha256.Sum256(tpm2.Marshal(*public)), public: *public}, nil
}

// close gives a transient key's place back.
func (r *root) close() error {
	if !r.transient {
		return nil
	}
	return flush(r.tpm, r.handle)
}

func flush(d transport.TPM, h tpm2.TPMHandle) error {
	if _, err := (tpm2.FlushContext{FlushHandle: h}).Execute(d); err != nil {
		return fmt.Errorf("tpm: flush: %w", err)
	}
	return nil
}

// tpmName returns the name as the TPM has it.
func (r *root) tpmName() tpm2.TPM2BName { return nameOf(r.name) }

func nameOf(hash [sha256.Size]byte) tpm2.TPM2BName {
	return tpm2.TPM2BName{Buffer: append(binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMAlgSHA256)), hash[:]...)}
}

// qualified returns the qualified name of the root key: below its hierarchy, whose name is its handle.
func (r *root) qualified() tpm2.TPM2BName {
	owner := binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHOwner))
	return nameOf(sha256.Sum256(append(owner, r.tpmName().Buffer...)))
}

// salted returns the options of a session whose key is known to this program and the TPM alone.
func (r *root) salted(dir ...tpm2.AuthOption) []tpm2.AuthOption {
	return append([]tpm2.AuthOption{tpm2.Salted(r.handle, r.public)}, dir...)
}

// auth authorizes the use of the root key, whose password is empty.
func (r *root) auth(options ...tpm2.AuthOption) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: r.handle, Name: r.tpmName(), Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, r.salted(options...)...)}
}

// nonceSize is the size of a session's nonces, in bytes.
const nonceSize = 32
