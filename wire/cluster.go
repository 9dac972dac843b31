package wire

import (
	"crypto/sha256"
	"encoding/binary"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// MaxWithdrawals is the most unpaid withdrawals that one checkpoint lists.
const MaxWithdrawals = 128

// MasterKeyRecord is the public MasterKey in force.
type MasterKeyRecord struct {
	Epoch     uint32 // the master epoch, from 0
	Sharing   uint32 // the sharing epoch, from 0
	Threshold uint16
	Key       group.Element
	Holders   []sr25519.PublicKey
	Since     uint64
}

// Scale visits the fields in order.
func (m *MasterKeyRecord) Scale(c *scale.Codec) {
	c.U32(&m.Epoch)
	c.U32(&m.Sharing)
	c.U16(&m.Threshold)
	m.Key.Scale(c)
	scale.Slice(c, &m.Holders, MaxGatekeepers, func(pk *sr25519.PublicKey) { pk.Scale(c) })
	c.U64(&m.Since)
}

// FixedKey is a cluster's key in force and the height at which it was fixed.
type FixedKey struct {
	KeyFixed
	Height uint64
}

// Scale visits the fields in order.
func (f *FixedKey) Scale(c *scale.Codec) {
	f.KeyFixed.Scale(c)
	c.U64(&f.Height)
}

// Cluster is what the chain knows of a cluster.
type Cluster struct {
	ID        ClusterID
	Creator   Account
	CreatedAt uint64
	Members   []Member
	KeyEpoch  uint32    // the newest key epoch that has started
	Fixed     *FixedKey // nil until the first key is fixed; its epoch is below KeyEpoch while a newer one is awaited
	Marks     uint64    // the number of the last checkpoint mark, 0 before the first
	Finalized *Finalized
	NextPaid  uint64 // the number of the withdrawal that is paid next, from 0
	Escrow    uint128.Uint128
}

// Scale visits the fields in order.
func (x *Cluster) Scale(c *scale.Codec) {
	x.ID.Scale(c)
	x.Creator.Scale(c)
	c.U64(&x.CreatedAt)
	scale.Slice(c, &x.Members, MaxMembers, func(m *Member) { m.Scale(c) })
	c.U32(&x.KeyEpoch)
	scale.Option(c, &x.Fixed, func(f *FixedKey) { f.Scale(c) })
	c.U64(&x.Marks)
	scale.Option(c, &x.Finalized, func(f *Finalized) { f.Scale(c) })
	c.U64(&x.NextPaid)
	c.U128(&x.Escrow)
}

// Member returns the member of the given identity.
func (x *Cluster) Member(pk sr25519.PublicKey) (Member, bool) {
	for _, m := range x.Members {
		if m.Identity == pk {
			return m, true
		}
	}
	return Member{}, false
}

// Quorum returns ⌈2n/3⌉, how many of n members must agree.
func Quorum(n int) int { return (2*n + 2) / 3 }

// NewClusterID returns SHA-256("phalanx cluster id v1" ‖ uid ‖ creator ‖ u64 number), of the number-th cluster of a
// chain, from 0.
func NewClusterID(uid ChainUID, creator Account, number uint64) ClusterID {
	b := append([]byte("phalanx cluster id v1"), uid[:]...)
	b = append(b, creator[:]...)
	return sha256.Sum256(binary.LittleEndian.AppendUint64(b, number))
}

// Withdrawal is money that leaves a cluster's ledger for an account of the chain. Numbers count from 0 in a cluster.
type Withdrawal struct {
	Number  uint64
	Account Account
	Amount  uint128.Uint128
}

// Scale visits the fields in order.
func (w *Withdrawal) Scale(c *scale.Codec) {
	c.U64(&w.Number)
	w.Account.Scale(c)
	c.U128(&w.Amount)
}

// Checkpoint is a member's report of a cluster's results at a mark.
type Checkpoint struct {
	Cluster      ClusterID
	Mark         uint64
	Count        uint64 // the topic's count with the mark's message
	KeyEpoch     uint32 // the key epoch whose RootKey the state root is under
	StateRoot    Hash
	ReceiptsRoot Hash         // over the receipts since the previous mark; see [ReceiptsRoot]
	Withdrawals  []Withdrawal // not known to be paid at Count, lowest numbers first
}

// Scale visits the fields in order.
func (p *Checkpoint) Scale(c *scale.Codec) {
	p.Cluster.Scale(c)
	c.U64(&p.Mark)
	c.U64(&p.Count)
	c.U32(&p.KeyEpoch)
	p.StateRoot.Scale(c)
	p.ReceiptsRoot.Scale(c)
	scale.Slice(c, &p.Withdrawals, MaxWithdrawals, func(w *Withdrawal) { w.Scale(c) })
}

// Finalized is a checkpoint that a quorum of the members at its mark reported alike.
type Finalized struct {
	Mark         uint64
	Count        uint64
	KeyEpoch     uint32
	StateRoot    Hash
	ReceiptsRoot Hash
	Height       uint64 // where it was finalized
	Reports      uint16 // how many had reported it then
	Members      uint16 // of how many at the mark; under three the result counts as unchecked
}

// Scale visits the fields in order.
func (f *Finalized) Scale(c *scale.Codec) {
	c.U64(&f.Mark)
	c.U64(&f.Count)
	c.U32(&f.KeyEpoch)
	f.StateRoot.Scale(c)
	f.ReceiptsRoot.Scale(c)
	c.U64(&f.Height)
	c.U16(&f.Reports)
	c.U16(&f.Members)
}

// Unchecked reports whether the cluster had too few members for the agreement to mean more than one enclave's word.
func (f *Finalized) Unchecked() bool { return f.Members < 3 }

// ContractRecord is what the chain knows of a contract.
type ContractRecord struct {
	Cluster  ClusterID
	CodeHash CodeHash
	Index    uint64 // of its instantiation in the cluster's topic
	Height   uint64 // where a quorum had reported it
}

// Scale visits the fields in order.
func (r *ContractRecord) Scale(c *scale.Codec) {
	r.Cluster.Scale(c)
	r.CodeHash.Scale(c)
	c.U64(&r.Index)
	c.U64(&r.Height)
}
