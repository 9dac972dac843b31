package types

import (
	"fmt"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// maxBlocks bounds every interval in blocks, so that sums of heights never overflow.
const maxBlocks = 1 << 40

// Defaults of a production network, at a few seconds a block.
const (
	DefaultRegistrationExpiry = 100_800
	DefaultRotationInterval   = 14_400
	DefaultRotationGrace      = 1_200
	DefaultMarkInterval       = 60
	DefaultBodyRetention      = 28_800
	DefaultGasPrice           = 1_000
	DefaultDelay              = 14_400
)

// DefaultParams are those of a production network that believes no evidence until genesis names what it believes.
func DefaultParams() Params {
	return Params{
		Network: NetworkParams{
			RegistrationExpiry: DefaultRegistrationExpiry,
			RotationInterval:   DefaultRotationInterval,
			RotationGrace:      DefaultRotationGrace,
			MarkInterval:       DefaultMarkInterval,
			BodyRetention:      DefaultBodyRetention,
			GasPrice:           DefaultGasPrice,
		},
		Policy:               scale.MustMarshal(&tee.Policy{MinConfidence: tee.ConfidenceWorst}),
		Roots:                scale.MustMarshal(&tee.Roots{}),
		GatekeeperConfidence: tee.ConfidenceBest,
		Delay:                DefaultDelay,
	}
}

// DefaultGenesis is a registry without workers.
func DefaultGenesis() *GenesisState { return &GenesisState{Params: DefaultParams()} }

// Wire returns the parameters as they are proven.
func (p NetworkParams) Wire() wire.NetworkParams {
	return wire.NetworkParams{
		RegistrationExpiry: p.RegistrationExpiry,
		RotationInterval:   p.RotationInterval,
		RotationGrace:      p.RotationGrace,
		MarkInterval:       p.MarkInterval,
		BodyRetention:      p.BodyRetention,
		GasPrice:           p.GasPrice,
		Simulated:          p.Simulated,
	}
}

// NetworkParamsFrom is the inverse of [NetworkParams.Wire].
func NetworkParamsFrom(p wire.NetworkParams) NetworkParams {
	return NetworkParams{
		RegistrationExpiry: p.RegistrationExpiry,
		RotationInterval:   p.RotationInterval,
		RotationGrace:      p.RotationGrace,
		MarkInterval:       p.MarkInterval,
		BodyRetention:      p.BodyRetention,
		GasPrice:           p.GasPrice,
		Simulated:          p.Simulated,
	}
}

// Validate checks that every interval is within its bounds.
func (p NetworkParams) Validate() error {
	intervals := []struct {
		name  string
		value uint64
	}{
		{"registration expiry", p.RegistrationExpiry},
		{"rotation interval", p.RotationInterval},
		{"rotation grace", p.RotationGrace},
		{"mark interval", p.MarkInterval},
		{"body retention", p.BodyRetention},
	}
	for _, i := range intervals {
		if i.value == 0 || i.value > maxBlocks {
			return errorsmod.Wrapf(ErrParams, "%s of %d blocks", i.name, i.value)
		}
	}
	if p.RotationGrace >= p.RotationInterval {
		return errorsmod.Wrap(ErrParams, "rotation grace must end before the next rotation")
	}
	return nil
}

// Trust is what evidence is judged by.
type Trust struct {
	Policy tee.Policy
	Roots  tee.Roots
	// GatekeeperConfidence is the weakest level of a gatekeeper, as [tee.ConfidenceAtLeast] takes it.
	GatekeeperConfidence uint8
}

// Scale visits the fields in order.
func (t *Trust) Scale(c *scale.Codec) {
	t.Policy.Scale(c)
	t.Roots.Scale(c)
	c.U8(&t.GatekeeperConfidence)
}

// ParseTrust decodes and checks a policy, roots and the gatekeepers' level. The simulated platform's kind and root are
// refused where simulated is false, and so is debug.
func ParseTrust(policy, roots []byte, gatekeepers uint32, simulated bool) (Trust, error) {
	var t Trust
	if err := scale.Unmarshal(policy, &t.Policy); err != nil {
		return t, errorsmod.Wrapf(ErrParams, "policy: %v", err)
	}
	if err := scale.Unmarshal(roots, &t.Roots); err != nil {
		return t, errorsmod.Wrapf(ErrParams, "roots: %v", err)
	}
	if gatekeepers > tee.ConfidenceWorst {
		return t, errorsmod.Wrapf(ErrParams, "gatekeepers' confidence %d", gatekeepers)
	}
	t.GatekeeperConfidence = uint8(gatekeepers)
	if simulated {
		return t, nil
	}
	for _, a := range t.Policy.Accept {
		if a.Kind == tee.KindSimulated {
			return t, errorsmod.Wrap(ErrParams, "policy accepts simulated evidence on a network that does not")
		}
	}
	if len(t.Roots.Of(tee.KindSimulated)) > 0 {
		return t, errorsmod.Wrap(ErrParams, "roots name the simulated platform's on a network that does not accept it")
	}
	if t.Policy.AllowDebug {
		return t, errorsmod.Wrap(ErrParams, "policy allows debug, in which the host reads every key, outside simulated networks")
	}
	if t.GatekeeperConfidence == tee.ConfidenceNone {
		return t, errorsmod.Wrap(ErrParams, "gatekeepers need a confidence level outside simulated networks")
	}
	return t, nil
}

// Validate checks the parameters as a whole. An authority beside governance, and changes without delay, are for
// simulated networks only.
func (p Params) Validate() error {
	if err := p.Network.Validate(); err != nil {
		return err
	}
	if _, err := ParseTrust(p.Policy, p.Roots, p.GatekeeperConfidence, p.Network.Simulated); err != nil {
		return err
	}
	if p.Delay > maxBlocks {
		return errorsmod.Wrapf(ErrParams, "delay of %d blocks", p.Delay)
	}
	if !p.Network.Simulated && (p.Authority != "" || p.Delay == 0) {
		return errorsmod.Wrap(ErrParams, "an authority account or no delay is for simulated networks only")
	}
	if p.Authority == "" {
		return nil
	}
	if _, err := AccountCodec().StringToBytes(p.Authority); err != nil {
		return errorsmod.Wrapf(ErrParams, "authority: %v", err)
	}
	return nil
}

// Validate checks the state that a chain begins with; every record must decode canonically.
func (g *GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	seen := make(map[[32]byte]bool)
	for i, raw := range g.Workers {
		var w wire.WorkerState
		if err := scale.Unmarshal(raw, &w); err != nil {
			return errorsmod.Wrapf(ErrMalformed, "worker %d: %v", i, err)
		}
		if seen[w.Identity.Array()] {
			return errorsmod.Wrapf(ErrMalformed, "worker %s given twice", w.Identity)
		}
		if w.EvidenceKind == uint8(tee.KindSimulated) && !g.Params.Network.Simulated {
			return errorsmod.Wrapf(ErrParams, "worker %s is simulated on a network that accepts none", w.Identity)
		}
		seen[w.Identity.Array()] = true
	}
	for i, s := range g.Superseded {
		if len(s.Identity) != 32 || len(s.Incarnation) != len(wire.Incarnation{}) {
			return errorsmod.Wrapf(ErrMalformed, "superseded incarnation %d", i)
		}
	}
	for i, raw := range g.Heirs {
		var h Heir
		if err := scale.Unmarshal(raw, &h); err != nil {
			return errorsmod.Wrapf(ErrMalformed, "heir %d: %v", i, err)
		}
	}
	return validateOptional(g)
}

func validateOptional(g *GenesisState) error {
	records := []struct {
		name   string
		raw    []byte
		record scale.Record
	}{
		{"gatekeepers", g.Gatekeepers, &wire.Gatekeepers{}},
		{"master key", g.MasterKey, &wire.MasterKeyRecord{}},
	}
	for _, r := range records {
		if len(r.raw) == 0 {
			continue
		}
		if err := scale.Unmarshal(r.raw, r.record); err != nil {
			return fmt.Errorf("%s: %w", r.name, errorsmod.Wrap(ErrMalformed, err.Error()))
		}
	}
	return nil
}
