package wire

import (
	"crypto/sha256"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// Bounds of an invocation.
const (
	// MaxInput is the most bytes of one invocation's input: a call's arguments, or one part of a contract's code.
	MaxInput = 256 << 10
	// MaxCode is the most bytes of a contract's code, all parts together.
	MaxCode = 1 << 20
	// MaxCodeParts is the most parts that code is uploaded in.
	MaxCodeParts = 32
	// MaxLifetime is how many blocks ahead of a message's height its invocation's NotAfter may be; beyond it the
	// message is a no-op.
	MaxLifetime = 14_400
	// MaxQueryLifetime is the same for a query.
	MaxQueryLifetime = 100
)

// Action is what an invocation asks for: the index of [Kind] in SCALE.
type Action uint8

// Actions.
const (
	ActionCommand     Action = 0
	ActionQuery       Action = 1
	ActionUpload      Action = 2
	ActionInstantiate Action = 3
	ActionWithdraw    Action = 4
)

// String returns the action's name.
func (a Action) String() string {
	names := [...]string{"command", "query", "upload", "instantiate", "withdraw"}
	if int(a) < len(names) {
		return names[a]
	}
	return "unknown"
}

// Kind is an invocation's action and what that action needs; the other fields are zero.
type Kind struct {
	Action   Action
	Part     uint16          // Upload: which part, from 0
	Of       uint16          // Upload: how many parts, 1 to [MaxCodeParts]
	CodeHash CodeHash        // Upload, Instantiate
	Salt     [32]byte        // Instantiate
	Account  Account         // Withdraw: who is paid on the chain
	Amount   uint128.Uint128 // Withdraw: how much, in the chain's smallest unit
}

// Scale visits the action's index and the fields of that action.
func (k *Kind) Scale(c *scale.Codec) {
	c.Variant((*uint8)(&k.Action), 5)
	if c.Err() != nil {
		return
	}
	switch k.Action {
	case ActionUpload:
		c.U16(&k.Part)
		c.U16(&k.Of)
		k.CodeHash.Scale(c)
	case ActionInstantiate:
		k.CodeHash.Scale(c)
		c.Fixed(k.Salt[:])
	case ActionWithdraw:
		k.Account.Scale(c)
		c.U128(&k.Amount)
	}
}

// Payload names the target contract and the input of its message, serialized as the contract's ABI says.
type Payload struct {
	To    ContractID // zero for Upload and Withdraw
	Input []byte     // at most [MaxInput] bytes
}

// Scale visits To and Input.
func (p *Payload) Scale(c *scale.Codec) {
	p.To.Scale(c)
	c.Bytes(&p.Input, MaxInput)
}

// Invocation is what a client asks of a contract. On the chain and on the network it is inside an envelope only.
type Invocation struct {
	From      Identity
	Payload   Payload
	Nonce     uint64
	Value     uint128.Uint128
	GasLimit  uint64
	Kind      Kind
	MinHeight uint64         // Query: the reply must stand on a header above it
	NotAfter  uint64         // the last height at which it may be executed
	ReplyTo   ecdh.PublicKey // the key that the receipt or reply is encrypted to
	Sig       UserSignature  // covers everything else and [Target]
}

// Scale visits the fields in order.
func (i *Invocation) Scale(c *scale.Codec) {
	i.scaleUnsigned(c)
	i.Sig.Scale(c)
}

func (i *Invocation) scaleUnsigned(c *scale.Codec) {
	i.From.Scale(c)
	i.Payload.Scale(c)
	c.U64(&i.Nonce)
	c.U128(&i.Value)
	c.U64(&i.GasLimit)
	i.Kind.Scale(c)
	c.U64(&i.MinHeight)
	c.U64(&i.NotAfter)
	i.ReplyTo.Scale(c)
}

// WorkerLife names one life of one worker.
type WorkerLife struct {
	Identity    sr25519.PublicKey
	Incarnation Incarnation
}

// Scale visits Identity and Incarnation.
func (w *WorkerLife) Scale(c *scale.Codec) {
	w.Identity.Scale(c)
	w.Incarnation.Scale(c)
}

// Target is where an invocation may be executed: in one cluster of one chain and, for a query, by one life of one
// worker. The signature covers it, though it is not part of the invocation's bytes.
type Target struct {
	UID     ChainUID
	Cluster ClusterID
	Worker  *WorkerLife // nil unless the invocation is a query
}

// signedInvocation is the body that a client signs.
type signedInvocation struct {
	target Target
	inv    *Invocation
}

func (s *signedInvocation) Scale(c *scale.Codec) {
	s.target.Cluster.Scale(c)
	scale.Option(c, &s.target.Worker, func(w *WorkerLife) { w.Scale(c) })
	s.inv.scaleUnsigned(c)
}

// SigningText returns what the client signs: kind "invocation" over SCALE(cluster, Option<worker life>, every field
// but Sig). It returns an error where a field is over its bound.
func (i *Invocation) SigningText(t Target) ([]byte, error) {
	body, err := scale.Marshal(&signedInvocation{t, i})
	if err != nil {
		return nil, err
	}
	return SigningText(KindInvocation, t.UID, body), nil
}

// Hash returns the SHA-256 hash of the signing text, which names the invocation in receipts and replies.
func (i *Invocation) Hash(t Target) (Hash, error) {
	text, err := i.SigningText(t)
	if err != nil {
		return Hash{}, err
	}
	return sha256.Sum256(text), nil
}

// Verify checks the signature for the target. It returns [ErrUserSignature], [ErrScheme] or an error of a bound.
func (i *Invocation) Verify(t Target) error {
	text, err := i.SigningText(t)
	if err != nil {
		return err
	}
	return i.Sig.Verify(i.From, text)
}

// contractName is what a contract's id is the hash of.
type contractName struct {
	cluster ClusterID
	from    Identity
	code    CodeHash
	salt    [32]byte
}

func (n *contractName) Scale(c *scale.Codec) {
	n.cluster.Scale(c)
	n.from.Scale(c)
	n.code.Scale(c)
	c.Fixed(n.salt[:])
}

// NewContractID returns BLAKE2b-256("phalanx contract v1" ‖ SCALE(cluster, from, code hash, salt)).
func NewContractID(cluster ClusterID, from Identity, code CodeHash, salt [32]byte) ContractID {
	name := scale.MustMarshal(&contractName{cluster, from, code, salt})
	return blake2b.Sum256(append([]byte("phalanx contract v1"), name...))
}

// NewChildContractID returns the id of a contract that a contract makes: BLAKE2b-256("phalanx child contract v1" ‖
// SCALE(cluster, deploying contract, code hash, input, salt)). The input, of the constructor, and the salt are byte
// vectors.
func NewChildContractID(cluster ClusterID, deployer ContractID, code CodeHash, input, salt []byte) ContractID {
	name := scale.MustMarshal(&childName{cluster, deployer, code, input, salt})
	return blake2b.Sum256(append([]byte("phalanx child contract v1"), name...))
}

type childName struct {
	cluster     ClusterID
	deployer    ContractID
	code        CodeHash
	input, salt []byte
}

// Scale visits the fields in order.
func (n *childName) Scale(c *scale.Codec) {
	n.cluster.Scale(c)
	n.deployer.Scale(c)
	n.code.Scale(c)
	c.Bytes(&n.input, MaxInput)
	c.Bytes(&n.salt, MaxInput)
}

// NewCodeHash returns the BLAKE2b-256 hash of a WebAssembly module.
func NewCodeHash(code []byte) CodeHash { return blake2b.Sum256(code) }
