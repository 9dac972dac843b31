// Package envelope is the sealed message of every channel (protocol section 3).
//
//	Envelope { version: u8, purpose: u8, sender: [u8;32], recipient: [u8;32], epoch: u32, iv: [u8;12], data: Vec<u8> }
//
// [Seal] encrypts, [Envelope.Marshal] gives the canonical SCALE bytes; [Parse] and [Envelope.Open] go the other way.
// data is AES-256-GCM under the CommKey of (sender, recipient, purpose, epoch) with a random 96-bit IV, over
//
//	u32 length (little-endian) ‖ plaintext ‖ zeros
//
// which has [PaddedSize] bytes, and the 16-byte tag. The associated data is SCALE(chain_uid, version, purpose, sender,
// recipient, epoch, iv): 32 bytes and then the envelope's bytes before data. So no field can be changed, an envelope
// holds for one chain only, and an observer learns the plaintext's length only up to the padding.
//
// (recipient, epoch) selects exactly one key; there is no trial decryption. An envelope proves that its sender held the
// sender's key, not that it is fresh: replay is for the message inside to prevent.
package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/internal/keypair"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// Version is the only version of the format.
const Version = 1

// Sizes in bytes.
const (
	// IVSize is that of AES-GCM's nonce.
	IVSize = 12
	// TagSize is that of AES-GCM's tag, the end of Data.
	TagSize = 16
	// MaxPlaintext bounds what one envelope holds.
	MaxPlaintext = 1 << 20
	// MinPadded is the least padded size.
	MinPadded = 256
	// MaxData bounds Data: PaddedSize(MaxPlaintext) and the tag.
	MaxData = MaxPlaintext + 1<<15 + TagSize
	// HeaderSize is the length of the encoding before Data's compact length.
	HeaderSize = 1 + 1 + 32 + 32 + 4 + IVSize

	lengthSize = 4
)

// Errors of this package. Those of crypto/ecdh and crypto/commkey pass through Seal and Open.
var (
	// ErrVersion says that the version is not [Version].
	ErrVersion = errors.New("envelope: unknown version")
	// ErrEpoch says that the epoch is 2³¹ or more.
	ErrEpoch = errors.New("envelope: epoch is 2³¹ or more")
	// ErrSize says that Data has no size that Seal produces, or that a plaintext is over [MaxPlaintext].
	ErrSize = errors.New("envelope: impossible size")
	// ErrRecipient says that the envelope is for another key.
	ErrRecipient = errors.New("envelope: for another recipient")
	// ErrOpen says that the envelope does not open: a changed byte, another chain, or not its sender's. No more is said.
	ErrOpen = errors.New("envelope: does not open")
	// ErrPadding says that the envelope opened, and its sender padded it wrongly.
	ErrPadding = errors.New("envelope: malformed padding")
)

// Envelope is a sealed message.
type Envelope struct {
	Version   uint8           // [Version]
	Purpose   commkey.Purpose // what the message is for
	Sender    ecdh.PublicKey
	Recipient ecdh.PublicKey
	Epoch     uint32 // of the recipient's key, 0 for a client's; below 2³¹
	IV        [IVSize]byte
	Data      []byte // ciphertext and tag
}

// Scale visits the fields in order. Both ways it refuses what Seal cannot have made: another version or purpose, an
// epoch of 2³¹ or more, a key that is no key, data of an impossible size.
func (e *Envelope) Scale(c *scale.Codec) {
	e.header(c)
	c.Bytes(&e.Data, MaxData)
	if c.Err() == nil && !possibleSize(len(e.Data)) {
		c.Fail(ErrSize)
	}
}

func (e *Envelope) header(c *scale.Codec) {
	c.U8(&e.Version)
	if c.Err() == nil && e.Version != Version {
		c.Fail(fmt.Errorf("%w: %d", ErrVersion, e.Version))
	}
	c.Variant((*uint8)(&e.Purpose), commkey.Purposes)
	e.Sender.Scale(c)
	e.Recipient.Scale(c)
	c.U32(&e.Epoch)
	if c.Err() == nil && e.Epoch > commkey.MaxEpoch {
		c.Fail(fmt.Errorf("%w: %d", ErrEpoch, e.Epoch))
	}
	c.Fixed(e.IV[:])
}

// associated is the record of the associated data.
type associated struct {
	uid [32]byte
	e   *Envelope
}

// Scale visits the chain's uid and the envelope without its data.
func (a *associated) Scale(c *scale.Codec) {
	c.Fixed(a.uid[:])
	a.e.header(c)
}

// Parse decodes the whole of b.
func Parse(b []byte) (*Envelope, error) {
	e := new(Envelope)
	if err := scale.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("envelope: parse: %w", err)
	}
	return e, nil
}

// Marshal returns the canonical encoding. It panics on an envelope that neither Seal nor Parse returned and whose
// fields Scale refuses.
func (e *Envelope) Marshal() []byte { return scale.MustMarshal(e) }

// Seal encrypts plaintext, at most [MaxPlaintext] bytes, from own to the key to, for the chain uid. It reads the IV, 12
// bytes, from rand, which must be the operating system's CSPRNG outside tests: an IV that repeats under one key
// reveals both plaintexts.
func Seal(rand io.Reader, uid [32]byte, own *ecdh.PrivateKey, to ecdh.PublicKey, epoch uint32, p commkey.Purpose,
	plaintext []byte) (*Envelope, error) {
	key, err := commkey.Send(own, to, p, epoch)
	if err != nil {
		return nil, fmt.Errorf("envelope: seal: %w", err)
	}
	defer key.Zero()
	return sealUnder(rand, uid, key, own.Public(), to, epoch, p, plaintext)
}

// SealWith is [Seal] with what both keys have agreed on already.
func SealWith(rand io.Reader, uid [32]byte, x *commkey.Exchange, epoch uint32, p commkey.Purpose, plaintext []byte) (*Envelope, error) {
	key, err := x.Send(p, epoch)
	if err != nil {
		return nil, fmt.Errorf("envelope: seal: %w", err)
	}
	defer key.Zero()
	return sealUnder(rand, uid, key, x.Own(), x.Peer(), epoch, p, plaintext)
}

func sealUnder(rand io.Reader, uid [32]byte, key *commkey.Key, from, to ecdh.PublicKey, epoch uint32, p commkey.Purpose,
	plaintext []byte) (*Envelope, error) {
	if len(plaintext) > MaxPlaintext {
		return nil, fmt.Errorf("%w: a plaintext of %d bytes", ErrSize, len(plaintext))
	}
	e := &Envelope{Version: Version, Purpose: p, Sender: from, Recipient: to, Epoch: epoch}
	if err := keypair.Fill(rand, e.IV[:]); err != nil {
		return nil, fmt.Errorf("envelope: seal: %w", err)
	}
	padded := pad(plaintext)
	if err := e.encrypt(uid, key, padded); err != nil {
		clear(padded)
		return nil, fmt.Errorf("envelope: seal: %w", err)
	}
	return e, nil
}

// pad returns length ‖ plaintext ‖ zeros, with room for the tag so that encryption works in place.
func pad(plaintext []byte) []byte {
	size := PaddedSize(len(plaintext))
	padded := make([]byte, size, size+TagSize)
	binary.LittleEndian.PutUint32(padded, uint32(len(plaintext)))
	copy(padded[lengthSize:], plaintext)
	return padded
}

// encrypt sets Data to the encryption of padded, which it overwrites.
func (e *Envelope) encrypt(uid [32]byte, key *commkey.Key, padded []byte) error {
	ad, err := scale.Marshal(&associated{uid, e})
	if err != nil {
		return err
	}
	aead, err := key.AEAD()
	if err != nil {
		return err
	}
	e.Data = aead.Seal(padded[:0], e.IV[:], padded, ad)
	return nil
}

// Open decrypts with own, which must be the key that (Recipient, Epoch) names: [ErrRecipient] says it is another.
// An envelope that Parse returned then fails with [ErrOpen], with ecdh.ErrSelf where sender and recipient are one key,
// or, where the true sender padded it wrongly, with [ErrPadding].
func (e *Envelope) Open(uid [32]byte, own *ecdh.PrivateKey) ([]byte, error) {
	if e.Recipient != own.Public() {
		return nil, ErrRecipient
	}
	ad, err := e.associated(uid)
	if err != nil {
		return nil, err
	}
	key, err := commkey.Receive(own, e.Sender, e.Purpose, e.Epoch)
	if err != nil {
		return nil, fmt.Errorf("envelope: open: %w", err)
	}
	defer key.Zero()
	return e.decrypt(key, ad)
}

// OpenLog decrypts a contract's log with its owner's identity key, to which it is encrypted in epoch 0. It fails as
// [Envelope.Open] does, and with [ErrRecipient] for an envelope of any other purpose or epoch: an identity opens nothing
// else.
func (e *Envelope) OpenLog(uid [32]byte, owner *sr25519.PrivateKey) ([]byte, error) {
	if e.Purpose != commkey.ContractLog || e.Epoch != 0 {
		return nil, ErrRecipient
	}
	own, err := ecdh.FromIdentity(owner)
	if err != nil {
		return nil, fmt.Errorf("envelope: open: %w", err)
	}
	defer own.Zero()
	return e.Open(uid, own)
}

// OpenWith is [Envelope.Open] with what both keys have agreed on already: [ErrRecipient] says that the envelope is not
// between these two.
func (e *Envelope) OpenWith(uid [32]byte, x *commkey.Exchange) ([]byte, error) {
	if e.Recipient != x.Own() || e.Sender != x.Peer() {
		return nil, ErrRecipient
	}
	ad, err := e.associated(uid)
	if err != nil {
		return nil, err
	}
	key, err := x.Receive(e.Purpose, e.Epoch)
	if err != nil {
		return nil, fmt.Errorf("envelope: open: %w", err)
	}
	defer key.Zero()
	return e.decrypt(key, ad)
}

// associated checks the envelope's fields and returns the associated data.
func (e *Envelope) associated(uid [32]byte) ([]byte, error) {
	if !possibleSize(len(e.Data)) {
		return nil, fmt.Errorf("%w: %d bytes of data", ErrSize, len(e.Data))
	}
	ad, err := scale.Marshal(&associated{uid, e})
	if err != nil {
		return nil, fmt.Errorf("envelope: open: %w", err)
	}
	return ad, nil
}

func (e *Envelope) decrypt(key *commkey.Key, ad []byte) ([]byte, error) {
	aead, err := key.AEAD()
	if err != nil {
		return nil, fmt.Errorf("envelope: open: %w", err)
	}
	padded, err := aead.Open(nil, e.IV[:], e.Data, ad)
	if err != nil {
		return nil, ErrOpen
	}
	defer clear(padded)
	return unpad(padded)
}

// unpad returns a copy of the plaintext. A length that does not give this padded size, or a pad that is not zeros,
// would let a sender hide data beside the message or vary the bytes of one message.
func unpad(padded []byte) ([]byte, error) {
	n := uint64(binary.LittleEndian.Uint32(padded))
	if n > MaxPlaintext || PaddedSize(int(n)) != len(padded) {
		return nil, ErrPadding
	}
	var rest byte
	for _, b := range padded[lengthSize+n:] {
		rest |= b
	}
	if rest != 0 {
		return nil, ErrPadding
	}
	return append([]byte{}, padded[lengthSize:lengthSize+n]...), nil
}

// PaddedSize returns the size of length ‖ plaintext ‖ zeros for a plaintext of n bytes: n + 4 rounded up to one of
// Padmé's sizes (Nikitin et al., "Reducing metadata leakage from encrypted files and communication with PURBs", 2019),
// at least [MinPadded]. The overhead is at most 12% and falls with size; a size reveals O(log log n) bits of n.
func PaddedSize(n int) int { return max(MinPadded, padme(n+lengthSize)) }

// padme rounds n ≥ 2 up so that as many low bits are zero as its exponent has bits less than its own length.
func padme(n int) int {
	exponent := bits.Len(uint(n)) - 1
	free := exponent - bits.Len(uint(exponent))
	mask := 1<<free - 1
	return (n + mask) &^ mask
}

func possibleSize(data int) bool {
	padded := data - TagSize
	return padded >= MinPadded && data <= MaxData && padme(padded) == padded
}
