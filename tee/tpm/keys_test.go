package tpm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/phalanx-network/phalanx/tee"
)

func example() *sealed {
	return &sealed{
		pcrs: selection{1, 2, 3}, digest: [32]byte{4}, root: [32]byte{5}, unique: [32]byte{6},
		ticket: bytes.Repeat([]byte{7}, 64), private: bytes.Repeat([]byte{8}, 160),
	}
}

// TestLayout freezes the layout of wrapped keys: DO NOT CHANGE.
func TestLayout(t *testing.T) {
	b := example().encode()
	zeros := bytes.Repeat([]byte{0}, 31)
	want := bytes.Join([][]byte{{1, 2, 3}, {4}, zeros, {5}, zeros, {6}, zeros, {64}, bytes.Repeat([]byte{7}, 64), {160, 0}, bytes.Repeat([]byte{8}, 160)}, nil)
	if !bytes.Equal(b, want) {
		t.Fatalf("%x", b)
	}
}

// TestFixedParts freezes what is rebuilt of an object when it is opened: DO NOT CHANGE, or nothing that was sealed opens.
func TestFixedParts(t *testing.T) {
	s := example()
	policy, err := s.policy()
	if err != nil {
		t.Fatal(err)
	}
	// TPM2_PolicyPCR, part 3 section 23.7: H(zeros ‖ TPM_CC_PolicyPCR ‖ TPML_PCR_SELECTION ‖ digest).
	const wantPolicy = "49ba30ed0b05a387d3bbb498811f25eb565c35bc4f1b15fc1ba784e6b5df8204"
	// TPMS_CREATION_DATA, part 2 section 15.1, computed without this program's library.
	const wantCreation = "3abf670f683680daf362bebeb44a3d0188bc1d100eb91857d72a7006809eda44"
	if got := hex.EncodeToString(policy); got != wantPolicy {
		t.Errorf("policy %s", got)
	}
	if got := hex.EncodeToString(s.creationHash(&root{name: s.root}, []byte("aad"))); got != wantCreation {
		t.Errorf("creation data %s", got)
	}
}

func TestDecodeMutated(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	whole := example().encode()
	for n := range whole {
		checkDecode(t, whole[:n])
	}
	checkDecode(t, append(bytes.Clone(whole), 0))
	for range 5000 {
		b := bytes.Clone(whole)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.UintN(256))
		}
		checkDecode(t, b[:1+r.IntN(len(b))])
	}
}

// checkDecode: what is taken encodes to itself, and the rest is damaged.
func checkDecode(t *testing.T, b []byte) {
	t.Helper()
	s, err := decode(b)
	switch {
	case err != nil && !errors.Is(err, tee.ErrSealDamaged):
		t.Fatalf("%x: %v", b, err)
	case err == nil && !bytes.Equal(s.encode(), b):
		t.Fatalf("%x encodes to %x", b, s.encode())
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(example().encode())
	f.Add([]byte{})
	f.Add(make([]byte, fixedSize+3))
	f.Fuzz(func(t *testing.T, b []byte) { checkDecode(t, b) })
}

// A registers' answer that leaves one out, adds one or has them in another order is an error, not another digest.
func TestReadAnswers(t *testing.T) {
	asked, err := selectionOf([]uint{0, 2, 7, 9})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		got    []uint
		values int
		left   []uint
		good   bool
	}{
		{[]uint{0, 2, 7, 9}, 4, nil, true},
		{[]uint{0, 2}, 2, []uint{7, 9}, true},
		{[]uint{0, 7}, 2, nil, false},
		{[]uint{2, 7, 9}, 3, nil, false},
		{[]uint{0, 1, 2}, 3, nil, false},
		{[]uint{0, 2}, 3, nil, false},
		{nil, 0, nil, false},
	} {
		var got selection
		if tt.got != nil {
			if got, err = selectionOf(tt.got); err != nil {
				t.Fatal(err)
			}
		}
		left, err := asked.without(&tpm2.PCRReadResponse{
			PCRSelectionOut: got.list(), PCRValues: tpm2.TPMLDigest{Digests: make([]tpm2.TPM2BDigest, tt.values)},
		})
		if (err == nil) != tt.good {
			t.Errorf("%v: %v", tt.got, err)
		}
		if err != nil {
			continue
		}
		var want selection
		for _, n := range tt.left {
			want[n/8] |= 1 << (n % 8)
		}
		if left != want {
			t.Errorf("%v: %x left", tt.got, left)
		}
	}
}

// Errors of the TPM are the data's fault only where they are.
func TestBlame(t *testing.T) {
	for _, tt := range []struct {
		what string
		code tpm2.TPMRC
		want error
	}{
		{"load", tpm2.TPMRCIntegrity + 0x140, tee.ErrSealDamaged}, // parameter 1
		{"load", tpm2.TPMRCRetry, nil},
		{"load", tpm2.TPMRCLockout, nil},
		{"check who sealed", tpm2.TPMRCTicket + 0x540, tee.ErrSealDamaged}, // parameter 5,
		{"unseal", tpm2.TPMRCPolicyFail + 0x900, tee.ErrOtherMeasurement},  // session 1
		{"unseal", tpm2.TPMRCPCRChanged, tee.ErrOtherMeasurement},
	} {
		err := blame(tt.what, tt.code)
		for _, e := range []error{tee.ErrSealDamaged, tee.ErrOtherMachine, tee.ErrOtherMeasurement} {
			if errors.Is(err, e) != (e == tt.want) {
				t.Errorf("%s: %v", tt.what, err)
			}
		}
		if !errors.Is(fmt.Errorf("%w", err), tt.code) {
			t.Errorf("%s: %v hides the code", tt.what, err)
		}
	}
}
