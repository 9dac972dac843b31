package account

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/crypto/scrypt"
)

const fileVersion = 1

// Ways in which a key file holds its mnemonic.
const (
	protectionNone   = "UNPROTECTED: anybody who reads this file has the account"
	protectionScrypt = "scrypt, AES-256-GCM"
)

// Cost of a passphrase: 64 MiB and about 0.2 s. A file's own figures are taken up to the bounds, so that a planted file
// cannot take all memory.
const (
	scryptN    = 1 << 16
	scryptR    = 8
	scryptP    = 1
	maxScryptN = 1 << 18
	minScryptN = 1 << 14
	saltBytes  = 32
)

// keyFile is a key file's JSON. Address and identity are there to be shown; they are checked against the mnemonic when
// it is opened, and are under the ciphertext's authentication.
type keyFile struct {
	Version    int    `json:"version"`
	Name       string `json:"name"`
	Address    string `json:"address"`
	Identity   string `json:"identity"`
	Protection string `json:"protection"`
	N          int    `json:"n,omitempty"`
	Salt       []byte `json:"salt,omitempty"`
	Nonce      []byte `json:"nonce,omitempty"`
	Ciphertext []byte `json:"ciphertext,omitempty"`
	Mnemonic   string `json:"mnemonic,omitempty"`
}

func (k *keyFile) entry() Entry {
	return Entry{k.Name, k.Address, k.Identity, k.Protection == protectionScrypt}
}

func encodeFile(name string, a *Account, passphrase []byte, random io.Reader) ([]byte, error) {
	if len(a.mnemonic) == 0 {
		return nil, ErrErased
	}
	k := keyFile{
		Version: fileVersion, Name: name, Address: a.Bech32(), Identity: a.PublicIdentity().String(),
		Protection: protectionNone,
	}
	if len(passphrase) == 0 {
		k.Mnemonic = string(a.mnemonic)
		return json.MarshalIndent(k, "", "  ")
	}
	k.Protection, k.N = protectionScrypt, scryptN
	k.Salt, k.Nonce = make([]byte, saltBytes), make([]byte, 12)
	for _, b := range [][]byte{k.Salt, k.Nonce} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("key file: %w", err)
		}
	}
	aead, err := k.aead(passphrase)
	if err != nil {
		return nil, err
	}
	k.Ciphertext = aead.Seal(nil, k.Nonce, a.mnemonic, k.associated())
	return json.MarshalIndent(k, "", "  ")
}

func decodeFile(raw []byte) (*keyFile, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var k keyFile
	if d.Decode(&k) != nil || d.More() {
		return nil, fmt.Errorf("%w: not the JSON of a key file", ErrFile) // the decoder's error may repeat a part of it
	}
	if k.Version != fileVersion {
		return nil, fmt.Errorf("%w: version %d, this program reads %d", ErrFile, k.Version, fileVersion)
	}
	switch k.Protection {
	case protectionNone:
		if k.Mnemonic == "" {
			return nil, fmt.Errorf("%w: it holds no mnemonic", ErrFile)
		}
	case protectionScrypt:
		if k.N < minScryptN || k.N > maxScryptN || k.N&(k.N-1) != 0 || len(k.Salt) != saltBytes || len(k.Nonce) != 12 {
			return nil, fmt.Errorf("%w: parameters of the protection", ErrFile)
		}
	default:
		return nil, fmt.Errorf("%w: unknown protection", ErrFile)
	}
	return &k, nil
}

func (k *keyFile) open(passphrase []byte) (*Account, error) {
	words := []byte(k.Mnemonic)
	if k.Protection == protectionScrypt {
		if len(passphrase) == 0 {
			return nil, fmt.Errorf("%w: %s", ErrPassphraseNeeded, k.Name)
		}
		aead, err := k.aead(passphrase)
		if err != nil {
			return nil, err
		}
		if words, err = aead.Open(nil, k.Nonce, k.Ciphertext, k.associated()); err != nil {
			return nil, fmt.Errorf("%w: %s", ErrPassphrase, k.Name)
		}
	}
	defer clear(words)
	a, err := FromMnemonic(string(words))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, k.Name, err)
	}
	if a.Bech32() != k.Address || a.PublicIdentity().String() != k.Identity {
		a.Zero()
		return nil, fmt.Errorf("%w: %s: address or identity is not the mnemonic's", ErrFile, k.Name)
	}
	return a, nil
}

func (k *keyFile) aead(passphrase []byte) (cipher.AEAD, error) {
	key, err := scrypt.Key(passphrase, k.Salt, k.N, scryptR, scryptP, 32)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return cipher.NewGCM(block)
}

func (k *keyFile) associated() []byte {
	return fmt.Appendf(nil, "phalanx key file v%d\n%s\n%s\n%s\n", k.Version, k.Name, k.Address, k.Identity)
}
