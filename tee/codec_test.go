package tee_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

const reportDataVector = "5611e0d9c3deeec2a52579d7f50dce0aec5cf283117529e089a7f7fe1248de2d" +
	"08bcf29004a4155cb021eadcf30d3f4705cf689514288e28babebbf778a11064"

// TestLayouts freezes the encodings: DO NOT CHANGE.
func TestLayouts(t *testing.T) {
	tests := []struct {
		name   string
		record scale.Record
		want   []byte
	}{
		{"evidence", &tee.Evidence{Kind: tee.KindTDX, Data: []byte{1, 2}, Collateral: []byte{3}}, []byte{
			2,       // kind
			8, 1, 2, // data
			4, 3, // collateral
		}},
		{"policy", &tee.Policy{
			Accept: []tee.Acceptance{
				{Kind: tee.KindSimulated, Programs: []tee.Program{tee.Exactly([]byte{9})}, MaxAge: 600, MaxAhead: 3600},
				{Kind: tee.KindNitro},
			},
			Statuses:      []tee.TCBStatus{tee.TCBUpToDate, tee.TCBSWHardeningNeeded},
			AllowDebug:    true,
			MinConfidence: 3,
		}, []byte{
			8,                                                                        // two rules
			0, 4, 4, 44, 'm', 'e', 'a', 's', 'u', 'r', 'e', 'm', 'e', 'n', 't', 4, 9, // simulated: a program of one register
			0x58, 2, 0, 0, 0x10, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, // ages, no evaluation number, no floor, no list
			4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // nitro, nothing allowed
			8, 0, 1, // statuses
			1, // debug
			3, // confidence
		}},
		{"policy of Intel and AMD", &tee.Policy{Accept: []tee.Acceptance{
			{Kind: tee.KindSGX, Programs: []tee.Program{program("mrenclave")}, MinEvaluation: 0x0117},
			{Kind: tee.KindSEVSNP, RequireCRL: true, MinTCB: []tee.TCBFloor{
				{Product: "Milan", Levels: tee.Levels{BootLoader: 4, TEE: 1, SNP: 23, Microcode: 213}},
			}},
		}}, slices.Concat([]byte{
			8,                                                              // two rules
			1, 4, 4, 36, 'm', 'r', 'e', 'n', 'c', 'l', 'a', 'v', 'e', 0xc0, // sgx: a program of one register of 48 bytes
		}, bytes.Repeat([]byte{1}, 48), []byte{
			0, 0, 0, 0, 0, 0, 0, 0, 0x17, 1, 0, 0, 0, 0, // ages, evaluation number, no floor, no list
			3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // sev-snp: no program, ages, no evaluation number
			4, 20, 'M', 'i', 'l', 'a', 'n', 4, 1, 23, 213, 1, // a floor, and a list is required
			0, 0, 0, // no status, no debug, any confidence
		})},
		{"roots", &tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: [][]byte{{5, 6}}}}}, []byte{
			4, 3, 4, 8, 5, 6,
		}},
	}
	for _, tt := range tests {
		if got := scale.MustMarshal(tt.record); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: % x", tt.name, got)
		}
	}
}

func TestDecodersRefuse(t *testing.T) {
	tests := []struct {
		name   string
		record scale.Record
		in     []byte
		want   error
	}{
		{"unknown kind", &tee.Evidence{}, []byte{6, 0, 0}, scale.ErrVariant},
		{"data over its bound", &tee.Evidence{}, []byte{0, 0x06, 0, 0x10, 0}, scale.ErrBound},
		{"kinds descend", &tee.Roots{}, []byte{8, 1, 0, 0, 0}, tee.ErrPolicy},
		{"kind twice", &tee.Roots{}, []byte{8, 1, 0, 1, 0}, tee.ErrPolicy},
		{"empty root", &tee.Roots{}, []byte{4, 1, 4, 0}, tee.ErrPolicy},
		{"registers descend", &tee.Policy{}, append([]byte{4, 4, 4, 8}, "\x10pcr1\x04\x01\x10pcr0\x04\x01"+strings.Repeat("\x00", 17)...), tee.ErrPolicy},
		{"17 registers", &tee.Program{}, []byte{17 << 2}, scale.ErrBound},
		{"65 programs", &tee.Acceptance{}, []byte{0, 5, 1}, scale.ErrBound},
		{"name over its bound", &tee.Register{}, append([]byte{25 << 2}, make([]byte, 60)...), scale.ErrBound},
		{"value over its bound", &tee.Register{}, append([]byte{4, 'a', 5, 1}, make([]byte, 80)...), scale.ErrBound},
		{"list required is 2", &tee.Acceptance{}, append(make([]byte, 15), 2), scale.ErrVariant},
		{"revoked", &tee.Policy{}, []byte{0, 4, 6, 0, 0}, tee.ErrPolicy},
		{"statuses twice", &tee.Policy{}, []byte{0, 8, 0, 0, 0, 0}, tee.ErrPolicy},
		{"confidence 6", &tee.Policy{}, []byte{0, 0, 0, 6}, tee.ErrPolicy},
	}
	for _, tt := range tests {
		if err := scale.Unmarshal(tt.in, tt.record); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func fuzzRecord(f *testing.F, fresh func() scale.Record, seeds ...scale.Record) {
	for _, s := range seeds {
		f.Add(scale.MustMarshal(s))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := fresh()
		if scale.Unmarshal(b, r) != nil {
			return
		}
		again, err := scale.Marshal(r)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

func FuzzEvidence(f *testing.F) {
	fuzzRecord(f, func() scale.Record { return &tee.Evidence{} }, &tee.Evidence{Kind: 5, Data: []byte("d"), Collateral: []byte("c")})
}

func FuzzPolicy(f *testing.F) {
	_, p := good()
	fuzzRecord(f, func() scale.Record { return &tee.Policy{} }, &p, full(), &tee.Policy{})
}

func FuzzProgram(f *testing.F) {
	one := program("mrtd", "rtmr0", "rtmr1", "rtmr2")
	fuzzRecord(f, func() scale.Record { return &tee.Program{} }, &one)
}

func FuzzRoots(f *testing.F) {
	fuzzRecord(f, func() scale.Record { return &tee.Roots{} },
		&tee.Roots{Kinds: []tee.KindRoots{{Kind: 1, Keys: [][]byte{{1}, {2}}}, {Kind: 4}}})
}
