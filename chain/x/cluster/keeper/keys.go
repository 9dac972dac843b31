package keeper

import (
	"encoding/binary"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Keys of the module's own records, raw bytes; numbers in them are big-endian, so that they ascend. The proven records
// have theirs from wire: "cluster/", "finalized/" and "contract/".
const (
	keyCount        = "count"      // how many clusters were ever made: pending
	prefixPending   = "pending/"   // cluster: pending
	prefixMark      = "mark/"      // cluster, u64 mark: markRecord
	prefixReport    = "report/"    // cluster, u64 mark, identity: the checkpoint's hash
	prefixMiss      = "miss/"      // cluster, identity: counter
	prefixKeyVote   = "keyvote/"   // cluster, identity: wire.KeyFixed
	prefixFixes     = "fixes/"     // cluster: fixes
	prefixVote      = "vote/"      // cluster, contract, identity: contractVote
	prefixVoteCount = "votecount/" // cluster, identity: counter
	prefixListing   = "contracts/" // cluster, contract: 1
	prefixHeld      = "held/"      // cluster, u64 number: wire.Withdrawal
	prefixDue       = "due/"       // u64 height, u8 task, cluster, u64 mark: 1
)

func clusterKey(prefix string, id wire.ClusterID) string { return prefix + string(id[:]) }

func memberKey(prefix string, id wire.ClusterID, pk sr25519.PublicKey) string {
	return clusterKey(prefix, id) + string(pk.Bytes())
}

func numberKey(prefix string, id wire.ClusterID, n uint64) string {
	return clusterKey(prefix, id) + number(n)
}

func reportKey(id wire.ClusterID, mark uint64, pk sr25519.PublicKey) string {
	return numberKey(prefixReport, id, mark) + string(pk.Bytes())
}

func voteKey(id wire.ClusterID, contract wire.ContractID, pk sr25519.PublicKey) string {
	return clusterKey(prefixVote, id) + string(contract[:]) + string(pk.Bytes())
}

func listingKey(id wire.ClusterID, contract wire.ContractID) string {
	return clusterKey(prefixListing, id) + string(contract[:])
}

func number(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// prefixEnd returns the first key that follows all keys with the prefix. Prefixes begin with a letter, so there is one.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
