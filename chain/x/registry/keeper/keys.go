package keeper

import (
	"encoding/binary"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Keys of what is the module's own, beside those of wire: "uid", "params", "gatekeepers", "master", "worker/…" and "program/…".
// None is a prefix of another. Heights are big-endian, so that iteration is in their order.
const (
	keyTrust              = "trust"               // types.Trust
	keySettings           = "settings"            // settings
	keyPendingTrust       = "pending/trust"       // pendingTrust
	keyPendingGatekeepers = "pending/gatekeepers" // wire.Gatekeepers, Since is when it comes into force

	prefixWorker      = "worker/"      // ‖ identity: wire.WorkerState
	prefixHeader      = "header/"      // ‖ height: the block's header hash
	prefixTime        = "time/"        // ‖ height: the block's time in Unix milliseconds
	prefixExpiry      = "expiry/"      // ‖ height ‖ identity: nothing; who expires there
	prefixDeadline    = "deadline/"    // ‖ identity: the height of its entry under prefixExpiry
	prefixIncarnation = "incarnation/" // ‖ identity ‖ incarnation: nothing; it was superseded
	prefixOperator    = "operator/"    // ‖ account ‖ identity: nothing; whose workers are whose
	prefixHeir        = "heir/"        // ‖ identity: types.Heir
	prefixProgram     = "program/"     // ‖ id: wire.ProgramRecord
)

// settings are the parameters that only the registry itself needs.
type settings struct {
	Authority string
	Delay     uint64
}

// Scale visits the fields in order.
func (s *settings) Scale(c *scale.Codec) {
	c.Text(&s.Authority, 128)
	c.U64(&s.Delay)
}

// pendingTrust is a policy that comes into force at a height.
type pendingTrust struct {
	Since   uint64
	Decided uint64
	Trust   types.Trust
}

// Scale visits the fields in order.
func (p *pendingTrust) Scale(c *scale.Codec) {
	c.U64(&p.Since)
	c.U64(&p.Decided)
	p.Trust.Scale(c)
}

// at is a height, or a time, as a record.
type at uint64

// Scale visits the number.
func (a *at) Scale(c *scale.Codec) { c.U64((*uint64)(a)) }

func heightKey(prefix string, h uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), h)
}

func headerKey(h uint64) string { return string(heightKey(prefixHeader, h)) }

func timeKey(h uint64) string { return string(heightKey(prefixTime, h)) }

func expiryKey(h uint64, pk sr25519.PublicKey) []byte {
	return append(heightKey(prefixExpiry, h), pk.Bytes()...)
}

func deadlineKey(pk sr25519.PublicKey) string { return prefixDeadline + string(pk.Bytes()) }

func incarnationKey(pk sr25519.PublicKey, i wire.Incarnation) []byte {
	return append(append([]byte(prefixIncarnation), pk.Bytes()...), i[:]...)
}

func operatorKey(a wire.Account, pk sr25519.PublicKey) []byte {
	return append(append([]byte(prefixOperator), a[:]...), pk.Bytes()...)
}
