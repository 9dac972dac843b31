// Package light decides what this program believes about the chain: which headers are the chain's, and which facts of
// its state a header proves. The enclave and every client link it, so it holds no I/O, no clock and no goroutine.
//
// Begin with [New], giving the chain's id and a [TrustRoot] (height and hash of one header that was obtained out of
// band; the chain's first header has the chain uid as its hash). Hand every light block of a relay to [Client.Verify];
// the first must be the root itself, later ones may skip any number of heights. An error tells the relay what to send
// instead; see the sentinels in this package. [Client.Marshal] and [Restore] carry the trusted header over a restart.
// [VerifyMembership] and [VerifyAbsence] then check single facts against a header that Verify returned.
//
// # What is promised
//
// A [Header] comes out of Verify only if more than two thirds of the voting power of its validator set signed it and
// that set is trusted: at the next height because the trusted header names it, further ahead because validators with
// more than TrustLevel of the trusted set's power signed too. The rules are those of CometBFT's light client; the
// package's tests hold it against that implementation. The client never moves backwards in height or time. It cannot
// tell a chain that is halted or withheld from one that is merely quiet: freshness is for the caller to judge, from
// [Header.Time].
//
// For a skip the trusted set is the one of the trusted header itself, because a light block carries the set of its own
// height only. Whoever left the set at the following height was still bonded when the header was signed, and stays
// punishable for the unbonding period; therefore TrustingPeriod must be shorter than the unbonding period.
//
// # What is read
//
// A light block is the protobuf message tendermint.types.LightBlock of CometBFT v0.38 and later, a proof is
// tendermint.crypto.ProofOps as an ABCI query with prove=true returns it. Both must be encoded as their own encoder
// writes them: unknown or repeated fields, padded integers and trailing bytes are errors. Validators use ed25519. The
// parts of a validator set that its hash does not cover (priorities, proposer, stated total) are ignored.
package light

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of what is read from outside. All are checked before memory is reserved.
const (
	// MaxLightBlock is the size in bytes of the largest light block that is read; 1,000 validators take some 230 KB.
	MaxLightBlock = 320 << 10
	// MaxValidators is the largest number of validators of one set, and of signatures in one commit.
	MaxValidators = 1000
	// MaxChainID is the length in bytes of the longest chain id (CometBFT's own bound).
	MaxChainID = 50
)

// Header is what the rest of the program may know of a verified block header.
type Header struct {
	// Height of the block, from 1.
	Height uint64
	// Hash of the header, which names the block.
	Hash [32]byte
	// Time of the block, in UTC; strictly increasing with the height.
	Time time.Time
	// AppHash is the root of the application's state after the block at Height-1.
	AppHash [32]byte
	// ValidatorsHash commits to the validators that sign this height.
	ValidatorsHash [32]byte
	// NextValidatorsHash commits to the validators that sign the next height.
	NextValidatorsHash [32]byte
}

// UnixMillis is the block time in milliseconds since 1970, rounded down; 0 for an earlier time.
func (h Header) UnixMillis() uint64 {
	ms := h.Time.UnixMilli()
	if ms < 0 {
		return 0
	}
	return uint64(ms)
}

// TrustRoot names the header at which trust begins. It comes from outside the relay: a release, an operator, or the
// first header, whose hash is the chain uid.
type TrustRoot struct {
	Height uint64
	Hash   [32]byte
}

// Fraction is a part of the trusted voting power.
type Fraction struct {
	Num, Den uint64
}

// Options are the client's policy.
type Options struct {
	// TrustingPeriod is how long after its block time a header may vouch for later ones. It must be shorter than the
	// chain's unbonding period; there is no default.
	TrustingPeriod time.Duration
	// MaxClockDrift is how far a header's time may lie ahead of now. Zero means none.
	MaxClockDrift time.Duration
	// TrustLevel is the part of the trusted voting power that must have signed a header that is skipped to, from 1/3 to
	// 1. The zero value means 1/3.
	TrustLevel Fraction
}

// checked returns the options with defaults filled in, or an error that names the bad one.
func (o Options) checked() (Options, error) {
	if o.TrustLevel == (Fraction{}) {
		o.TrustLevel = Fraction{1, 3}
	}
	const most = 1 << 32
	l := o.TrustLevel
	switch {
	case o.TrustingPeriod <= 0:
		return o, errors.New("light: trusting period must be positive")
	case o.MaxClockDrift < 0:
		return o, errors.New("light: clock drift must not be negative")
	case l.Den == 0 || l.Num > l.Den || l.Den > most || 3*l.Num < l.Den:
		return o, fmt.Errorf("light: trust level %d/%d is not within 1/3 and 1", l.Num, l.Den)
	}
	return o, nil
}

// Client follows the chain from a trust root. It is not safe for concurrent use; the caller locks.
type Client struct {
	chainID string
	root    TrustRoot
	opts    Options
	trusted *block // nil until the root has been seen
}

// New returns a client that has seen nothing: the first block it accepts is the root.
func New(chainID string, root TrustRoot, opts Options) (*Client, error) {
	opts, err := opts.checked()
	if err != nil {
		return nil, err
	}
	if chainID == "" || len(chainID) > MaxChainID {
		return nil, fmt.Errorf("light: chain id has %d bytes, not 1 to %d", len(chainID), MaxChainID)
	}
	if root.Height == 0 || root.Height > maxHeight {
		return nil, fmt.Errorf("light: trust root has no valid height: %d", root.Height)
	}
	if root.Hash == ([32]byte{}) {
		return nil, errors.New("light: trust root has no hash")
	}
	return &Client{chainID: chainID, root: root, opts: opts}, nil
}

// ChainID is the id that every accepted header bears.
func (c *Client) ChainID() string { return c.chainID }

// Root is where trust began.
func (c *Client) Root() TrustRoot { return c.root }

// Latest is the newest verified header; false before the root has been seen.
func (c *Client) Latest() (Header, bool) {
	if c.trusted == nil {
		return Header{}, false
	}
	return c.trusted.header, true
}

// Verify checks a light block (protobuf bytes) at the time now and, where it is good, makes its header the trusted
// one. On any error the client is unchanged. A block that is the trusted one is accepted again without effect, so
// that a relay may repeat itself: compare heights to learn whether anything is new.
//
// Errors are [*VerifyError] and match, with errors.Is, one of the sentinels of this package.
func (c *Client) Verify(lightBlock []byte, now time.Time) (Header, error) {
	b, err := decodeBlock(lightBlock, c.chainID)
	if err == nil {
		err = c.judge(b, now)
	}
	if err != nil {
		return Header{}, c.explain(err, b)
	}
	if c.trusted == nil || b.header.Height > c.trusted.header.Height {
		c.trusted = b
	}
	return c.trusted.header, nil
}

// judge decides whether b may be believed.
func (c *Client) judge(b *block, now time.Time) error {
	if c.trusted == nil {
		return c.judgeRoot(b, now)
	}
	t := c.trusted
	if err := c.fresh(t, now); err != nil {
		return err
	}
	switch {
	case b.header.Height < t.header.Height:
		return ErrNotNewer
	case b.header.Height == t.header.Height:
		return c.judgeEqual(b)
	}
	return verifyNext(t, b, c.opts, now)
}

// judgeRoot decides whether b is the trust root. The hash alone makes it trusted; its own commit is checked too, so
// that nothing unsigned is ever kept.
func (c *Client) judgeRoot(b *block, now time.Time) error {
	if b.header.Height != c.root.Height || b.header.Hash != c.root.Hash {
		return fmt.Errorf("%w: want height %d, hash %x", ErrRoot, c.root.Height, c.root.Hash)
	}
	if err := c.fresh(b, now); err != nil {
		return err
	}
	if err := notFuture(b, c.opts, now); err != nil {
		return err
	}
	return verifyCommit(b, nil, Fraction{})
}

// judgeEqual tells a repetition of the trusted block, a fork and a forgery apart.
func (c *Client) judgeEqual(b *block) error {
	if b.header.Hash == c.trusted.header.Hash {
		return nil
	}
	if err := verifyCommit(b, c.trusted, c.opts.TrustLevel); err != nil {
		// Not wrapped: no header in between would help, whatever the reason.
		return fmt.Errorf("%w: another block at the trusted height: %v", ErrForged, err)
	}
	return fmt.Errorf("%w: %x and %x", ErrConflict, c.trusted.header.Hash, b.header.Hash)
}

// fresh checks that b is within the trusting period.
func (c *Client) fresh(b *block, now time.Time) error {
	until := b.header.Time.Add(c.opts.TrustingPeriod)
	if until.After(now) {
		return nil
	}
	return fmt.Errorf("%w: it ended at %s, now is %s", ErrExpired,
		until.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
}

// explain adds the heights to an error. b is nil where the block could not be read.
func (c *Client) explain(err error, b *block) error {
	e := &VerifyError{Reason: err}
	if c.trusted != nil {
		e.Trusted = c.trusted.header.Height
	}
	if b != nil {
		e.Height = b.header.Height
	}
	return e
}
