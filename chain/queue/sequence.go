package queue

import (
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// Errors about the order of enclaves' messages.
var (
	// ErrIncarnation says that a message is not of its enclave's newest incarnation.
	ErrIncarnation = errors.New("message is not from the newest incarnation")
	// ErrGap says that messages before this one are missing; see [GapError].
	ErrGap = errors.New("sequence gap")
)

// GapError says which sequence is accepted next.
type GapError struct {
	Have, Next uint64
}

// Error names both sequences.
func (e *GapError) Error() string {
	return fmt.Sprintf("%v: message has sequence %d, %d is next", ErrGap, e.Have, e.Next)
}

// Is makes a GapError match [ErrGap].
func (e *GapError) Is(target error) bool { return target == ErrGap }

// Accept judges the place of an enclave's message in the order of its acts and, when its turn has come, takes note. It
// returns false for a message that was accepted before, [ErrIncarnation] for one whose incarnation is not newest, and
// a [GapError] for one that comes too early. A new incarnation starts at 0. The signature is the caller's to check.
func (q Queue) Accept(m *wire.EnclaveMessage, newest wire.Incarnation) (bool, error) {
	if m.Incarnation != newest {
		return false, fmt.Errorf("%w: message has %s, newest is %s", ErrIncarnation, m.Incarnation, newest)
	}
	s, err := q.Sequence(m.Identity)
	if err != nil {
		return false, err
	}
	if s.Incarnation != newest {
		s = wire.Sequence{Incarnation: newest}
	}
	switch {
	case m.Sequence < s.Next:
		return false, nil
	case m.Sequence > s.Next:
		return false, &GapError{m.Sequence, s.Next}
	}
	s.Next++
	return true, q.store.Set([]byte(wire.KeySequence(m.Identity).Key), scale.MustMarshal(&s))
}
