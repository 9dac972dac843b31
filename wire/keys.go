package wire

import (
	"encoding/binary"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// Stores of the chain's state, the first part of a proof's key path.
const (
	StoreRegistry = "registry"
	StoreQueue    = "mq"
	StoreCluster  = "cluster"
)

// RecordKey is where a proven record stands: a store and a key in it.
type RecordKey struct {
	Store string
	Key   string // raw bytes
}

func recordKey(store, prefix string, rest ...[]byte) RecordKey {
	key := []byte(prefix)
	for _, r := range rest {
		key = append(key, r...)
	}
	return RecordKey{store, string(key)}
}

// KeyChainUID is where the 32 bytes of the chain's uid stand.
func KeyChainUID() RecordKey { return recordKey(StoreRegistry, "uid") }

// KeyNetworkParams is where [NetworkParams] stands.
func KeyNetworkParams() RecordKey { return recordKey(StoreRegistry, "params") }

// KeyGatekeepers is where [Gatekeepers] stands; absent until some are named.
func KeyGatekeepers() RecordKey { return recordKey(StoreRegistry, "gatekeepers") }

// KeyMasterKey is where [MasterKeyRecord] stands; absent until a gatekeeper has announced it.
func KeyMasterKey() RecordKey { return recordKey(StoreRegistry, "master") }

// KeyWorker is where the [WorkerState] of an identity stands.
func KeyWorker(pk sr25519.PublicKey) RecordKey {
	return recordKey(StoreRegistry, "worker/", pk.Bytes())
}

// KeyHead is where the [Head] of a topic stands; absent while the topic is empty.
func KeyHead(t Topic) RecordKey { return recordKey(StoreQueue, "head/", t.Bytes()) }

// KeySequence is where the [Sequence] of an identity stands; absent until its first message is accepted.
func KeySequence(pk sr25519.PublicKey) RecordKey {
	return recordKey(StoreQueue, "sequence/", pk.Bytes())
}

// KeyCluster is where a [Cluster] stands.
func KeyCluster(id ClusterID) RecordKey { return recordKey(StoreCluster, "cluster/", id[:]) }

// KeyFinalized is where the [Finalized] of a mark stands, for a bounded number of marks after it.
func KeyFinalized(id ClusterID, mark uint64) RecordKey {
	return recordKey(StoreCluster, "finalized/", id[:], binary.BigEndian.AppendUint64(nil, mark))
}

// KeyContract is where a [ContractRecord] stands.
func KeyContract(id ContractID) RecordKey { return recordKey(StoreCluster, "contract/", id[:]) }

// NetworkParams are the network's rules that enclaves and clients act on. Heights and intervals are in blocks.
type NetworkParams struct {
	RegistrationExpiry uint64 // after it a registration expires unless renewed
	RotationInterval   uint64 // of EcdhKeys
	RotationGrace      uint64 // how long a replaced EcdhKey still opens envelopes
	MarkInterval       uint64 // at least so many blocks between two checkpoint marks of a cluster
	BodyRetention      uint64 // how long bodies outside clusters, and covered ones inside, are kept
	GasPrice           uint64 // in the chain's smallest unit per 2^20 gas
	Simulated          bool   // whether simulated evidence is accepted
	Delay              uint64 // at least so many blocks between a decision on policy or gatekeepers and its force
}

// Scale visits the fields in order.
func (p *NetworkParams) Scale(c *scale.Codec) {
	c.U64(&p.RegistrationExpiry)
	c.U64(&p.RotationInterval)
	c.U64(&p.RotationGrace)
	c.U64(&p.MarkInterval)
	c.U64(&p.BodyRetention)
	c.U64(&p.GasPrice)
	c.Bool(&p.Simulated)
	c.U64(&p.Delay)
}

// These are the rules of replay protection for commands; see docs/spec/invocation.md.
const (
	NonceWindow   = 1024    // the nonces held for one signing key in one cluster
	NonceAhead    = 65_536  // how far above the highest held a nonce may be
	NonceClock    = 600_000 // or above the block's Unix milliseconds
	NonceIdle     = 14_400  // blocks without a command after which a set is dropped
	KeyEpochGrace = 100     // blocks after a newer key is fixed in which messages to the old one are accepted
)
