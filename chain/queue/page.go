package queue

import (
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of a page.
const (
	// DefaultPageBytes is how many bytes of bodies a page has unless it is asked for otherwise.
	DefaultPageBytes = 1 << 20
	// MaxPageBytes is the most.
	MaxPageBytes = 4 << 20
	// MaxPageDigests is the most digests of a page.
	MaxPageDigests = 100_000
	// maxPageMessages bounds the work for small bodies.
	maxPageMessages = 10_000
)

// Errors about pages.
var (
	// ErrPruned says that a body is no longer kept; see [PrunedError].
	ErrPruned = errors.New("body is pruned")
	// ErrBeyond says that a page begins beyond the topic's head, or ends before it begins.
	ErrBeyond = errors.New("no such place in the topic")
)

// PrunedError says which bodies are kept.
type PrunedError struct {
	From, Lowest uint64
}

// Error names both indexes.
func (e *PrunedError) Error() string {
	return fmt.Sprintf("%v: index %d, lowest kept is %d", ErrPruned, e.From, e.Lowest)
}

// Is makes a PrunedError match [ErrPruned].
func (e *PrunedError) Is(target error) bool { return target == ErrPruned }

// Page is a part of a topic: some bodies and, for those that follow, their digests.
type Page struct {
	Messages [][]byte // the SCALE bytes
	Digests  []wire.Hash
	Head     wire.Head
	Lowest   uint64 // the lowest index whose body is kept
}

// Page returns the bodies of a topic from index from on, as many as fit in maxBytes but at least one, and the digests
// of those that follow, up to but without the index until. Zero for until stands for the head's count, zero for
// maxBytes for [DefaultPageBytes]. It returns a [PrunedError] or [ErrBeyond].
func (q Queue) Page(topic wire.Topic, from, until, maxBytes uint64) (Page, error) {
	head, err := q.Head(topic)
	if err != nil {
		return Page{}, err
	}
	raw := topic.Bytes()
	var s Shelf
	if _, err := q.load(shelfKey(raw), &s); err != nil {
		return Page{}, err
	}
	if until == 0 {
		until = head.Count
	}
	if until > head.Count || from > until {
		return Page{}, fmt.Errorf("%w: %d to %d, head is at %d", ErrBeyond, from, until, head.Count)
	}
	if from < s.Lowest && from < until {
		return Page{}, &PrunedError{from, s.Lowest}
	}
	if maxBytes == 0 {
		maxBytes = DefaultPageBytes
	}
	page := Page{Head: head, Lowest: s.Lowest}
	page.Messages, err = q.bodies(raw, from, until, min(maxBytes, MaxPageBytes))
	if err != nil {
		return Page{}, err
	}
	page.Digests, err = q.digests(raw, from+uint64(len(page.Messages)), until)
	return page, err
}

func (q Queue) bodies(topic []byte, from, until, maxBytes uint64) ([][]byte, error) {
	var out [][]byte
	var size uint64
	for i := from; i < until && len(out) < maxPageMessages; i++ {
		body, err := q.store.Get(indexed(prefixMessage, topic, i))
		if err != nil {
			return nil, err
		}
		if body == nil {
			return nil, fmt.Errorf("%w: message %d of topic %x is missing", ErrCorrupt, i, topic)
		}
		size += uint64(len(body))
		if size > maxBytes && len(out) > 0 {
			return out, nil
		}
		out = append(out, body)
	}
	return out, nil
}

func (q Queue) digests(topic []byte, from, until uint64) ([]wire.Hash, error) {
	until = min(until, from+MaxPageDigests)
	var out []wire.Hash
	for i := from; i < until; i++ {
		d, _, err := q.digest(topic, i)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Lowest returns the lowest index of a topic whose body is kept.
func (q Queue) Lowest(topic wire.Topic) (uint64, error) {
	var s Shelf
	_, err := q.load(shelfKey(topic.Bytes()), &s)
	return s.Lowest, err
}
