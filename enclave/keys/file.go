package keys

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// Layout of the sealed file:
//
//	"PHXKEYS\x00" ‖ version u8 ‖ length u32 (little-endian) ‖ SCALE(fileBody) ‖ SHA-256 of all before
//
// The hash tells damage from a file that is somebody else's; it protects nothing. What protects is the seal, whose
// associated data is "phalanx/sealed-keys/v1" ‖ chain_uid ‖ version u8 ‖ SCALE(kind).
const (
	fileVersion = 2
	prefixSize  = len(fileMagic) + 1 + 4
	// maxSealed allows for what a platform adds to tee.MaxSealed bytes.
	maxSealed = tee.MaxSealed + 64<<10
	maxBody   = 32 + 64 + 8 + maxSealed
	maxFile   = prefixSize + maxBody + sha256.Size
	maxKind   = 32

	sealedKind = "sealed-keys"
)

const fileMagic = "PHXKEYS\x00"

type fileBody struct {
	UID    wire.ChainUID
	Kind   string
	Sealed []byte
}

// Scale visits the fields in order.
func (f *fileBody) Scale(c *scale.Codec) {
	c.Fixed(f.UID[:])
	c.Text(&f.Kind, maxKind)
	c.Bytes(&f.Sealed, maxSealed)
}

// binding is what a sealed file is bound to, and the platform that seals it.
type binding struct {
	sealer tee.Sealer
	uid    wire.ChainUID
	kind   string
}

// associated returns the seal's associated data.
func (b *binding) associated() []byte {
	body := scale.AppendCompact([]byte{fileVersion}, uint64(len(b.kind)))
	return wire.SigningText(sealedKind, b.uid, append(body, b.kind...))
}

// encode seals a state and returns the file's bytes.
func (b *binding) encode(ctx context.Context, s *state) ([]byte, error) {
	plaintext, err := s.marshal()
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	sealed, err := b.sealer.Seal(ctx, plaintext, b.associated())
	if err != nil {
		return nil, fmt.Errorf("keys: seal: %w", err)
	}
	body, err := scale.Marshal(&fileBody{b.uid, b.kind, sealed})
	if err != nil {
		return nil, fmt.Errorf("keys: encode: %w", err)
	}
	out := make([]byte, 0, prefixSize+len(body)+sha256.Size)
	out = append(out, fileMagic...)
	out = append(out, fileVersion)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
	out = append(out, body...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// decode opens the bytes of a file.
func (b *binding) decode(ctx context.Context, file []byte) (*state, error) {
	body, err := parseFile(file)
	if err != nil {
		return nil, err
	}
	if body.UID != b.uid {
		return nil, fmt.Errorf("%w: chain uid %x, not %x", ErrOtherNetwork, body.UID, b.uid)
	}
	if body.Kind != b.kind {
		return nil, fmt.Errorf("%w: %q, not %q", ErrOtherKind, body.Kind, b.kind)
	}
	plaintext, err := b.sealer.Unseal(ctx, body.Sealed, b.associated())
	if err != nil {
		return nil, explain(err)
	}
	defer clear(plaintext)
	return unmarshalState(plaintext)
}

// parseFile checks the file's frame.
func parseFile(file []byte) (*fileBody, error) {
	if len(file) < prefixSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrTruncated, len(file))
	}
	if string(file[:len(fileMagic)]) != fileMagic {
		return nil, fmt.Errorf("%w: not a file of keys", ErrDamaged)
	}
	if v := file[len(fileMagic)]; v != fileVersion {
		return nil, fmt.Errorf("%w: %d, this release reads %d", ErrVersion, v, fileVersion)
	}
	length := uint64(binary.LittleEndian.Uint32(file[prefixSize-4:]))
	whole := uint64(prefixSize) + length + sha256.Size
	if length > maxBody || uint64(len(file)) > whole {
		return nil, fmt.Errorf("%w: %d bytes, the prefix says %d", ErrDamaged, len(file), whole)
	}
	if uint64(len(file)) < whole {
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrTruncated, len(file), whole)
	}
	end := len(file) - sha256.Size
	if sha256.Sum256(file[:end]) != [sha256.Size]byte(file[end:]) {
		return nil, fmt.Errorf("%w: its hash does not match", ErrDamaged)
	}
	body := new(fileBody)
	if err := scale.Unmarshal(file[prefixSize:end], body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return body, nil
}

// explain gives a sealer's error the name that this package promises.
func explain(err error) error {
	table := []struct{ from, to error }{
		{tee.ErrSealDamaged, ErrDamaged},
		{tee.ErrOtherMachine, ErrOtherMachine},
		{tee.ErrOtherMeasurement, ErrOtherProgram},
	}
	for _, row := range table {
		if errors.Is(err, row.from) {
			return fmt.Errorf("%w: %w", row.to, err)
		}
	}
	return fmt.Errorf("unseal: %w", err)
}
