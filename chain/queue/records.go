package queue

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// CheckRecord says whether an entry of an exported store is one that this package could have written, as far as one
// entry alone can tell. It returns [ErrCorrupt].
func CheckRecord(key, value []byte) error {
	prefix, rest, found := strings.Cut(string(key), "/")
	if !found {
		return fmt.Errorf("%w: unknown key %x", ErrCorrupt, key)
	}
	var err error
	switch prefix + "/" {
	case "head/":
		err = checkTopic(rest, 0, value, new(wire.Head))
	case "sequence/":
		if len(rest) != 32 {
			return fmt.Errorf("%w: key %x", ErrCorrupt, key)
		}
		err = scale.Unmarshal(value, new(wire.Sequence))
	case prefixMessage:
		err = checkTopic(rest, 8, value, new(wire.Message))
	case prefixShelf:
		err = checkTopic(rest, 0, value, new(Shelf))
	case prefixDigest:
		if len(value) != 40 {
			return fmt.Errorf("%w: key %x", ErrCorrupt, key)
		}
		err = checkTopic(rest, 8, nil, nil)
	case prefixDue:
		if len(rest) < 8 {
			return fmt.Errorf("%w: key %x", ErrCorrupt, key)
		}
		err = checkTopic(rest[8:], 0, nil, nil)
	default:
		return fmt.Errorf("%w: unknown key %x", ErrCorrupt, key)
	}
	if err != nil {
		return fmt.Errorf("%w: key %x: %w", ErrCorrupt, key, err)
	}
	return nil
}

// checkTopic checks a key's topic, which is followed by so many bytes, and the record under it, unless that is nil.
func checkTopic(rest string, trailing int, value []byte, r scale.Record) error {
	if len(rest) < trailing {
		return scale.ErrShort
	}
	var topic wire.Topic
	if err := scale.Unmarshal([]byte(rest[:len(rest)-trailing]), &topic); err != nil {
		return err
	}
	if r == nil {
		return nil
	}
	return scale.Unmarshal(value, r)
}

// ParseTopic parses the hexadecimal digits of a topic's SCALE bytes, with or without 0x.
func ParseTopic(text string) (wire.Topic, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return wire.Topic{}, fmt.Errorf("topic: %w", err)
	}
	var topic wire.Topic
	if err := scale.Unmarshal(raw, &topic); err != nil {
		return wire.Topic{}, fmt.Errorf("topic: %w", err)
	}
	return topic, nil
}

// TopicText returns what [ParseTopic] reads, with 0x.
func TopicText(topic wire.Topic) string { return "0x" + hex.EncodeToString(topic.Bytes()) }
