package light

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// shape says how often a protobuf field may occur in a message before the message is decoded, so that a small input
// cannot make the decoder reserve much memory. Fields that it does not name are passed over.
type shape map[uint64]part

// part is one field of a shape: at most most times, with inner inside each.
type part struct {
	most  int
	inner shape
}

// errWire says that bytes are not in protobuf's wire format, as far as it is used here.
var errWire = errors.New("not in protobuf wire format")

// lightBlockShape bounds tendermint.types.LightBlock.
var lightBlockShape = shape{
	1: {1, shape{ // signed_header
		2: {1, shape{4: {MaxValidators, nil}}}, // commit.signatures
	}},
	2: {1, shape{1: {MaxValidators, nil}}}, // validator_set.validators
}

// countRepeated walks a message and counts, descending only where s does.
func countRepeated(b []byte, s shape) error {
	seen := make(map[uint64]int, len(s))
	for len(b) > 0 {
		number, body, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		p, ok := s[number]
		if !ok {
			continue
		}
		if seen[number]++; seen[number] > p.most {
			return fmt.Errorf("field %d more than %d times", number, p.most)
		}
		if p.inner == nil {
			continue
		}
		if err := countRepeated(body, p.inner); err != nil {
			return err
		}
	}
	return nil
}

// nextField splits the first field off b. body is nil for a field that is not length-delimited.
func nextField(b []byte) (number uint64, body, rest []byte, err error) {
	key, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, errWire
	}
	b = b[n:]
	switch key & 7 {
	case 0:
		if _, n = binary.Uvarint(b); n <= 0 {
			return 0, nil, nil, errWire
		}
	case 1:
		n = 8
	case 2:
		size, w := binary.Uvarint(b)
		if w <= 0 || size > uint64(len(b)-w) {
			return 0, nil, nil, errWire
		}
		n = w + int(size)
		body = b[w:n]
	case 5:
		n = 4
	default:
		return 0, nil, nil, errWire
	}
	if n > len(b) {
		return 0, nil, nil, errWire
	}
	return key >> 3, body, b[n:], nil
}
