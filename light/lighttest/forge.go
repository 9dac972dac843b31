package lighttest

import (
	"time"

	"github.com/cometbft/cometbft/types"
)

// Forgery says how a block differs from the chain's own. The zero value changes nothing. Unless said otherwise, the
// result is consistent and signed by the chain's validators: what only a majority of them, gone bad, could make.
type Forgery struct {
	// WrongSigner signs with keys that are not the validators'.
	WrongSigner bool
	// ReplaceSet makes the header name, and be signed by, validators that the chain never had.
	ReplaceSet bool
	// SwapSet delivers another validator set beside the true header and commit.
	SwapSet bool
	// Impostors leaves the header naming the chain's validators, but delivers and signs with a set that the chain never
	// had.
	Impostors bool
	// Signers, where positive, is how many validators from the start of the set sign; the others are absent.
	Signers int
	// ChainID replaces the header's chain id.
	ChainID string
	// SignedChainID replaces the chain id in the signed votes.
	SignedChainID string
	// Shift moves the header's time.
	Shift time.Duration
	// AppHash, where set, replaces the header's, so that a second, signed header exists at the height.
	AppHash *[32]byte
	// NextValidatorsHash, where set, replaces the header's.
	NextValidatorsHash *[32]byte
	// AppHashAfterSigning changes the header after it was signed.
	AppHashAfterSigning bool
}

// Forge is the light block at height with f applied, in protobuf.
func (c *Chain) Forge(height uint64, f Forgery) []byte { return Encode(c.Draft(height, f)) }

// change applies what f changes in the header.
func (f Forgery) change(h *types.Header) {
	h.Time = h.Time.Add(f.Shift)
	if f.ChainID != "" {
		h.ChainID = f.ChainID
	}
	if f.AppHash != nil {
		h.AppHash = f.AppHash[:]
	}
	if f.NextValidatorsHash != nil {
		h.NextValidatorsHash = f.NextValidatorsHash[:]
	}
}

// signers is the set that signs height under f.
func (c *Chain) signers(height uint64, f Forgery) *signers {
	if f.ReplaceSet {
		return c.strangers()
	}
	return c.signersAt(height)
}

// strangers is a set of as many validators that the chain never had.
func (c *Chain) strangers() *signers {
	seeds := make([][]byte, c.cfg.Validators)
	for i := range seeds {
		seeds[i] = c.noise("stranger", uint64(i), 0)
	}
	return c.signersOf(seeds)
}
