package contract

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"
)

// returnRevert is the only flag of seal_return.
const returnRevert = 1

func (x *execution) inputData(a []uint64) uint32 {
	x.fact(a, x.call.Input)
	return 0
}

func (x *execution) sealReturn(a []uint64) uint32 {
	flags, ptr, n := uint32(a[0]), uint32(a[1]), uint32(a[2])
	x.pay(priceReturn, n)
	if flags&^returnRevert != 0 {
		x.end(Trapped, "seal_return has unknown flags")
	}
	if uint64(n) > uint64(x.limits.OutputBytes) {
		x.end(LimitExceeded, "output of %d bytes exceeds %d", n, x.limits.OutputBytes)
	}
	x.output = x.read(ptr, n)
	status := Done
	if flags&returnRevert != 0 {
		status = Reverted
	}
	x.end(status, "")
	return 0
}

func (x *execution) caller(a []uint64) uint32 {
	x.fact(a, x.call.Caller[:])
	return 0
}

func (x *execution) address(a []uint64) uint32 {
	x.fact(a, x.call.Contract[:])
	return 0
}

func (x *execution) ownCodeHash(a []uint64) uint32 {
	x.fact(a, x.call.CodeHash[:])
	return 0
}

func (x *execution) balance(a []uint64) uint32 {
	x.pay(priceBalance, 16)
	x.writeOut(uint32(a[0]), uint32(a[1]), u128Bytes(x.storage.Balance(x.call.Contract)))
	return 0
}

func (x *execution) valueTransferred(a []uint64) uint32 {
	x.fact(a, u128Bytes(x.call.Value))
	return 0
}

func (x *execution) minimumBalance(a []uint64) uint32 {
	x.fact(a, u128Bytes(x.limits.MinimumBalance))
	return 0
}

func (x *execution) now(a []uint64) uint32 {
	x.fact(a, binary.LittleEndian.AppendUint64(nil, x.call.TimeMillis))
	return 0
}

func (x *execution) blockNumber(a []uint64) uint32 {
	height := uint32(min(x.call.Height, math.MaxUint32))
	x.fact(a, binary.LittleEndian.AppendUint32(nil, height))
	return 0
}

func (x *execution) gasLeft(a []uint64) uint32 {
	x.pay(priceRead, 8)
	x.writeOut(uint32(a[0]), uint32(a[1]), binary.LittleEndian.AppendUint64(nil, x.gas.Get()))
	return 0
}

func (x *execution) weightToFee(a []uint64) uint32 {
	x.fact(a[1:], u128Bytes(uint128.From64(a[0]).Mul64(x.limits.FeePerGas)))
	return 0
}

func (x *execution) callerIsOrigin([]uint64) uint32 {
	x.pay(priceRead, 0)
	return 1
}

func (x *execution) callerIsRoot([]uint64) uint32 {
	x.pay(priceRead, 0)
	return 0
}

// codeOf finds the code of an account, or ends the call if nobody here can know it.
func (x *execution) codeOf(account [32]byte) ([32]byte, bool) {
	if account == x.call.Contract {
		return x.call.CodeHash, true
	}
	directory, ok := x.storage.(CodeHashes)
	if !ok {
		x.end(Unsupported, "which accounts are contracts is not known here")
	}
	return directory.CodeHash(account)
}

func (x *execution) isContract(a []uint64) uint32 {
	x.pay(priceIsContract, 0)
	if _, ok := x.codeOf(x.account(uint32(a[0]))); !ok {
		return 0
	}
	return 1
}

func (x *execution) codeHash(a []uint64) uint32 {
	x.pay(priceIsContract, 0)
	hash, ok := x.codeOf(x.account(uint32(a[0])))
	if !ok {
		return codeKeyNotFound
	}
	x.writeOut(uint32(a[1]), uint32(a[2]), hash[:])
	return codeSuccess
}

// randomTag separates what contracts learn of the seed from every other use of it.
const randomTag = "phalanx contract random v1"

func (x *execution) randomness(a []uint64) []byte {
	n := uint32(a[1])
	x.pay(priceRandom, n)
	subject := x.view(uint32(a[0]), n)
	b := make([]byte, 0, len(randomTag)+len(x.call.Seed)+len(subject))
	b = append(append(append(b, randomTag...), x.call.Seed[:]...), subject...)
	hash := blake2b.Sum256(b)
	clear(b)
	return hash[:]
}

func (x *execution) random0(a []uint64) uint32 {
	x.writeOut(uint32(a[2]), uint32(a[3]), x.randomness(a))
	return 0
}

// random1 also names the block since which the value was knowable: the call's own.
func (x *execution) random1(a []uint64) uint32 {
	height := uint32(min(x.call.Height, math.MaxUint32))
	x.writeOut(uint32(a[2]), uint32(a[3]), binary.LittleEndian.AppendUint32(x.randomness(a), height))
	return 0
}

// transfer ignores the lengths it is given, as pallet-contracts does: the types fix them.
func (x *execution) transfer(a []uint64) uint32 {
	x.pay(priceTransfer, 0)
	to := x.account(uint32(a[0]))
	amount := uint128.FromBytes(x.view(uint32(a[2]), 16))
	if x.storage.Transfer(x.call.Contract, to, amount) != nil {
		return codeTransferFailed
	}
	return codeSuccess
}

func (x *execution) depositEvent(a []uint64) uint32 {
	topicsLen, dataLen := uint32(a[1]), uint32(a[3])
	x.charge(priceEvent.base + priceEvent.byte*(uint64(topicsLen)+uint64(dataLen)))
	if uint64(dataLen) > uint64(x.limits.EventBytes) {
		x.end(LimitExceeded, "event of %d bytes exceeds %d", dataLen, x.limits.EventBytes)
	}
	topics := x.topics(x.view(uint32(a[0]), topicsLen))
	x.charge(priceTopic * uint64(len(topics)))
	x.eventBytes += int(dataLen) + 32*len(topics)
	if len(x.events) == x.limits.Events || x.eventBytes > x.limits.AllEventBytes {
		x.end(LimitExceeded, "events exceed %d or %d bytes", x.limits.Events, x.limits.AllEventBytes)
	}
	x.events = append(x.events, Event{Topics: topics, Data: x.read(uint32(a[2]), dataLen)})
	return 0
}

// topics decodes the SCALE vector of 32-byte topics; no bytes at all are no topics.
func (x *execution) topics(b []byte) (topics [][]byte) {
	if len(b) == 0 {
		return nil
	}
	// A compact length below 64 is one byte with two zero bits; more topics are never allowed.
	if b[0]&3 != 0 || int(b[0]>>2) > x.limits.Topics {
		x.end(LimitExceeded, "event topics exceed %d", x.limits.Topics)
	}
	n := int(b[0] >> 2)
	if len(b) != 1+32*n {
		x.end(Trapped, "event topics are not %d hashes", n)
	}
	for rest := b[1:]; len(rest) > 0; rest = rest[32:] {
		topics = append(topics, append([]byte(nil), rest[:32]...))
	}
	return topics
}

func (x *execution) debugMessage(a []uint64) uint32 {
	n := uint32(a[1])
	x.pay(priceDebug, n)
	text := x.view(uint32(a[0]), n)
	if !utf8.Valid(text) {
		x.end(Trapped, "debug message is not UTF-8")
	}
	if room := x.limits.DebugBytes - len(x.debug); len(text) > room {
		for room > 0 && !utf8.RuneStart(text[room]) { // cut between characters
			room--
		}
		text = text[:room]
	}
	x.debug = append(x.debug, text...)
	return codeSuccess
}

func u128Bytes(v uint128.Uint128) []byte {
	b := make([]byte, 16)
	v.PutBytes(b)
	return b
}
