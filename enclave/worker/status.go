package worker

import (
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// What sizes are rounded up to, for everybody may read them.
const (
	roundEntries = 1 << 10
	roundBytes   = 64 << 10
)

func roundUp(v, to uint64) uint64 { return (v + to - 1) / to * to }

// ClusterStatus is where a worker stands in one of its clusters.
type ClusterStatus struct {
	Cluster   wire.ClusterID
	Phase     string // "waiting for keys", "waiting for state", "running" or "failed"
	Count     uint64 // messages executed
	Head      uint64 // of the newest proven head
	Root      wire.Hash
	Noops     uint64 // messages that were counted and not executed
	Contracts uint64
	Entries   uint64              // rounded up to 1,024: exact sizes would tell what a command has changed
	Bytes     uint64              // rounded up to 64 KiB
	Ask       []sr25519.PublicKey // members to ask for the state, when waiting for it
	Problem   string
}

// Receipt is a command's receipt for its owner, and its path under a receipts root.
type Receipt struct {
	Envelope []byte // SCALE of an envelope of purpose 2; plaintext: SCALE of a salted receipt
	Mark     uint64 // the mark whose receipts root covers it, 0 before that mark
	Leaf     uint64
	Leaves   uint64
	Path     []wire.Hash
}
