package pink

import (
	"github.com/phalanx-network/phalanx/crypto/scale"
)

// statusQuota is StorageQuotaExceeded.
const statusQuota = 1

// stored is the result of cache_set: the status, and as output Result<(), StorageQuotaExceeded> itself. Contracts of pink
// 0.1 read the output; later ones go by the status and read no further.
func stored(fits bool) (uint32, []byte, error) {
	if fits {
		return 0, []byte{0}, nil
	}
	return statusQuota, []byte{1}, nil
}

// key decodes the argument of a function that takes a key alone.
func (c *call) key() (key []byte, err error) {
	err = c.arguments(func(s *scale.Codec) { s.Bytes(&key, MaxInput) })
	return key, err
}

// afterCommit has a change of the cache made once the command is durable. What is over MaxPending in one command is
// dropped: the count is the same on every worker, and no result shows it.
func (c *call) afterCommit(size int, change func()) {
	t := c.tree()
	if t.pending+size > MaxPending {
		return
	}
	t.pending += size
	c.env.AfterCommit(change)
}

// changeOverhead is what a change waiting for the commit counts beside its bytes.
const changeOverhead = 128

func (c *call) cacheSet() (uint32, []byte, error) {
	var key, value []byte
	if err := c.arguments(func(s *scale.Codec) { s.Bytes(&key, MaxInput); s.Bytes(&value, MaxInput) }); err != nil {
		return 0, nil, err
	}
	store, contract := c.config.Cache, c.env.Contract()
	if c.env.Command() {
		// Whether it fits is this worker's affair: a command that saw it would come out otherwise elsewhere.
		c.afterCommit(len(key)+len(value)+changeOverhead, func() { _ = store.Set(contract, key, value) })
		return stored(true)
	}
	return stored(store.Set(contract, key, value) == nil)
}

func (c *call) cacheSetExpiration() (uint32, []byte, error) {
	var (
		key     []byte
		seconds uint64
	)
	if err := c.arguments(func(s *scale.Codec) { s.Bytes(&key, MaxInput); s.U64(&seconds) }); err != nil {
		return 0, nil, err
	}
	store, contract := c.config.Cache, c.env.Contract()
	expire := func() { store.Expire(contract, key, seconds) }
	if c.env.Command() {
		c.afterCommit(len(key)+changeOverhead, expire)
		return nothing()
	}
	expire()
	return nothing()
}

func (c *call) cacheGet() (uint32, []byte, error) {
	key, err := c.key()
	if err != nil {
		return 0, nil, err
	}
	if c.env.Command() {
		return optional(nil, false)
	}
	value, ok := c.config.Cache.Get(c.env.Contract(), key)
	c.env.Charge(priceCachedByte * uint64(len(value)))
	return optional(value, ok)
}

func (c *call) cacheRemove() (uint32, []byte, error) {
	key, err := c.key()
	if err != nil {
		return 0, nil, err
	}
	store, contract := c.config.Cache, c.env.Contract()
	if c.env.Command() {
		c.afterCommit(len(key)+changeOverhead, func() { store.Remove(contract, key) })
		return optional(nil, false)
	}
	value, ok := store.Remove(contract, key)
	c.env.Charge(priceCachedByte * uint64(len(value)))
	return optional(value, ok)
}
