package light

import (
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// stateVersion is the first byte of a marshalled state.
const stateVersion = 1

// state is the layout of [Client.Marshal].
type state struct {
	version uint8
	chainID string
	root    TrustRoot
	block   []byte // protobuf LightBlock; empty before the root has been seen
}

// Scale describes the layout: version, chain id, root height, root hash, light block.
func (s *state) Scale(c *scale.Codec) {
	c.U8(&s.version)
	c.Text(&s.chainID, MaxChainID)
	c.U64(&s.root.Height)
	c.Fixed(s.root.Hash[:])
	c.Bytes(&s.block, MaxLightBlock)
}

// Marshal returns the trusted state in canonical form, for [Restore]. It holds nothing secret; whoever can alter it
// decides what the client believes, so it belongs in a sealed file or one that only its owner can write.
func (c *Client) Marshal() ([]byte, error) {
	s := state{version: stateVersion, chainID: c.chainID, root: c.root}
	if c.trusted != nil {
		s.block = c.trusted.raw
	}
	return scale.Marshal(&s)
}

// Restore returns a client at the state that Marshal gave. The chain id and root are those that the caller is
// configured with: a state that began elsewhere is refused with [ErrState], so that a new trust root takes effect and
// old bytes cannot undo it. The trusted block must hold in itself (hashes and signatures of two thirds); that catches
// damage, not malice. Whether it has expired shows at the next Verify.
func Restore(chainID string, root TrustRoot, opts Options, marshalled []byte) (*Client, error) {
	c, err := New(chainID, root, opts)
	if err != nil {
		return nil, err
	}
	var s state
	if err := scale.Unmarshal(marshalled, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	switch {
	case s.version != stateVersion:
		return nil, fmt.Errorf("%w: version %d, not %d", ErrState, s.version, stateVersion)
	case s.chainID != chainID:
		return nil, fmt.Errorf("%w: of another chain", ErrState)
	case s.root != root:
		return nil, fmt.Errorf("%w: of another trust root", ErrState)
	}
	if len(s.block) == 0 {
		return c, nil
	}
	b, err := decodeBlock(s.block, chainID)
	if err == nil {
		err = verifyCommit(b, nil, Fraction{})
	}
	if err == nil && (b.header.Height < root.Height || b.header.Height == root.Height && b.header.Hash != root.Hash) {
		err = errors.New("trusted block does not follow the root")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	c.trusted = b
	return c, nil
}
