package device

import (
	"context"
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
)

// recorder keeps the requests and refuses what it is told to.
type recorder struct {
	requests []KeyRequest
	refuse   map[RootKey]Status
}

func (r *recorder) DeriveKey(_ context.Context, q KeyRequest) ([32]byte, error) {
	r.requests = append(r.requests, q)
	if s, ok := r.refuse[q.Root]; ok {
		return [32]byte{}, &FirmwareError{"derived key", s}
	}
	return [32]byte{1}, nil
}

// report is one that any data gives.
type report struct{ committed, policy, signer uint64 }

func (r report) Report(_ context.Context, data [64]byte, vmpl uint32) (raw, table []byte, err error) {
	raw = make([]byte, 1184)
	copy(raw[0x50:], data[:])
	raw[0x30], raw[0x48] = byte(vmpl), byte(r.signer)
	for i := range 8 {
		raw[0x1e0+i], raw[8+i] = byte(r.committed>>(8*i)), byte(r.policy>>(8*i))
	}
	return raw, nil, nil
}

const committed = 0x7308000000000003

// A key is asked for with the chip's root, policy, measurement and committed TCB, and nothing else; a machine's name
// with the TCB alone.
func TestRequests(t *testing.T) {
	dev := &recorder{}
	k, err := openKeys(context.Background(), report{committed: committed}, dev, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.machine(context.Background(), k.now); err != nil {
		t.Fatal(err)
	}
	want := []KeyRequest{
		{Root: RootVCEK, Fields: 0b101001, VMPL: 2, TCB: committed},
		{Root: RootVCEK, Fields: 0b100000, VMPL: 2, TCB: committed},
	}
	if len(dev.requests) != 2 || dev.requests[0] != want[0] || dev.requests[1] != want[1] {
		t.Fatalf("%+v", dev.requests)
	}
}

// Firmware without KEY_SEL is asked for its only root; nothing else makes that one acceptable, for it may be a key that
// all machines of a provider have.
func TestRoot(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse map[RootKey]Status
		vlek   bool
		want   RootKey
		fails  bool
	}{
		"new firmware":            {want: RootVCEK},
		"new firmware with VLEK":  {vlek: true, want: RootVCEK},
		"old firmware":            {refuse: map[RootKey]Status{RootVCEK: StatusInvalidParameter}, want: RootDefault},
		"VLEK alone":              {refuse: map[RootKey]Status{RootVCEK: StatusInvalidKey}, vlek: true, fails: true},
		"VLEK, parameter refused": {refuse: map[RootKey]Status{RootVCEK: StatusInvalidParameter}, vlek: true, fails: true},
		"VCEK refused":            {refuse: map[RootKey]Status{RootVCEK: StatusInvalidKey}, fails: true},
		"everything refused":      {refuse: map[RootKey]Status{RootVCEK: StatusInvalidParameter, RootDefault: StatusInvalidParameter}, fails: true},
	} {
		r := report{committed: committed}
		if tt.vlek {
			r.signer = 1 << 2
		}
		dev := &recorder{refuse: tt.refuse}
		k, err := openKeys(context.Background(), r, dev, 0)
		if (err != nil) != tt.fails || err == nil && k.now.root != tt.want {
			t.Errorf("%s: %v", name, err)
		}
		for _, q := range dev.requests {
			if tt.vlek && q.Root != RootVCEK || q.Root&RootVMRK != 0 || q.Root == RootVLEK {
				t.Errorf("%s: root %d was asked for", name, q.Root)
			}
		}
	}
}

// What newer firmware sealed is refused before the firmware is asked, part by part of the version.
func TestOlderFirmware(t *testing.T) {
	k, err := openKeys(context.Background(), report{committed: committed}, &recorder{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for tcb, want := range map[uint64]bool{
		committed: true, 0: true, 0x7308000000000002: true, 0x0000000000000003: true,
		0x7308000000000004: false, 0x7309000000000000: false, 0x7400000000000000: false, 0x0000000000000100: false,
		0xffffffffffffffff: false, 0x0000010000000000: false,
	} {
		_, err := k.derive(context.Background(), parameters{RootVCEK, tcb}, keyFields)
		if want != (err == nil) || !want && !(errors.Is(err, ErrOlderFirmware) && errors.Is(err, tee.ErrOtherMachine)) {
			t.Errorf("TCB %016x: %v", tcb, err)
		}
	}
}

func TestParameters(t *testing.T) {
	p := parameters{RootVCEK, committed}
	if back, err := readParameters(p.bytes()); err != nil || back != p {
		t.Fatal(back, err)
	}
	for _, b := range [][]byte{nil, p.bytes()[:8], append(p.bytes(), 0), {1, 0, 0, 0, 0, 0, 0, 0, 0}, {4, 0, 0, 0, 0, 0, 0, 0, 0}} {
		if _, err := readParameters(b); !errors.Is(err, tee.ErrSealDamaged) {
			t.Errorf("%x: %v", b, err)
		}
	}
}
