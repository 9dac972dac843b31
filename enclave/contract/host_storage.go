package contract

// fixedKey is the key length of the oldest storage functions.
const fixedKey = 32

// storageKey reads a key into the execution's buffer, valid until the next one.
func (x *execution) storageKey(ptr, n uint32) []byte {
	if uint64(n) > uint64(x.limits.KeyBytes) {
		x.end(LimitExceeded, "storage key of %d bytes exceeds %d", n, x.limits.KeyBytes)
	}
	x.key = append(x.key[:0], x.view(ptr, n)...)
	return x.key
}

// found charges for a value that storage gave.
func (x *execution) found(p price, value []byte) { x.charge(p.byte * uint64(len(value))) }

func (x *execution) setStorage0(a []uint64) uint32 {
	return x.store(uint32(a[0]), fixedKey, uint32(a[1]), uint32(a[2]))
}

func (x *execution) setStorage(a []uint64) uint32 {
	return x.store(uint32(a[0]), uint32(a[1]), uint32(a[2]), uint32(a[3]))
}

// store sets a value and gives the length of the one it replaces, or the sentinel.
func (x *execution) store(keyPtr, keyLen, ptr, n uint32) uint32 {
	x.charge(priceSet.base + priceSet.byte*(uint64(keyLen)+uint64(n)))
	if uint64(n) > uint64(x.limits.ValueBytes) {
		x.end(LimitExceeded, "storage value of %d bytes exceeds %d", n, x.limits.ValueBytes)
	}
	key := x.storageKey(keyPtr, keyLen)
	value := x.read(ptr, n)
	size := sentinel
	if old, ok := x.storage.Get(key); ok {
		size = uint32(len(old))
	}
	x.storage.Set(append([]byte(nil), key...), value)
	return size
}

func (x *execution) clearStorage0(a []uint64) uint32 { return x.remove(uint32(a[0]), fixedKey) }

func (x *execution) clearStorage(a []uint64) uint32 { return x.remove(uint32(a[0]), uint32(a[1])) }

// remove deletes a key and gives the length of its value, or the sentinel.
func (x *execution) remove(keyPtr, keyLen uint32) uint32 {
	x.pay(priceDelete, keyLen)
	key := x.storageKey(keyPtr, keyLen)
	old, ok := x.storage.Get(key)
	if !ok {
		return sentinel
	}
	x.storage.Delete(key)
	return uint32(len(old))
}

func (x *execution) getStorage0(a []uint64) uint32 {
	return x.load(uint32(a[0]), fixedKey, uint32(a[1]), uint32(a[2]))
}

func (x *execution) getStorage(a []uint64) uint32 {
	return x.load(uint32(a[0]), uint32(a[1]), uint32(a[2]), uint32(a[3]))
}

func (x *execution) load(keyPtr, keyLen, out, outLen uint32) uint32 {
	x.pay(priceGet, keyLen)
	value, ok := x.storage.Get(x.storageKey(keyPtr, keyLen))
	if !ok {
		return codeKeyNotFound
	}
	x.found(priceGet, value)
	x.writeOut(out, outLen, value)
	return codeSuccess
}

func (x *execution) containsStorage0(a []uint64) uint32 { return x.contains(uint32(a[0]), fixedKey) }

func (x *execution) containsStorage(a []uint64) uint32 {
	return x.contains(uint32(a[0]), uint32(a[1]))
}

// contains gives the length of a key's value, or the sentinel.
func (x *execution) contains(keyPtr, keyLen uint32) uint32 {
	x.pay(priceContains, keyLen)
	value, ok := x.storage.Get(x.storageKey(keyPtr, keyLen))
	if !ok {
		return sentinel
	}
	return uint32(len(value))
}

func (x *execution) takeStorage(a []uint64) uint32 {
	keyLen := uint32(a[1])
	x.pay(priceDelete, keyLen)
	x.pay(priceGet, keyLen)
	key := x.storageKey(uint32(a[0]), keyLen)
	value, ok := x.storage.Get(key)
	if !ok {
		return codeKeyNotFound
	}
	x.found(priceGet, value)
	x.writeOut(uint32(a[2]), uint32(a[3]), value)
	x.storage.Delete(key)
	return codeSuccess
}
