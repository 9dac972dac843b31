package wire

import (
	"crypto/sha256"
	"errors"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bounds of results.
const (
	MaxOutput      = 256 << 10
	MaxEvents      = 256
	MaxEventTopics = 4
	MaxEventData   = 16 << 10
	MaxEventBytes  = 64 << 10 // of all events of one command together
	MaxFault       = 256
	MaxDebug       = 16 << 10
)

// Status says how an invocation ended.
type Status uint8

// Statuses.
const (
	StatusDone     Status = 0
	StatusReverted Status = 1 // the contract returned an error and its changes are undone
	StatusTrapped  Status = 2 // the contract trapped
	StatusOutOfGas Status = 3
	StatusLimit    Status = 4 // a bound on memory, depth, storage or output
	StatusRefused  Status = 5 // it was not executed; Fault says why
)

// String returns the status's name.
func (s Status) String() string {
	names := [...]string{"done", "reverted", "trapped", "out of gas", "limit", "refused"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// Event is what a contract deposited.
type Event struct {
	Contract ContractID
	Topics   [][]byte // at most [MaxEventTopics] of at most 32 bytes
	Data     []byte   // at most [MaxEventData] bytes
}

// Scale visits the fields in order.
func (e *Event) Scale(c *scale.Codec) {
	e.Contract.Scale(c)
	scale.Slice(c, &e.Topics, MaxEventTopics, func(t *[]byte) { c.Bytes(t, 32) })
	c.Bytes(&e.Data, MaxEventData)
}

// Outcome is the result of an execution.
type Outcome struct {
	Status  Status
	GasUsed uint64
	Output  []byte
	Events  []Event
	Fault   string // words for people, the same on every worker; empty when done
}

// Scale visits the fields in order.
func (o *Outcome) Scale(c *scale.Codec) {
	c.Variant((*uint8)(&o.Status), 6)
	c.U64(&o.GasUsed)
	c.Bytes(&o.Output, MaxOutput)
	scale.Slice(c, &o.Events, MaxEvents, func(e *Event) { e.Scale(c) })
	c.Text(&o.Fault, MaxFault)
}

// Receipt is the result of a command.
type Receipt struct {
	Invocation Hash // [Invocation.Hash]
	Cluster    ClusterID
	Index      uint64 // of the message in the cluster's topic, from 0
	Height     uint64 // of the message
	Outcome    Outcome
}

// Scale visits the fields in order.
func (r *Receipt) Scale(c *scale.Codec) {
	r.Invocation.Scale(c)
	r.Cluster.Scale(c)
	c.U64(&r.Index)
	c.U64(&r.Height)
	r.Outcome.Scale(c)
}

// SaltedReceipt is the plaintext that the owner of a receipt gets, in an envelope of purpose 2.
type SaltedReceipt struct {
	Salt    [32]byte
	Receipt Receipt
}

// Scale visits the fields in order.
func (r *SaltedReceipt) Scale(c *scale.Codec) {
	c.Fixed(r.Salt[:])
	r.Receipt.Scale(c)
}

// Leaf returns SHA-256(salt ‖ SCALE(receipt)), the receipt's leaf under a receipts root.
func (r *SaltedReceipt) Leaf() (Hash, error) {
	b, err := scale.Marshal(r)
	if err != nil {
		return Hash{}, err
	}
	return sha256.Sum256(b), nil
}

// QueryReply is the plaintext that answers a query, in an envelope of purpose 2.
type QueryReply struct {
	Invocation Hash
	Count      uint64 // the topic's count that it ran on
	StateRoot  Hash   // the hidden root that it ran on
	Height     uint64 // of the newest verified header whose proven head equals Count
	BlockHash  Hash   // of that header
	BlockTime  uint64 // of that header, in Unix milliseconds
	Outcome    Outcome
	Debug      []byte // debug messages of contracts that belong to the caller, at most [MaxDebug] bytes
}

// Scale visits the fields in order.
func (q *QueryReply) Scale(c *scale.Codec) {
	q.Invocation.Scale(c)
	c.U64(&q.Count)
	q.StateRoot.Scale(c)
	c.U64(&q.Height)
	q.BlockHash.Scale(c)
	c.U64(&q.BlockTime)
	q.Outcome.Scale(c)
	c.Bytes(&q.Debug, MaxDebug)
}

// ErrReceiptProof says that a path does not lead from a leaf to the root.
var ErrReceiptProof = errors.New("receipt is not under the receipts root")

// MaxReceiptPath is the most hashes on a path under a receipts root.
const MaxReceiptPath = 40

// ReceiptsRoot returns the Merkle tree hash of RFC 6962, section 2.1, with SHA-256, over the leaves in topic order.
// The root of no leaves is the hash of the empty string.
func ReceiptsRoot(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0][:]...))
	}
	k := split(len(leaves))
	return node(ReceiptsRoot(leaves[:k]), ReceiptsRoot(leaves[k:]))
}

// ReceiptPath returns the audit path of leaf i of RFC 6962, section 2.1.1, from the leaf to the root; nil where there
// is no such leaf.
func ReceiptPath(leaves []Hash, i int) []Hash {
	if i < 0 || i >= len(leaves) || len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if i < k {
		return append(ReceiptPath(leaves[:k], i), ReceiptsRoot(leaves[k:]))
	}
	return append(ReceiptPath(leaves[k:], i-k), ReceiptsRoot(leaves[:k]))
}

// VerifyReceipt checks that leaf is number i of n leaves under root. It returns [ErrReceiptProof].
func VerifyReceipt(root, leaf Hash, i, n uint64, path []Hash) error {
	if i >= n || len(path) > MaxReceiptPath {
		return ErrReceiptProof
	}
	h := Hash(sha256.Sum256(append([]byte{0}, leaf[:]...)))
	last := n - 1
	for _, p := range path {
		if last == 0 {
			return ErrReceiptProof
		}
		if i&1 == 1 || i == last {
			h = node(p, h)
			for i&1 == 0 && i != 0 {
				i >>= 1
				last >>= 1
			}
		} else {
			h = node(h, p)
		}
		i >>= 1
		last >>= 1
	}
	if last != 0 || h != root {
		return ErrReceiptProof
	}
	return nil
}

func node(left, right Hash) Hash {
	var b [65]byte
	b[0] = 1
	copy(b[1:33], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// split returns the largest power of two below n, which is at least 2.
func split(n int) int {
	k := 1
	for k<<1 < n {
		k <<= 1
	}
	return k
}
