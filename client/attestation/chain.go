package attestation

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

// ForChain is a policy as a network's genesis and governance have it: a [Policy] in which every rule names its programs,
// and what only a network asks.
type ForChain struct {
	Policy
	// MinConfidence is the weakest confidence level of a worker, 1 (best) to 5; 0 also takes the simulated platform.
	MinConfidence uint8 `json:"min_confidence"`
	// GatekeeperConfidence is that of a gatekeeper.
	GatekeeperConfidence uint8 `json:"gatekeeper_confidence"`
}

// ParseForChain reads a network's policy in JSON. Levels that are not named are 5 for workers and 1 for gatekeepers. An
// error wraps [tee.ErrPolicy].
func ParseForChain(data []byte) (*ForChain, error) {
	p := &ForChain{MinConfidence: tee.ConfidenceWorst, GatekeeperConfidence: tee.ConfidenceBest}
	if err := decode(data, p); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if _, err := p.Chain(); err != nil {
		return nil, err
	}
	return p, nil
}

// OnChain is a policy in the form in which a chain holds it.
type OnChain struct {
	Policy               tee.Policy
	Roots                tee.Roots
	GatekeeperConfidence uint8
}

// Chain returns the policy in the form in which a chain holds it. Kinds without roots of their own get their maker's. An error
// wraps [tee.ErrPolicy].
func (p *ForChain) Chain() (OnChain, error) {
	out := OnChain{GatekeeperConfidence: p.GatekeeperConfidence}
	out.Policy.AllowDebug, out.Policy.MinConfidence = p.AllowDebug, p.MinConfidence
	if p.AllowSimulated || p.MinTCB != nil {
		return out, fmt.Errorf("%w: allow_simulated and min_tcb are not for a network; it has tcb_floors, by product", tee.ErrPolicy)
	}
	if p.GatekeeperConfidence > tee.ConfidenceWorst {
		return out, fmt.Errorf("%w: gatekeeper_confidence %d", tee.ErrPolicy, p.GatekeeperConfidence)
	}
	for k := tee.Kind(0); k.Valid(); k++ {
		rule, ok := p.rule(k)
		if !ok || rule == nil {
			continue
		}
		a, err := p.acceptance(k, rule)
		if err != nil {
			return out, err
		}
		out.Policy.Accept = append(out.Policy.Accept, a)
		roots, err := p.chainRoots(k)
		if err != nil {
			return out, err
		}
		out.Roots.Kinds = append(out.Roots.Kinds, tee.KindRoots{Kind: k, Keys: roots})
	}
	for s := tee.TCBUpToDate; s < tee.TCBRevoked; s++ {
		if p.takes(s.String()) {
			out.Policy.Statuses = append(out.Policy.Statuses, s)
		}
	}
	if err := out.Policy.Validate(); err != nil {
		return out, err
	}
	return out, out.Roots.Validate()
}

func (p *ForChain) acceptance(k tee.Kind, rule *Rule) (tee.Acceptance, error) {
	a := tee.Acceptance{Kind: k, MaxAge: rule.MaxAge, MaxAhead: rule.MaxAhead}
	if rule.Measurements == nil {
		return a, fmt.Errorf("%w: the rule for %s names no measurements; a network accepts none that it does not name", tee.ErrPolicy, k)
	}
	for _, m := range rule.Measurements {
		var program tee.Program
		for name, value := range m {
			raw, err := hex.DecodeString(value)
			if err != nil {
				return a, fmt.Errorf("%w: register %q: %w", tee.ErrPolicy, name, err)
			}
			program.Registers = append(program.Registers, tee.Register{Name: name, Value: raw})
		}
		tee.SortRegisters(program.Registers)
		a.Programs = append(a.Programs, program)
	}
	switch k {
	case tee.KindSGX, tee.KindTDX:
		a.MinEvaluation = p.evaluation(k)
	case tee.KindSEVSNP:
		a.RequireCRL = p.RequireCRL
		for product, levels := range p.TCBFloors {
			a.MinTCB = append(a.MinTCB, tee.TCBFloor{Product: product, Levels: levels})
		}
		slices.SortFunc(a.MinTCB, func(x, y tee.TCBFloor) int { return strings.Compare(x.Product, y.Product) })
	}
	return a, nil
}

// makers are the roots that are built in. A chain takes the simulated platform's only where its genesis says that it is
// simulated.
var makers = map[tee.Kind]func() [][]byte{
	tee.KindSimulated: func() [][]byte { r := simulated.Roots(); return r.Of(tee.KindSimulated) },
	tee.KindSGX:       func() [][]byte { return [][]byte{dcap.IntelRoot().Raw} },
	tee.KindTDX:       func() [][]byte { return [][]byte{dcap.IntelRoot().Raw} },
	tee.KindSEVSNP:    sevsnp.Roots,
	tee.KindNitro:     nitro.Roots,
}

func (p *ForChain) chainRoots(k tee.Kind) ([][]byte, error) {
	given, err := p.rootsOf(k.String())
	if err != nil {
		return nil, fmt.Errorf("%w: roots of %s: %w", tee.ErrPolicy, k, err)
	}
	if given == nil {
		maker, ok := makers[k]
		if !ok {
			return nil, fmt.Errorf("%w: kind %s is not verified by chains of this release", tee.ErrPolicy, k)
		}
		return maker(), nil
	}
	var out [][]byte
	for _, root := range given {
		out = append(out, root.Raw)
	}
	return out, nil
}

// FromChain returns a chain's policy as people write it: the inverse of [ForChain.Chain], but that roots are named even
// where they are the maker's. Roots that are no certificates (the simulated platform's) are left out.
func FromChain(c OnChain) *ForChain {
	p := &ForChain{MinConfidence: c.Policy.MinConfidence, GatekeeperConfidence: c.GatekeeperConfidence}
	p.AllowDebug, p.Accept, p.Statuses, p.Roots = c.Policy.AllowDebug, []Rule{}, []string{}, map[string]string{}
	for _, a := range c.Policy.Accept {
		rule := Rule{Kind: a.Kind.String(), Measurements: []Registers{}, MaxAge: a.MaxAge, MaxAhead: a.MaxAhead, MinEvaluation: a.MinEvaluation}
		for _, program := range a.Programs {
			m := Registers{}
			for _, r := range program.Registers {
				m[r.Name] = hex.EncodeToString(r.Value)
			}
			rule.Measurements = append(rule.Measurements, m)
		}
		p.Accept = append(p.Accept, rule)
		p.RequireCRL = p.RequireCRL || a.RequireCRL
		for _, f := range a.MinTCB {
			if p.TCBFloors == nil {
				p.TCBFloors = map[string]tee.Levels{}
			}
			p.TCBFloors[f.Product] = f.Levels
		}
	}
	for _, s := range c.Policy.Statuses {
		p.Statuses = append(p.Statuses, s.String())
	}
	for _, k := range c.Roots.Kinds {
		var text bytes.Buffer
		for _, der := range k.Keys {
			if _, err := x509.ParseCertificate(der); err == nil {
				_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a buffer takes everything
			}
		}
		if text.Len() > 0 {
			p.Roots[k.Kind.String()] = text.String()
		}
	}
	return p
}
