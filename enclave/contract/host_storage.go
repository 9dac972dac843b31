package contract

// fixedKey is the key length of the oldest storage functions.
const fixedKey = 32

// Kinds of keys, which are key spaces of their own: the first byte of each key that [Storage] sees.
const (
	keyFixed        = 'f' // of the oldest functions
	keyVariable     = 'v'
	keyDependencies = 'd' // the codes that the contract has locked, one entry
)

// keyAt reads a key of a kind into the execution's buffer, valid until the next one.
func (x *execution) keyAt(kind byte, ptr, n uint32) []byte {
	if uint64(n) > uint64(x.limits.KeyBytes) {
		x.end(LimitExceeded, "storage key of %d bytes exceeds %d", n, x.limits.KeyBytes)
	}
	x.key = append(append(x.key[:0], kind), x.view(ptr, n)...)
	return x.key
}

// boundValue ends the call if a value is too long, before anything is read.
func (x *execution) boundValue(n uint32) {
	if uint64(n) > uint64(x.limits.ValueBytes) {
		x.end(LimitExceeded, "storage value of %d bytes exceeds %d", n, x.limits.ValueBytes)
	}
}

// sizeOf gives the length of a value that was found, or the sentinel.
func sizeOf(value []byte, ok bool) uint64 {
	if !ok {
		return uint64(sentinel)
	}
	return uint64(len(value))
}

func (x *execution) setStorage0(a []uint64) uint64 {
	return x.store(keyFixed, uint32(a[0]), fixedKey, uint32(a[1]), uint32(a[2]))
}

func (x *execution) setStorage(a []uint64) uint64 {
	return x.store(keyVariable, uint32(a[0]), uint32(a[1]), uint32(a[2]), uint32(a[3]))
}

// store sets a value and gives the length of the one it replaces, or the sentinel.
func (x *execution) store(kind byte, keyPtr, keyLen, ptr, n uint32) uint64 {
	x.pay(keyLen)
	x.pay(n)
	x.boundValue(n)
	key := x.keyAt(kind, keyPtr, keyLen)
	value := x.read(ptr, n)
	size := sizeOf(x.t.storage.Get(x.account, key))
	x.t.storage.Set(x.account, append([]byte(nil), key...), value)
	return size
}

func (x *execution) clearStorage0(a []uint64) uint64 {
	return x.remove(keyFixed, uint32(a[0]), fixedKey)
}

func (x *execution) clearStorage(a []uint64) uint64 {
	return x.remove(keyVariable, uint32(a[0]), uint32(a[1]))
}

// remove deletes a key and gives the length of its value, or the sentinel.
func (x *execution) remove(kind byte, keyPtr, keyLen uint32) uint64 {
	x.pay(keyLen)
	key := x.keyAt(kind, keyPtr, keyLen)
	old, ok := x.t.storage.Get(x.account, key)
	size := sizeOf(old, ok)
	if ok {
		x.t.storage.Delete(x.account, key)
	}
	return size
}

func (x *execution) getStorage0(a []uint64) uint64 {
	return x.load(keyFixed, uint32(a[0]), fixedKey, uint32(a[1]), uint32(a[2]))
}

func (x *execution) getStorage(a []uint64) uint64 {
	return x.load(keyVariable, uint32(a[0]), uint32(a[1]), uint32(a[2]), uint32(a[3]))
}

func (x *execution) load(kind byte, keyPtr, keyLen, out, outLen uint32) uint64 {
	x.pay(keyLen)
	value, ok := x.t.storage.Get(x.account, x.keyAt(kind, keyPtr, keyLen))
	if !ok {
		return codeKeyNotFound
	}
	x.pay(uint32(len(value)))
	x.writeOut(out, outLen, value)
	return codeSuccess
}

func (x *execution) containsStorage0(a []uint64) uint64 {
	return x.contains(keyFixed, uint32(a[0]), fixedKey)
}

func (x *execution) containsStorage(a []uint64) uint64 {
	return x.contains(keyVariable, uint32(a[0]), uint32(a[1]))
}

// contains gives the length of a key's value, or the sentinel.
func (x *execution) contains(kind byte, keyPtr, keyLen uint32) uint64 {
	x.pay(keyLen)
	return sizeOf(x.t.storage.Get(x.account, x.keyAt(kind, keyPtr, keyLen)))
}

func (x *execution) takeStorage(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	key := x.keyAt(keyVariable, uint32(a[0]), uint32(a[1]))
	value, ok := x.t.storage.Get(x.account, key)
	if !ok {
		return codeKeyNotFound
	}
	x.pay(uint32(len(value)))
	x.writeOut(uint32(a[2]), uint32(a[3]), value)
	x.t.storage.Delete(x.account, key)
	return codeSuccess
}
