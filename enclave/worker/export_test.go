package worker

import "github.com/phalanx-network/phalanx/wire"

// StaleAfter is for the tests outside the package.
const StaleAfter = staleAfter

// MaxTerminated is for the tests outside the package.
const MaxTerminated = maxTerminated

// Entries reads what is durable of a contract, or of the cluster itself where id is zero, below a prefix.
func (r *Role) Entries(cluster wire.ClusterID, id wire.ContractID, prefix string) map[string]string {
	out := map[string]string{}
	if cl, ok := r.find(cluster); ok {
		cl.live.Load().view.Ascend(id, []byte(prefix), func(key, value []byte) bool {
			out[string(key)] = string(value)
			return true
		})
	}
	return out
}

// LoggedBytes is how much a cluster's logs take.
func (r *Role) LoggedBytes(cluster wire.ClusterID) int {
	cl, ok := r.find(cluster)
	if !ok {
		return 0
	}
	cl.logs.mu.Lock()
	defer cl.logs.mu.Unlock()
	return cl.logs.bytes
}
