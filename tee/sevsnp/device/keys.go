package device

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// Label names this platform in sealed data.
const Label = "sev-snp"

// What the keys are made of; see the package comment.
const (
	keyFields     = FieldPolicy | FieldMeasurement | FieldTCB
	machineFields = FieldTCB
)

// parameters stand beside what was wrapped, so that the same key can be derived again: the root and the TCB version.
type parameters struct {
	root RootKey
	tcb  uint64
}

const parametersSize = 1 + 8

func (p parameters) bytes() []byte {
	return binary.LittleEndian.AppendUint64([]byte{byte(p.root)}, p.tcb)
}

func readParameters(b []byte) (parameters, error) {
	if len(b) != parametersSize {
		return parameters{}, fmt.Errorf("%w: parameters of %d bytes", tee.ErrSealDamaged, len(b))
	}
	p := parameters{RootKey(b[0]), binary.LittleEndian.Uint64(b[1:])}
	if p.root != RootVCEK && p.root != RootDefault {
		return parameters{}, fmt.Errorf("%w: root key %d", tee.ErrSealDamaged, p.root)
	}
	return p, nil
}

// firmwareKeys derives this guest's keys.
type firmwareKeys struct {
	dev  Deriver
	vmpl uint32
	own  facts
	now  parameters // for what is wrapped from now on
}

// openKeys asks who this guest is and which root the firmware derives of.
func openKeys(ctx context.Context, reports Reports, dev Deriver, vmpl uint32) (*firmwareKeys, error) {
	var data [sevsnp.ReportDataSize]byte
	raw, _, err := reports.Report(ctx, data, vmpl)
	if err != nil {
		return nil, err
	}
	own, err := readFacts(raw, data, vmpl)
	if err != nil {
		return nil, err
	}
	k := &firmwareKeys{dev, vmpl, own, parameters{RootVCEK, own.committedTCB}}
	key, err := k.derive(ctx, k.now, keyFields)
	if refused(err, StatusInvalidParameter) && own.signer == signedByVCEK {
		// Firmware from before VLEKs has no KEY_SEL: its only root is the VCEK.
		k.now.root = RootDefault
		key, err = k.derive(ctx, k.now, keyFields)
	}
	clear(key[:])
	if err != nil {
		return nil, err
	}
	return k, nil
}

func refused(err error, s Status) bool {
	var f *FirmwareError
	return errors.As(err, &f) && f.Status == s
}

// measurement names the program: MEASUREMENT ‖ POLICY u64 ‖ VMPL u8.
func (k *firmwareKeys) measurement() []byte {
	b := append([]byte(nil), k.own.measurement[:]...)
	return append(binary.LittleEndian.AppendUint64(b, k.own.policy), byte(k.vmpl))
}

// machine names the chip in data that was wrapped under p.
func (k *firmwareKeys) machine(ctx context.Context, p parameters) (tag [16]byte, err error) {
	key, err := k.derive(ctx, p, machineFields)
	if err != nil {
		return tag, err
	}
	defer clear(key[:])
	b, err := hkdf.Key(sha256.New, key[:], nil, "phalanx sev-snp machine v1", len(tag))
	if err != nil {
		return tag, fmt.Errorf("sev-snp: machine tag: %w", err)
	}
	return [16]byte(b), nil
}

// derive derives a key of p. What this machine cannot derive was sealed elsewhere, or under newer firmware.
func (k *firmwareKeys) derive(ctx context.Context, p parameters, fields Fields) ([32]byte, error) {
	if p.root == RootDefault && k.own.signer != signedByVCEK {
		return [32]byte{}, fmt.Errorf("%w: it was sealed under a chip's key, and this machine signs with its provider's", tee.ErrOtherMachine)
	}
	if !within(p.tcb, k.own.committedTCB) {
		return [32]byte{}, fmt.Errorf("%w: %w: TCB %016x, committed is %016x", tee.ErrOtherMachine, ErrOlderFirmware, p.tcb, k.own.committedTCB)
	}
	key, err := k.dev.DeriveKey(ctx, KeyRequest{Root: p.root, Fields: fields, VMPL: k.vmpl, TCB: p.tcb})
	if p != k.now && (refused(err, StatusInvalidParameter) || refused(err, StatusInvalidKey)) {
		return [32]byte{}, fmt.Errorf("%w: %w", tee.ErrOtherMachine, err)
	}
	return key, err
}

// within reports whether no part of a TCB_VERSION is above the committed one's. Each part is a byte, on all products.
func within(tcb, committed uint64) bool {
	for range 8 {
		if tcb&0xff > committed&0xff {
			return false
		}
		tcb, committed = tcb>>8, committed>>8
	}
	return true
}

// NewKeys returns the source of this guest's sealing keys. It asks the firmware for a report, to learn who the guest is,
// and for a key, to learn whether it derives. Errors wrap [ErrUnavailable] where the device is missing.
func NewKeys(ctx context.Context, reports Reports, dev Deriver, vmpl uint32, random io.Reader) (sealing.KeySource, error) {
	k, err := openKeys(ctx, reports, dev, vmpl)
	if err != nil {
		return nil, err
	}
	return &sealing.Derived{
		Measurement: k.measurement(), Parameters: k.now.bytes(), Rand: random,
		Machine: func(ctx context.Context, parameters []byte) (tag [sealing.MachineSize]byte, err error) {
			p, err := readParameters(parameters)
			if err != nil {
				return tag, err
			}
			return k.machine(ctx, p)
		},
		Derive: func(ctx context.Context, parameters []byte) (key [sealing.KeySize]byte, err error) {
			p, err := readParameters(parameters)
			if err != nil {
				return key, err
			}
			return k.derive(ctx, p, keyFields)
		},
	}, nil
}
