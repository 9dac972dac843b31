package pink

import (
	"testing"

	"github.com/phalanx-network/phalanx/enclave/contract/pink/cache"
)

func TestCacheInQueries(t *testing.T) {
	x, _ := worker(t)
	env := query()
	gives(t, x, env, "cache_get", args("cache_get"), 0, wanted("none"))
	gives(t, x, env, "cache_set", args("cache_set"), 0, []byte{0})
	gives(t, x, env, "cache_get", args("cache_get"), 0, wanted("some"))
	stranger := query()
	stranger.contract = [32]byte{2}
	gives(t, x, stranger, "cache_get", args("cache_get"), 0, wanted("none"))
	gives(t, x, stranger, "cache_remove", args("cache_remove"), 0, wanted("none"))
	gives(t, x, env, "cache_remove", args("cache_remove"), 0, wanted("some"))
	gives(t, x, env, "cache_remove", args("cache_remove"), 0, wanted("none"))
	gives(t, x, env, "cache_set", args("cache_set"), 0, []byte{0})
	gives(t, x, env, "cache_set_expiration", args("cache_set_expiration"), 0, nil)
	gives(t, x, env, "cache_get", args("cache_get"), 0, wanted("some"))
	gives(t, x, env, "cache_set_expiration", append(args("cache_get"), make([]byte, 8)...), 0, nil)
	gives(t, x, env, "cache_get", args("cache_get"), 0, wanted("none"))
	gives(t, x, env, "cache_set", join(vec([]byte("empty")), vec(nil)), 0, []byte{0})
	gives(t, x, env, "cache_get", vec([]byte("empty")), 0, []byte{1, 0})
	if len(env.commits) != 0 {
		t.Error("a query left work for a commit")
	}
}

func TestCacheQuota(t *testing.T) {
	x, _ := worker(t)
	big := join(vec([]byte("key")), vec(make([]byte, cache.DefaultLimits().Bytes)))
	gives(t, x, query(), "cache_set", big, statusQuota, []byte{1})
	// A command is not told: it would come out otherwise where the cache has more room.
	gives(t, x, command(), "cache_set", big, 0, []byte{0})
}

// TestCacheInCommands: nothing is read, and nothing written before the command is durable.
func TestCacheInCommands(t *testing.T) {
	x, _ := worker(t)
	env := command()
	has := func(want string) {
		t.Helper()
		gives(t, x, query(), "cache_get", args("cache_get"), 0, wanted(want))
		gives(t, x, env, "cache_get", args("cache_get"), 0, wanted("none"))
	}
	gives(t, x, env, "cache_set", args("cache_set"), 0, []byte{0})
	has("none")
	env.commit()
	has("some")
	gives(t, x, env, "cache_remove", args("cache_remove"), 0, wanted("none"))
	has("some")
	env.commit()
	has("none")
	gives(t, x, env, "cache_set", args("cache_set"), 0, []byte{0})
	gives(t, x, env, "cache_set_expiration", append(args("cache_get"), make([]byte, 8)...), 0, nil)
	env.commit()
	has("none")
	gives(t, x, env, "cache_set", args("cache_set"), 0, []byte{0})
	env.commits = nil // rolled back
	env.commit()
	has("none")
}

// TestTheInputIsOnlyLent: the contract's memory changes before the commit.
func TestTheInputIsOnlyLent(t *testing.T) {
	x, _ := worker(t)
	env, input := command(), args("cache_set")
	gives(t, x, env, "cache_set", input, 0, []byte{0})
	clear(input)
	env.commit()
	gives(t, x, query(), "cache_get", args("cache_get"), 0, wanted("some"))
}

// TestPendingIsBounded is the attack: a command hands the cache more than a worker should hold until the commit.
func TestPendingIsBounded(t *testing.T) {
	x, _ := worker(t)
	env := command()
	for range 10000 {
		gives(t, x, env, "cache_set", join(vec([]byte("key")), vec(make([]byte, 1000))), 0, []byte{0})
		gives(t, x, env, "cache_remove", vec(nil), 0, wanted("none"))
	}
	if n := len(env.commits) * (1000 + changeOverhead) / 2; n > 2*MaxPending || n == 0 {
		t.Errorf("%d changes wait", len(env.commits))
	}
}
