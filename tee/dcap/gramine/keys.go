package gramine

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sealing"
)

// Label names this platform in sealed data.
const Label = "gramine"

// Keys returns the source of this enclave's sealing keys. The keys are read each time, never kept.
func (e *Enclave) Keys(random io.Reader) (sealing.KeySource, error) {
	for _, name := range []string{fileEnclaveKey, fileSignerKey} {
		key, err := e.readKey(name)
		clear(key)
		if err != nil {
			return nil, err
		}
	}
	return &sealing.Derived{
		Measurement: e.own.enclave[:],
		Parameters:  e.own.cpuSVN[:],
		Machine:     e.machine,
		Derive:      e.derive,
		Rand:        random,
	}, nil
}

// machine names the processor, for this signer.
func (e *Enclave) machine(_ context.Context, parameters []byte) (tag [sealing.MachineSize]byte, err error) {
	if len(parameters) != len(e.own.cpuSVN) {
		return tag, fmt.Errorf("%w: CPUSVN of %d bytes", tee.ErrSealDamaged, len(parameters))
	}
	// The keys that Gramine gives are for the version as it is now, so another machine would be blamed.
	if !bytes.Equal(parameters, e.own.cpuSVN[:]) {
		return tag, fmt.Errorf("%w: %w: %x then, %x now", tee.ErrOtherMachine, ErrMicrocode, parameters, e.own.cpuSVN)
	}
	return tag, e.expand(fileSignerKey, "phalanx gramine machine v1", tag[:])
}

// derive returns the key of this enclave.
func (e *Enclave) derive(context.Context, []byte) (key [sealing.KeySize]byte, err error) {
	return key, e.expand(fileEnclaveKey, "phalanx gramine sealing v1", key[:])
}

// expand fills out from one of the processor's keys.
func (e *Enclave) expand(name, info string, out []byte) error {
	key, err := e.readKey(name)
	defer clear(key)
	if err != nil {
		return err
	}
	b, err := hkdf.Key(sha256.New, key, nil, info, len(out))
	if err != nil {
		return fmt.Errorf("gramine: derive: %w", err)
	}
	copy(out, b)
	clear(b)
	return nil
}

// readKey reads a sealing key. One of zeros is none: a file that somebody has yet to fill.
func (e *Enclave) readKey(name string) ([]byte, error) {
	inUse.Lock()
	defer inUse.Unlock()
	key, err := read(e.files, name, keySize)
	if err != nil {
		return nil, err
	}
	if len(key) != keySize || bytes.Equal(key, make([]byte, keySize)) {
		clear(key)
		return nil, fmt.Errorf("%w: %s is no key", ErrReply, name)
	}
	return key, nil
}
