package tee

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bounds of policies and roots.
const (
	MaxMeasurement  = 64      // bytes of one measurement (SHA-512 at most)
	MaxMeasurements = 64      // measurements of one kind
	MaxRootsPerKind = 16      // roots of one kind
	MaxRoot         = 8 << 10 // bytes of one root
)

// ErrPolicy says that a policy or a set of roots contradicts itself.
var ErrPolicy = errors.New("tee: invalid policy")

// Acceptance is a policy's rule for one kind of evidence.
type Acceptance struct {
	Kind Kind
	// Measurements are the programs that may run, each 1 to MaxMeasurement bytes. An empty list admits nothing.
	Measurements [][]byte
	// MaxAge is how old evidence may be, in seconds of its own signed time. 0 asks for no time: the kind signs none,
	// and freshness rests on what the report data names. With a MaxAge, evidence without a time is refused.
	MaxAge uint32
	// MaxAhead is how far, in seconds, evidence may lie in the verifier's future. It allows for block time running
	// behind the platform's clock, as it does for one block after a network was halted.
	MaxAhead uint32
}

// Scale visits the rule: kind u8, measurements, max_age u32, max_ahead u32.
func (a *Acceptance) Scale(c *scale.Codec) {
	a.Kind.Scale(c)
	scale.Slice(c, &a.Measurements, MaxMeasurements, func(m *[]byte) { c.Bytes(m, MaxMeasurement) })
	c.U32(&a.MaxAge)
	c.U32(&a.MaxAhead)
}

func (a *Acceptance) allows(measurement []byte) bool {
	for _, m := range a.Measurements {
		if bytes.Equal(m, measurement) {
			return true
		}
	}
	return false
}

// Policy says which evidence is believed. The zero value believes none.
type Policy struct {
	Accept        []Acceptance // in ascending order of kind, each kind once
	Statuses      []TCBStatus  // in ascending order, never TCBRevoked
	AllowDebug    bool
	MinConfidence uint8 // the weakest level taken, 1 (best) to 5; 0 also takes platforms that have none
}

// Scale visits the policy: accept, statuses, allow_debug bool, min_confidence u8. A policy that [Policy.Validate]
// refuses has no encoding.
func (p *Policy) Scale(c *scale.Codec) {
	scale.Slice(c, &p.Accept, kinds, func(a *Acceptance) { a.Scale(c) })
	scale.Slice(c, &p.Statuses, tcbStatuses, func(s *TCBStatus) { s.Scale(c) })
	c.Bool(&p.AllowDebug)
	c.U8(&p.MinConfidence)
	if c.Err() == nil {
		c.Fail(p.Validate())
	}
}

// Validate returns an error that wraps [ErrPolicy] unless every list is in order and within its bounds.
func (p *Policy) Validate() error {
	for i := range p.Accept {
		a := &p.Accept[i]
		if !a.Kind.Valid() || (i > 0 && a.Kind <= p.Accept[i-1].Kind) {
			return fmt.Errorf("%w: kinds must be known and ascend", ErrPolicy)
		}
		if len(a.Measurements) > MaxMeasurements {
			return fmt.Errorf("%w: %d measurements of kind %s", ErrPolicy, len(a.Measurements), a.Kind)
		}
		for _, m := range a.Measurements {
			if len(m) == 0 || len(m) > MaxMeasurement {
				return fmt.Errorf("%w: a measurement of kind %s has %d bytes", ErrPolicy, a.Kind, len(m))
			}
		}
	}
	for i, s := range p.Statuses {
		if s >= TCBRevoked || (i > 0 && s <= p.Statuses[i-1]) {
			return fmt.Errorf("%w: statuses must ascend and never hold %s", ErrPolicy, TCBRevoked)
		}
	}
	if p.MinConfidence > ConfidenceWorst {
		return fmt.Errorf("%w: minimum confidence %d", ErrPolicy, p.MinConfidence)
	}
	return nil
}

// rule returns the policy's rule for a kind, or nil.
func (p *Policy) rule(k Kind) *Acceptance {
	for i := range p.Accept {
		if p.Accept[i].Kind == k {
			return &p.Accept[i]
		}
	}
	return nil
}

// KindRoots holds the trusted roots of one kind, each in the provider's form: a DER certificate, or a raw public key.
type KindRoots struct {
	Kind Kind
	Keys [][]byte
}

// Roots holds what the verifiers trust. Kinds ascend, each once.
type Roots struct {
	Kinds []KindRoots
}

// Scale visits the roots: a list of kind u8 and keys.
func (r *Roots) Scale(c *scale.Codec) {
	scale.Slice(c, &r.Kinds, kinds, func(k *KindRoots) {
		k.Kind.Scale(c)
		scale.Slice(c, &k.Keys, MaxRootsPerKind, func(b *[]byte) { c.Bytes(b, MaxRoot) })
	})
	if c.Err() == nil {
		c.Fail(r.Validate())
	}
}

// Validate returns an error that wraps [ErrPolicy] unless kinds ascend and every root is within its bounds.
func (r *Roots) Validate() error {
	for i, k := range r.Kinds {
		if !k.Kind.Valid() || (i > 0 && k.Kind <= r.Kinds[i-1].Kind) {
			return fmt.Errorf("%w: kinds of roots must be known and ascend", ErrPolicy)
		}
		if len(k.Keys) > MaxRootsPerKind {
			return fmt.Errorf("%w: %d roots of kind %s", ErrPolicy, len(k.Keys), k.Kind)
		}
		for _, key := range k.Keys {
			if len(key) == 0 || len(key) > MaxRoot {
				return fmt.Errorf("%w: a root of kind %s has %d bytes", ErrPolicy, k.Kind, len(key))
			}
		}
	}
	return nil
}

// Of returns the roots of a kind, of which there may be none.
func (r *Roots) Of(k Kind) [][]byte {
	for _, x := range r.Kinds {
		if x.Kind == k {
			return x.Keys
		}
	}
	return nil
}
