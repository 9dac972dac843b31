package contract

import "bytes"

func (x *execution) setTransient(a []uint64) uint64 {
	n := uint32(a[3])
	x.pay(uint32(a[1]))
	x.pay(n)
	x.boundValue(n)
	key := x.keyAt(keyVariable, uint32(a[0]), uint32(a[1]))
	value := x.read(uint32(a[2]), n)
	old, ok := x.t.transient.get(x.account, key)
	size := sizeOf(old, ok)
	if ok && bytes.Equal(old, value) {
		return size
	}
	x.demand(x.t.transient.set(x.account, key, value))
	return size
}

// demand ends the call where the call tree has written too much into transient storage.
func (x *execution) demand(room bool) {
	if !room {
		x.end(LimitExceeded, "transient storage of one call exceeds %d bytes", x.limits.TransientBytes)
	}
}

func (x *execution) clearTransient(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	key := x.keyAt(keyVariable, uint32(a[0]), uint32(a[1]))
	old, ok := x.t.transient.get(x.account, key)
	if ok {
		x.demand(x.t.transient.remove(x.account, key))
	}
	return sizeOf(old, ok)
}

func (x *execution) getTransient(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	value, ok := x.t.transient.get(x.account, x.keyAt(keyVariable, uint32(a[0]), uint32(a[1])))
	if !ok {
		return codeKeyNotFound
	}
	x.pay(uint32(len(value)))
	x.writeOut(uint32(a[2]), uint32(a[3]), value)
	return codeSuccess
}

func (x *execution) containsTransient(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	return sizeOf(x.t.transient.get(x.account, x.keyAt(keyVariable, uint32(a[0]), uint32(a[1]))))
}

func (x *execution) takeTransient(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	key := x.keyAt(keyVariable, uint32(a[0]), uint32(a[1]))
	value, ok := x.t.transient.get(x.account, key)
	if !ok {
		return codeKeyNotFound
	}
	x.pay(uint32(len(value)))
	x.writeOut(uint32(a[2]), uint32(a[3]), value)
	x.demand(x.t.transient.remove(x.account, key))
	return codeSuccess
}
