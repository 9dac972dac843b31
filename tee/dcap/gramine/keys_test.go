package gramine_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine/graminetest"
	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sealing/sealingtest"
)

func sealer(t *testing.T, change func(*graminetest.Enclave)) tee.Sealer {
	t.Helper()
	f := graminetest.New()
	if change != nil {
		change(f)
	}
	e, err := gramine.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := e.Keys(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sealing.New(keys, gramine.Label, rand.Reader)
}

func TestSealing(t *testing.T) {
	type changes = func(*graminetest.Enclave)
	sealingtest.Run(t, func() tee.Sealer { return sealer(t, nil) },
		sealingtest.Elsewhere{Name: "another processor", Want: tee.ErrOtherMachine,
			Sealer: sealer(t, changes(func(e *graminetest.Enclave) { e.Machine[0] ^= 1 }))},
		sealingtest.Elsewhere{Name: "another enclave of the signer", Want: tee.ErrOtherMeasurement,
			Sealer: sealer(t, changes(func(e *graminetest.Enclave) { e.World.Enclave.MRENCLAVE[0] ^= 1 }))},
		sealingtest.Elsewhere{Name: "another signer", Want: tee.ErrOtherMeasurement,
			Sealer: sealer(t, changes(func(e *graminetest.Enclave) {
				e.World.Enclave.MRSIGNER[0] ^= 1
				e.World.Enclave.MRENCLAVE[0] ^= 1 // an enclave's author is no part of it, but its manifest differs
			}))},
		sealingtest.Elsewhere{Name: "another microcode", Want: gramine.ErrMicrocode,
			Sealer: sealer(t, changes(func(e *graminetest.Enclave) { e.World.Enclave.CPUSVN[0]++ }))},
		sealingtest.Elsewhere{Name: "debug", Want: tee.ErrOtherMachine,
			Sealer: sealer(t, changes(func(e *graminetest.Enclave) { e.World.Enclave.Attributes[0] |= 2 }))},
	)
}

// Keys that are not there, or are no keys, are noticed when the program starts.
func TestNoKeys(t *testing.T) {
	for _, name := range []string{"keys/_sgx_mrenclave", "keys/_sgx_mrsigner"} {
		for what, tt := range map[string]struct {
			change func(*graminetest.Enclave)
			want   error
		}{
			"missing": {func(e *graminetest.Enclave) { e.Missing = map[string]bool{name: true} }, fs.ErrNotExist},
			"empty":   {spoil(name, func([]byte) []byte { return nil }), gramine.ErrReply},
			"short":   {spoil(name, func(b []byte) []byte { return b[:15] }), gramine.ErrReply},
			"long":    {spoil(name, func(b []byte) []byte { return append(b, 0) }), gramine.ErrReply},
			"zeros":   {spoil(name, func(b []byte) []byte { return bytes.Repeat([]byte{0}, 16) }), gramine.ErrReply},
		} {
			f := graminetest.New()
			tt.change(f)
			e, err := gramine.Open(f)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Keys(rand.Reader); !errors.Is(err, tt.want) {
				t.Errorf("%s %s: %v", what, name, err)
			}
		}
	}
}
