// Package hierarchy is the derivation of keys below the MasterKey (protocol sections 10 and 11).
//
//	MasterKey    scalar k; public key k·G
//	element      k · HashToGroup(dst "phalanx cluster v1", cluster ‖ epoch)
//	ClusterKey   HKDF(element, "phalanx cluster v1" ‖ cluster ‖ epoch)
//	 ├ EcdhKey      mini-secret HKDF(ClusterKey, "ecdh")
//	 ├ StateKey     HKDF(ClusterKey, "state")
//	 │  └ FileKey   HKDF(StateKey, "file" ‖ id)
//	 ├ RootKey      HKDF(ClusterKey, "root")
//	 ├ ReceiptSalt  HKDF(ClusterKey, "receipt" ‖ count)
//	 └ ContractKey  HKDF(ClusterKey, "contract" ‖ contract id)
//	    ├ SigningKey  mini-secret HKDF(ContractKey, "signing")
//	    ├ Seed        HKDF(ContractKey, "seed" ‖ message hash)
//	    └ Secret      HKDF(ContractKey, "secret" ‖ message hash)
//
// HKDF is HKDF-SHA-256 (RFC 5869) with an empty salt and 32 bytes of output; "…" are the ASCII bytes without a length
// or terminator. cluster, contract id, message hash and file id are 32 bytes, epoch is a little-endian u32, count a
// little-endian u64, element the 32 bytes of the compressed point. Below each key no label is a prefix of another, and
// each label has operands of one length, so no two infos are equal.
//
// A gatekeeper calls [Evaluate] and a worker [ClusterKeyFrom]; with n holders the worker first combines t partial
// evaluations into the same element, and nothing below it changes. [MasterKey.ClusterKey] is both steps at once.
//
// Every key is a secret type: it cannot be printed, marshalled or compared with ==. Using a ClusterKey or ContractKey
// after Zero is a programming error and panics where the method returns no error; a key derived from zeros would be a
// key that everybody knows.
package hierarchy

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/internal/secret"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// KeySize is the length of every derived key in bytes.
const KeySize = sha256.Size

// clusterTag is the domain tag of HashToGroup and the label of the ClusterKey.
const clusterTag = "phalanx cluster v1"

// The labels of what is derived with HKDF.
const (
	labelEcdh     = "ecdh"
	labelState    = "state"
	labelRoot     = "root"
	labelReceipt  = "receipt"
	labelContract = "contract"
	labelSigning  = "signing"
	labelSeed     = "seed"
	labelSecret   = "secret"
	labelFile     = "file"
)

// Errors of this package.
var (
	// ErrKey says that the bytes of a key are not 32, or are all zeros.
	ErrKey = errors.New("hierarchy: a key has 32 bytes, not all zero")
	// ErrErased says that the key was erased.
	ErrErased = errors.New("hierarchy: the key was erased")
)

// opaque keeps the embedded name unexported while its methods are promoted.
type opaque = secret.Opaque

// MasterKey is the root of the hierarchy while it has one holder.
type MasterKey struct {
	opaque
	k      *group.Scalar
	public group.Element
}

// NewMasterKey draws a MasterKey from 64 bytes of rand, which must be the operating system's CSPRNG outside tests.
func NewMasterKey(rand io.Reader) (*MasterKey, error) {
	k, err := group.RandomScalar(rand)
	if err != nil {
		return nil, fmt.Errorf("hierarchy: new master key: %w", err)
	}
	return newMasterKey(k)
}

// ParseMasterKey takes the 32 bytes of ExposeBytes. It copies b.
func ParseMasterKey(b []byte) (*MasterKey, error) {
	k, err := group.ParseScalar(b)
	if err != nil {
		return nil, fmt.Errorf("hierarchy: master key: %w", err)
	}
	return newMasterKey(k)
}

func newMasterKey(k *group.Scalar) (*MasterKey, error) {
	public, err := k.MulBase()
	if err != nil {
		return nil, fmt.Errorf("hierarchy: master key: %w", err)
	}
	return &MasterKey{k: k, public: public}, nil
}

// Public returns k·G, which stands on chain. It stays known after Zero.
func (m *MasterKey) Public() group.Element { return m.public }

// ExposeBytes returns a copy of the 32 secret bytes, or nil after Zero. It is for sealing only: the caller seals the
// copy and clears it, and hands it nowhere else.
func (m *MasterKey) ExposeBytes() []byte { return m.k.ExposeBytes() }

// Zero overwrites the key.
func (m *MasterKey) Zero() { m.k.Zero() }

// ClusterKey derives a cluster's key of one key epoch: [Evaluate], then [ClusterKeyFrom].
func (m *MasterKey) ClusterKey(cluster [32]byte, keyEpoch uint32) (*ClusterKey, error) {
	e, err := Evaluate(m.k, cluster, keyEpoch)
	if err != nil {
		return nil, err
	}
	return ClusterKeyFrom(e, cluster, keyEpoch), nil
}

// Evaluate returns k · HashToGroup("phalanx cluster v1", cluster ‖ epoch): for a MasterKey the whole evaluation, for a
// share of it a partial one. The result is as secret as the ClusterKey: it is sent in envelopes only.
func Evaluate(k *group.Scalar, cluster [32]byte, epoch uint32) (group.Element, error) {
	msg := binary.LittleEndian.AppendUint32(append([]byte(nil), cluster[:]...), epoch)
	h, err := group.HashToGroup([]byte(clusterTag), msg)
	if err != nil {
		return group.Element{}, fmt.Errorf("hierarchy: evaluate: %w", err)
	}
	e, err := k.Mul(h)
	if err != nil {
		return group.Element{}, fmt.Errorf("hierarchy: evaluate: %w", err)
	}
	return e, nil
}

// ClusterKeyFrom derives the ClusterKey from its element, which was evaluated for the same cluster and epoch. It panics
// on the zero Element, which no evaluation returns.
func ClusterKeyFrom(e group.Element, cluster [32]byte, epoch uint32) *ClusterKey {
	if e.IsZero() {
		panic("hierarchy: ClusterKeyFrom of no element")
	}
	b := e.Bytes()
	defer clear(b)
	return &ClusterKey{key: newKey(derive(b, clusterTag, cluster[:], binary.LittleEndian.AppendUint32(nil, epoch)))}
}

// ClusterKey is the secret that the members of a cluster share in one key epoch. Copies share one secret. Its methods
// may be called at the same time.
type ClusterKey struct {
	opaque
	key secret.Box[key]
}

// ParseClusterKey takes the 32 bytes of ExposeBytes, as they arrive in an envelope. It copies b.
func ParseClusterKey(b []byte) (*ClusterKey, error) {
	if len(b) != KeySize || [KeySize]byte(b) == [KeySize]byte{} {
		return nil, ErrKey
	}
	return &ClusterKey{key: newKey([KeySize]byte(b))}, nil
}

// ExposeBytes returns a copy of the 32 secret bytes, or nil after Zero. It is for the envelope that gives the key to a
// member, and never for a file: ClusterKeys live in memory only. The caller clears the copy.
func (k *ClusterKey) ExposeBytes() []byte {
	var out []byte
	if err := k.key.Get().use(func(b []byte) { out = append(out, b...) }); err != nil {
		return nil
	}
	return out
}

// Equal reports in constant time whether both are the same key. An erased key equals none.
func (k *ClusterKey) Equal(other *ClusterKey) bool {
	a, b := k.ExposeBytes(), other.ExposeBytes()
	defer clear(a)
	defer clear(b)
	return a != nil && subtle.ConstantTimeCompare(a, b) == 1
}

// Zero overwrites the key, not what was derived from it.
func (k *ClusterKey) Zero() { k.key.Get().zero() }

// EcdhKey derives the cluster's EcdhKey, to whose public key clients encrypt commands.
func (k *ClusterKey) EcdhKey() (*ecdh.PrivateKey, error) {
	mini, err := k.key.Get().derive(labelEcdh)
	if err != nil {
		return nil, err
	}
	defer clear(mini[:])
	return ecdh.FromMiniSecret(mini[:])
}

// ContractKey derives the key of the contract id.
func (k *ClusterKey) ContractKey(id [32]byte) *ContractKey {
	return &ContractKey{key: newKey(k.key.Get().must(labelContract, id[:]))}
}

// StateKey derives the key above the disk's: see [FileKey]. The caller clears the 32 bytes.
func (k *ClusterKey) StateKey() []byte { return slice(k.key.Get().must(labelState)) }

// RootKey derives the key that hides the leaves of the state root. The caller clears the 32 bytes.
func (k *ClusterKey) RootKey() []byte { return slice(k.key.Get().must(labelRoot)) }

// ReceiptSalt derives the salt of the receipt of the message at topic count count, which its owner gets with it.
func (k *ClusterKey) ReceiptSalt(count uint64) [32]byte {
	return k.key.Get().must(labelReceipt, binary.LittleEndian.AppendUint64(nil, count))
}

// FileKey derives a key for the disk from a StateKey and a random id, new for each start and each 2³² writes, so that
// a disk that was rolled back never makes an IV repeat. It fails with [ErrKey]. The caller clears the 32 bytes.
func FileKey(stateKey []byte, id [32]byte) ([]byte, error) {
	if len(stateKey) != KeySize || [KeySize]byte(stateKey) == [KeySize]byte{} {
		return nil, ErrKey
	}
	return slice(derive(stateKey, labelFile, id[:])), nil
}

// ContractKey is the secret of one contract in one key epoch of its cluster. Copies share one secret. Its methods may
// be called at the same time.
type ContractKey struct {
	opaque
	key secret.Box[key]
}

// Seed derives the randomness that a contract sees in one command, from the command's hash: the same on every worker,
// and unknown outside the cluster.
func (k *ContractKey) Seed(messageHash [32]byte) [32]byte {
	return k.key.Get().must(labelSeed, messageHash[:])
}

// Secret derives the secret that a contract keeps in its state from the hash of the command that makes it, and which
// stays the same whatever keys rotate after. The caller clears it.
func (k *ContractKey) Secret(messageHash [32]byte) [32]byte {
	return k.key.Get().must(labelSecret, messageHash[:])
}

// SigningKey derives the contract's sr25519 key.
func (k *ContractKey) SigningKey() (*sr25519.PrivateKey, error) {
	mini, err := k.key.Get().derive(labelSigning)
	if err != nil {
		return nil, err
	}
	defer clear(mini[:])
	return sr25519.FromMiniSecret(mini[:])
}

// Zero overwrites the key, not what was derived from it.
func (k *ContractKey) Zero() { k.key.Get().zero() }

// key is 32 secret bytes that can be erased.
type key struct {
	mu     sync.RWMutex
	b      [KeySize]byte
	erased bool
}

func newKey(b [KeySize]byte) secret.Box[key] { return secret.NewBox(&key{b: b}) }

func (k *key) use(f func([]byte)) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.erased {
		return ErrErased
	}
	f(k.b[:])
	return nil
}

func (k *key) derive(label string, parts ...[]byte) (out [KeySize]byte, err error) {
	err = k.use(func(b []byte) { out = derive(b, label, parts...) })
	return out, err
}

func (k *key) must(label string, parts ...[]byte) [KeySize]byte {
	out, err := k.derive(label, parts...)
	if err != nil {
		panic(err)
	}
	return out
}

func (k *key) zero() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.b[:])
	k.erased = true
}

// derive is HKDF-SHA-256 with an empty salt and info label ‖ parts.
func derive(ikm []byte, label string, parts ...[]byte) [KeySize]byte {
	info := []byte(label)
	for _, p := range parts {
		info = append(info, p...)
	}
	out, err := hkdf.Key(sha256.New, ikm, nil, string(info), KeySize)
	if err != nil {
		panic("hierarchy: HKDF of 32 bytes failed") // it fails only for an output over 255 blocks
	}
	defer clear(out)
	return [KeySize]byte(out)
}

func slice(b [KeySize]byte) []byte { return b[:] }
