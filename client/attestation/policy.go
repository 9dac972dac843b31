package attestation

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// Policy says which evidence is accepted, in the terms of [tee.Policy] where it has them.
type Policy struct {
	// Accept are the rules, one a kind. nil accepts every kind with any measurement.
	Accept []Rule `json:"accept"`
	// Statuses are the TCB statuses accepted, as Intel spells them; nil stands for UpToDate alone.
	Statuses   []string `json:"statuses"`
	AllowDebug bool     `json:"allow_debug"`
	// AllowSimulated takes evidence of the simulated platform, which proves nothing, with the verdict [Simulated].
	AllowSimulated bool `json:"allow_simulated"`
	// MinEvaluation is the least evaluation number of Intel's collateral.
	MinEvaluation uint32 `json:"min_evaluation"`
	// MinTCB is the level below which a platform of AMD is OutOfDate.
	MinTCB *sevsnp.TCB `json:"min_tcb"`
	// TCBFloors are such levels by product, "Milan" or "Genoa". With any, a product that has none is OutOfDate.
	TCBFloors map[string]tee.Levels `json:"tcb_floors,omitempty"`
	// RequireCRL asks for AMD's revocation list; Intel's are always needed.
	RequireCRL bool `json:"require_crl"`
	// Roots are trusted root certificates in PEM by kind. A kind that is not named trusts its maker's.
	Roots map[string]string `json:"roots"`
}

// Rule is a policy's rule for one kind of evidence.
type Rule struct {
	Kind string `json:"kind"` // as [tee.Kind] prints it
	// Measurements are the programs accepted; nil accepts any, an empty list none.
	Measurements []Registers `json:"measurements"`
	// MaxAge is how old evidence may be, in seconds of its own signed time; 0 asks for none.
	MaxAge uint32 `json:"max_age"`
	// MaxAhead is how far, in seconds, evidence may lie in the future.
	MaxAhead uint32 `json:"max_ahead"`
	// MinEvaluation is the least evaluation number of Intel's collateral for this kind, where it is above the policy's.
	MinEvaluation uint32 `json:"min_evaluation,omitempty"`
}

// evaluation is the least evaluation number of Intel's collateral for a kind.
func (p *Policy) evaluation(k tee.Kind) uint32 {
	if rule, _ := p.rule(k); rule != nil {
		return max(p.MinEvaluation, rule.MinEvaluation)
	}
	return p.MinEvaluation
}

// reaches reports whether levels are those of a platform that is up to date, by what the policy says of its product.
func (p *Policy) reaches(product string, levels tee.Levels) bool {
	floor, named := p.TCBFloors[product]
	return len(p.TCBFloors) == 0 || named && levels.AtLeast(floor)
}

// Registers are values, in hexadecimal, that registers must have, by the names that a [Report] gives them. In JSON a string
// stands for the register "measurement".
type Registers map[string]string

// UnmarshalJSON reads an object or a string.
func (r *Registers) UnmarshalJSON(data []byte) error {
	all := map[string]string{}
	var one string
	if json.Unmarshal(data, &one) == nil {
		all[measurement] = one
	} else if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for name, value := range all {
		value = strings.ToLower(strings.TrimPrefix(value, "0x"))
		if raw, err := hex.DecodeString(value); err != nil || len(raw) == 0 {
			return fmt.Errorf("%w: register %q is not in hexadecimal", tee.ErrPolicy, name)
		}
		all[name] = value
	}
	if len(all) == 0 {
		return fmt.Errorf("%w: a measurement names no register", tee.ErrPolicy)
	}
	*r = all
	return nil
}

// hold reports whether the registers of evidence have all of the values.
func (r Registers) hold(of map[string]string) bool {
	for name, value := range r {
		if got, ok := of[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// DefaultPolicy accepts every kind of hardware and every measurement, up to date and not in debug mode, under the roots of
// Intel, AMD and AWS that are built in.
func DefaultPolicy() *Policy { return &Policy{} }

// ParsePolicy reads a policy in JSON. An error wraps [tee.ErrPolicy]. Members that are not known are errors.
func ParsePolicy(data []byte) (*Policy, error) {
	p := DefaultPolicy()
	if err := decode(data, p); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// decode reads one JSON value without unknown members into a policy.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", tee.ErrPolicy, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows it", tee.ErrPolicy)
	}
	return nil
}

// check looks at what the JSON form cannot rule out.
func (p *Policy) check() error {
	seen := map[string]bool{}
	for _, rule := range p.Accept {
		if !isKind(rule.Kind) || seen[rule.Kind] {
			return fmt.Errorf("%w: kind %q is unknown or comes twice", tee.ErrPolicy, rule.Kind)
		}
		seen[rule.Kind] = true
	}
	for _, s := range p.Statuses {
		if !isStatus(s) {
			return fmt.Errorf("%w: status %q is unknown or never accepted", tee.ErrPolicy, s)
		}
	}
	for kind := range p.Roots {
		if kind == tee.KindSimulated.String() {
			return fmt.Errorf("%w: the simulated platform has a root of its own, see allow_simulated", tee.ErrPolicy)
		}
		if _, err := p.rootsOf(kind); err != nil || !isKind(kind) {
			return fmt.Errorf("%w: roots of %q are no certificates in PEM, or the kind is unknown", tee.ErrPolicy, kind)
		}
	}
	return nil
}

func isKind(name string) bool {
	for k := tee.Kind(0); k.Valid(); k++ {
		if k.String() == name {
			return true
		}
	}
	return false
}

func isStatus(name string) bool {
	for s := tee.TCBUpToDate; s < tee.TCBRevoked; s++ {
		if s.String() == name {
			return true
		}
	}
	return false
}

// rule returns the rule for a kind, nil where any will do, and whether the kind is accepted.
func (p *Policy) rule(kind tee.Kind) (*Rule, bool) {
	for i := range p.Accept {
		if p.Accept[i].Kind == kind.String() {
			return &p.Accept[i], true
		}
	}
	return nil, p.Accept == nil
}

func (p *Policy) takes(status string) bool {
	if p.Statuses == nil {
		return status == tee.TCBUpToDate.String()
	}
	return slices.Contains(p.Statuses, status)
}

// rootsOf returns the roots of a kind, or nil for its maker's.
func (p *Policy) rootsOf(kind string) ([]*x509.Certificate, error) {
	text, ok := p.Roots[kind]
	if !ok {
		return nil, nil
	}
	blocks, err := readPEM([]byte(text))
	if err != nil {
		return nil, err
	}
	roots := []*x509.Certificate{}
	for _, b := range blocks {
		cert, err := x509.ParseCertificate(b.der)
		if err != nil {
			return nil, err
		}
		roots = append(roots, cert)
	}
	return roots, nil
}
