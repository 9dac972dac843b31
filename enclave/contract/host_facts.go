package contract

import (
	"encoding/binary"
	"math"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

func (x *execution) inputData(a []uint64) uint64 {
	if x.spent {
		x.end(Trapped, "the input was handed on to another contract")
	}
	return x.fact(a, x.input)
}

// returnRevert is the only flag of seal_return.
const returnRevert = 1

func (x *execution) sealReturn(a []uint64) uint64 {
	flags, ptr, n := uint32(a[0]), uint32(a[1]), uint32(a[2])
	x.pay(n)
	if uint64(n) > uint64(x.limits.OutputBytes) {
		x.end(LimitExceeded, "output of %d bytes exceeds %d", n, x.limits.OutputBytes)
	}
	output := x.read(ptr, n)
	if flags&^returnRevert != 0 {
		x.end(Trapped, "seal_return has unknown flags")
	}
	x.leave(output, flags&returnRevert != 0)
	return 0
}

// leave ends the call with an output.
func (x *execution) leave(output []byte, revert bool) {
	x.output = output
	if revert {
		x.end(Reverted, "")
	}
	x.end(Done, "")
}

func (x *execution) callerAccount(a []uint64) uint64 { return x.fact(a, x.caller[:]) }

func (x *execution) address(a []uint64) uint64 { return x.fact(a, x.account[:]) }

func (x *execution) balance(a []uint64) uint64 {
	return x.fact(a, u128Bytes(x.t.storage.Balance(x.account)))
}

func (x *execution) valueTransferred(a []uint64) uint64 { return x.fact(a, u128Bytes(x.value)) }

func (x *execution) minimumBalance(a []uint64) uint64 {
	return x.fact(a, u128Bytes(x.limits.MinimumBalance))
}

func (x *execution) now(a []uint64) uint64 {
	return x.fact(a, binary.LittleEndian.AppendUint64(nil, x.t.call.TimeMillis))
}

// height is the block height as contracts know it.
func (x *execution) height() []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(min(x.t.call.Height, math.MaxUint32)))
}

func (x *execution) blockNumber(a []uint64) uint64 { return x.fact(a, x.height()) }

func (x *execution) gasLeft0(a []uint64) uint64 {
	x.pay(8)
	x.writeOut(uint32(a[0]), uint32(a[1]), binary.LittleEndian.AppendUint64(nil, x.gas.Get()))
	return 0
}

// weight is Substrate's weight of two dimensions, of which the second is always 0 here.
type weight struct{ time, proof uint64 }

// Scale visits the fields in order.
func (w *weight) Scale(c *scale.Codec) {
	c.Compact(&w.time)
	c.Compact(&w.proof)
}

func (x *execution) gasLeft1(a []uint64) uint64 {
	x.pay(18)
	x.writeOut(uint32(a[0]), uint32(a[1]), scale.MustMarshal(&weight{time: x.gas.Get()}))
	return 0
}

func (x *execution) weightToFee0(a []uint64) uint64 {
	return x.fact(a[1:], u128Bytes(uint128.From64(a[0]).Mul64(x.limits.FeePerGas)))
}

func (x *execution) weightToFee1(a []uint64) uint64 {
	return x.fact(a[2:], u128Bytes(uint128.From64(a[0]).Mul64(x.limits.FeePerGas)))
}

func (x *execution) ownCodeHash(a []uint64) uint64 {
	hash, ok := x.t.storage.CodeHash(x.account)
	if !ok {
		x.end(Trapped, "the contract has no code any more")
	}
	return x.fact(a, hash[:])
}

func (x *execution) codeHash(a []uint64) uint64 {
	hash, ok := x.t.codeOf(x.account32(uint32(a[0])))
	if !ok {
		return codeKeyNotFound
	}
	return x.fact(a[1:], hash[:])
}

func (x *execution) isContract(a []uint64) uint64 {
	_, ok := x.t.codeOf(x.account32(uint32(a[0])))
	return boolean(ok)
}

func (x *execution) callerIsOrigin([]uint64) uint64 { return boolean(x.caller == x.t.call.Caller) }

// callerIsRoot is always false: nobody is above the contracts of a cluster.
func (x *execution) callerIsRoot([]uint64) uint64 { return 0 }

func (x *execution) reentranceCount([]uint64) uint64 {
	n := x.t.reentrances(x.account)
	return uint64(n - min(n, 1))
}

func (x *execution) accountReentranceCount(a []uint64) uint64 {
	return uint64(x.t.reentrances(x.account32(uint32(a[0]))))
}

func (x *execution) instantiationNonce([]uint64) uint64 { return x.t.storage.Created() }

func (x *execution) random(a []uint64) [32]byte {
	n := uint32(a[1])
	x.pay(n)
	if uint64(n) > uint64(x.limits.SubjectBytes) {
		x.end(LimitExceeded, "subject of random of %d bytes exceeds %d", n, x.limits.SubjectBytes)
	}
	return x.t.randomness(x.account, x.view(uint32(a[0]), n))
}

func (x *execution) random0(a []uint64) uint64 {
	value := x.random(a)
	x.writeOut(uint32(a[2]), uint32(a[3]), value[:])
	return 0
}

// random1 also names the block since which the value was knowable: the call's own.
func (x *execution) random1(a []uint64) uint64 {
	value := x.random(a)
	x.writeOut(uint32(a[2]), uint32(a[3]), append(value[:], x.height()...))
	return 0
}

func (x *execution) tombstoneDeposit(a []uint64) uint64 { return x.fact(a, u128Bytes(uint128.Zero)) }

func (x *execution) rentAllowance(a []uint64) uint64 { return x.fact(a, u128Bytes(uint128.Max)) }

func (x *execution) nothing([]uint64) uint64 { return 0 }

// callRuntime, xcmExecute and xcmSend answer what a chain answers that does not have what they ask for.
func (x *execution) callRuntime(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	x.view(uint32(a[0]), uint32(a[1]))
	return codeCallRuntimeFailed
}

func (x *execution) xcmExecute(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	x.view(uint32(a[0]), uint32(a[1]))
	return codeXcmExecutionFailed
}

func (x *execution) xcmSend(a []uint64) uint64 {
	x.pay(uint32(a[2]))
	x.view(uint32(a[1]), uint32(a[2]))
	return codeXcmSendFailed
}

func u128Bytes(v uint128.Uint128) []byte {
	b := make([]byte, 16)
	v.PutBytes(b)
	return b
}
