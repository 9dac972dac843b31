package tee

import (
	"errors"
	"fmt"
	"slices"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bounds of policies and roots.
const (
	MaxPrograms     = 64      // programs of one kind
	MaxFloors       = 8       // products that have a floor
	MaxProduct      = 16      // bytes of a product's name
	MaxRootsPerKind = 16      // roots of one kind
	MaxRoot         = 8 << 10 // bytes of one root
)

// ErrPolicy says that a policy or a set of roots contradicts itself.
var ErrPolicy = errors.New("tee: invalid policy")

// Levels are the security patch levels of an AMD platform's parts, as Milan and Genoa number them. They only mean
// something against those of the same product.
type Levels struct {
	BootLoader uint8 `json:"boot_loader"`
	TEE        uint8 `json:"tee"`
	SNP        uint8 `json:"snp"`
	Microcode  uint8 `json:"microcode"`
}

// Scale visits the levels: boot_loader u8, tee u8, snp u8, microcode u8.
func (l *Levels) Scale(c *scale.Codec) {
	c.U8(&l.BootLoader)
	c.U8(&l.TEE)
	c.U8(&l.SNP)
	c.U8(&l.Microcode)
}

// AtLeast reports whether no part of l is below its level in least.
func (l Levels) AtLeast(least Levels) bool {
	return l.BootLoader >= least.BootLoader && l.TEE >= least.TEE && l.SNP >= least.SNP && l.Microcode >= least.Microcode
}

// String returns the levels by name.
func (l Levels) String() string {
	return fmt.Sprintf("boot loader %d, tee %d, snp %d, microcode %d", l.BootLoader, l.TEE, l.SNP, l.Microcode)
}

// TCBFloor is the level below which a platform of one product is OutOfDate.
type TCBFloor struct {
	Product string // as AMD's certificates name it: "Milan" or "Genoa"
	Levels
}

// Scale visits the floor: product, levels.
func (f *TCBFloor) Scale(c *scale.Codec) {
	c.Text(&f.Product, MaxProduct)
	f.Levels.Scale(c)
}

// products are the lines of AMD's processors that can have a floor, in the order in which a policy names them.
var products = []string{"Genoa", "Milan"}

// Acceptance is a policy's rule for one kind of evidence. A field that is of one maker must be zero in rules for the
// kinds of others.
type Acceptance struct {
	Kind Kind
	// Programs may run, each once, at most MaxPrograms. The first that holds gives [Claims.Program]. An empty list
	// admits nothing.
	Programs []Program
	// MaxAge is how old evidence may be, in seconds of its own signed time or, where the kind signs none, of the newest
	// thing that its report data names ([Question.Bound]). 0 asks for no time. With a MaxAge, evidence that has neither
	// is refused.
	MaxAge uint32
	// MaxAhead is how far, in seconds, evidence may lie in the verifier's future. It allows for block time running
	// behind the platform's clock, as it does for one block after a network was halted.
	MaxAhead uint32
	// MinEvaluation (Intel) is the least TCB evaluation number of TCB info and QE identity. With it a policy keeps a
	// platform's owner from showing older collateral that is still valid.
	MinEvaluation uint32
	// MinTCB (AMD) holds floors in ascending order of product, each once. Without any, no level is too low; with some, a
	// product that has none is OutOfDate, so that a forgotten product is refused rather than waved through.
	MinTCB []TCBFloor
	// RequireCRL (AMD) asks for the root's revocation list beside the report. Intel's lists are always needed.
	RequireCRL bool
}

// Scale visits the rule: kind u8, programs, max_age u32, max_ahead u32, min_evaluation u32, min_tcb, require_crl bool.
func (a *Acceptance) Scale(c *scale.Codec) {
	a.Kind.Scale(c)
	scale.Slice(c, &a.Programs, MaxPrograms, func(p *Program) { p.Scale(c) })
	c.U32(&a.MaxAge)
	c.U32(&a.MaxAhead)
	c.U32(&a.MinEvaluation)
	scale.Slice(c, &a.MinTCB, MaxFloors, func(f *TCBFloor) { f.Scale(c) })
	c.Bool(&a.RequireCRL)
}

// program returns the first program that holds for claims, or nil.
func (a *Acceptance) program(cl *Claims) *Program {
	for i := range a.Programs {
		if a.Programs[i].Holds(cl.Registers) {
			return &a.Programs[i]
		}
	}
	return nil
}

// belowFloor reports whether a platform's levels are too low for its product.
func (a *Acceptance) belowFloor(product string, levels Levels) bool {
	for i := range a.MinTCB {
		if a.MinTCB[i].Product == product {
			return !levels.AtLeast(a.MinTCB[i].Levels)
		}
	}
	return len(a.MinTCB) > 0
}

func (a *Acceptance) validate() error {
	if len(a.Programs) > MaxPrograms {
		return fmt.Errorf("%w: %d programs of kind %s", ErrPolicy, len(a.Programs), a.Kind)
	}
	for i := range a.Programs {
		p := &a.Programs[i]
		if err := p.Validate(a.Kind); err != nil {
			return err
		}
		if slices.ContainsFunc(a.Programs[:i], func(o Program) bool { return o.equal(p) }) {
			return fmt.Errorf("%w: a program of kind %s comes twice", ErrPolicy, a.Kind)
		}
	}
	if a.MinEvaluation != 0 && a.Kind != KindSGX && a.Kind != KindTDX {
		return fmt.Errorf("%w: an evaluation number is Intel's, the kind is %s", ErrPolicy, a.Kind)
	}
	if (len(a.MinTCB) != 0 || a.RequireCRL) && a.Kind != KindSEVSNP {
		return fmt.Errorf("%w: floors and required lists are AMD's, the kind is %s", ErrPolicy, a.Kind)
	}
	for i, f := range a.MinTCB {
		if !slices.Contains(products, f.Product) || (i > 0 && f.Product <= a.MinTCB[i-1].Product) {
			return fmt.Errorf("%w: products must be known and ascend, %q is not so", ErrPolicy, f.Product)
		}
	}
	return nil
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
		if err := a.validate(); err != nil {
			return err
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
