package account

import (
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	"github.com/cosmos/go-bip39"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Path is the BIP-44 path of the chain account.
const Path = "m/44'/118'/0'/0/0"

const (
	entropyBytes   = 32  // of a new mnemonic: 24 words
	maxMnemonic    = 512 // bytes; 24 words of at most 8 letters are 215
	mnemonicRounds = 2048
)

// ErrMnemonic says that words are no BIP-39 mnemonic in English: an unknown word, a wrong number of them, or a wrong
// checksum. It does not say which.
var ErrMnemonic = errors.New("not a valid BIP-39 mnemonic")

// ErrErased says that the account's secrets were erased.
var ErrErased = errors.New("account was erased")

// Account is a user: a chain account and an identity. It is not to be copied.
type Account struct {
	_        [0]func() // no ==
	mnemonic []byte
	chain    []byte // secp256k1 secret, 32 bytes
	mini     []byte // mini-secret, 32 bytes
	public   cryptotypes.PubKey
	identity *sr25519.PrivateKey
}

// Generate makes an account with a new mnemonic of 24 words, from 32 bytes of random, which must be the operating
// system's CSPRNG outside tests.
func Generate(random io.Reader) (*Account, error) {
	entropy := make([]byte, entropyBytes)
	defer clear(entropy)
	if _, err := io.ReadFull(random, entropy); err != nil {
		return nil, fmt.Errorf("new account: %w", err)
	}
	words, err := bip39.NewMnemonic(entropy)
	if err != nil {
		return nil, fmt.Errorf("new account: %w", err)
	}
	return FromMnemonic(words)
}

// FromMnemonic takes an account up from its mnemonic: 12 to 24 English words. It fails with [ErrMnemonic].
func FromMnemonic(words string) (*Account, error) {
	if len(words) > maxMnemonic {
		return nil, ErrMnemonic
	}
	words = strings.Join(strings.Fields(words), " ")
	entropy, err := entropyOf(words)
	if err != nil {
		return nil, err
	}
	defer clear(entropy)
	a := &Account{mnemonic: []byte(words)}
	if a.chain, err = hd.Secp256k1.Derive()(words, "", Path); err != nil {
		return nil, ErrMnemonic
	}
	a.public = (&secp256k1.PrivKey{Key: a.chain}).PubKey()
	if a.mini, err = miniSecret(entropy, ""); err != nil {
		return nil, err
	}
	if a.identity, err = sr25519.FromMiniSecret(a.mini); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return a, nil
}

// entropyOf checks a mnemonic and returns its entropy: 11 bits a word without the checksum, one bit in 33.
func entropyOf(words string) ([]byte, error) {
	if _, err := bip39.MnemonicToByteArray(words); err != nil {
		return nil, ErrMnemonic // the library's error may repeat a word
	}
	list := strings.Split(words, " ")
	out := make([]byte, 0, 33)
	var bits, n uint32
	for _, w := range list {
		bits, n = bits<<11|uint32(bip39.ReverseWordMap[w]), n+11
		for ; n >= 8; n -= 8 {
			out = append(out, byte(bits>>(n-8)))
		}
	}
	return out[:len(list)*4/3], nil
}

// miniSecret is substrate-bip39's: PBKDF2 over the entropy, not over the words as BIP-39 itself has it.
func miniSecret(entropy []byte, passphrase string) ([]byte, error) {
	seed, err := pbkdf2.Key(sha512.New, string(entropy), []byte("mnemonic"+passphrase), mnemonicRounds, 64)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	defer clear(seed)
	return append([]byte(nil), seed[:32]...), nil
}

// Address returns the chain account's 20 bytes.
func (a *Account) Address() wire.Account { return wire.Account(a.public.Address()) }

// Bech32 returns the chain account's address as the chain's tools write it: phx1…
func (a *Account) Bech32() string { return Bech32(a.Address()) }

// Bech32 returns an account's address as the chain's tools write it.
func Bech32(account wire.Account) string {
	text, err := types.AccountCodec().BytesToString(account[:])
	if err != nil {
		return account.String() // 20 bytes always encode
	}
	return text
}

// ParseBech32 reads an address of the chain.
func ParseBech32(text string) (wire.Account, error) {
	raw, err := types.AccountCodec().StringToBytes(text)
	if err != nil {
		return wire.Account{}, fmt.Errorf("address %.80q: %w", text, err)
	}
	if len(raw) != len(wire.Account{}) {
		return wire.Account{}, fmt.Errorf("address %.80q has %d bytes, want 20", text, len(raw))
	}
	return wire.Account(raw), nil
}

// PublicKey returns the chain account's public key.
func (a *Account) PublicKey() cryptotypes.PubKey { return a.public }

// SignChain signs a transaction's sign bytes with the chain account: 64 bytes, low s.
func (a *Account) SignChain(text []byte) ([]byte, error) {
	if len(a.chain) == 0 {
		return nil, ErrErased
	}
	return (&secp256k1.PrivKey{Key: a.chain}).Sign(text)
}

// Identity returns the sr25519 identity.
func (a *Account) Identity() wire.Identity { return wire.Sr25519Identity(a.identity.Public()) }

// PublicIdentity returns the sr25519 identity's public key.
func (a *Account) PublicIdentity() sr25519.PublicKey { return a.identity.Public() }

// SignIdentity signs with the sr25519 identity.
func (a *Account) SignIdentity(text []byte) (sr25519.Signature, error) {
	return a.identity.Sign(rand.Reader, text)
}

// OpenLog opens what a contract of this identity logged: an envelope of purpose 6 to it, and no other.
func (a *Account) OpenLog(uid wire.ChainUID, e *envelope.Envelope) ([]byte, error) {
	return e.OpenLog(uid, a.identity)
}

// Ed25519 returns the ed25519 identity of the same mini-secret. The caller clears it after use.
func (a *Account) Ed25519() (ed25519.PrivateKey, error) {
	if len(a.mini) == 0 {
		return nil, ErrErased
	}
	return ed25519.NewKeyFromSeed(a.mini), nil
}

// ExposeMnemonic returns the words, for a user who writes them down. It returns nothing after Zero.
func (a *Account) ExposeMnemonic() string { return string(a.mnemonic) }

// Zero overwrites the secrets as far as the language lets it: the words have been Go strings on the way here.
func (a *Account) Zero() {
	clear(a.mnemonic)
	clear(a.chain)
	clear(a.mini)
	a.mnemonic, a.chain, a.mini = nil, nil, nil
	a.identity.Zero()
}

// Format writes the address and nothing else, whatever the verb.
func (a *Account) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "Account(%s, redacted)", a.Bech32())
}

// ErrSecret says that an account was to be marshalled.
var ErrSecret = errors.New("an account holds secrets and is not marshalled")

// MarshalJSON refuses.
func (a *Account) MarshalJSON() ([]byte, error) { return nil, ErrSecret }

// MarshalText refuses.
func (a *Account) MarshalText() ([]byte, error) { return nil, ErrSecret }

// GobEncode refuses.
func (a *Account) GobEncode() ([]byte, error) { return nil, ErrSecret }
