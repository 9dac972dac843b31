package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func id(n uint64) (c [32]byte) {
	binary.LittleEndian.PutUint64(c[:], n)
	return c
}

func small() Limits {
	return Limits{Entries: 4, Bytes: 4000, Total: 40000, Share: 4, Lifetime: time.Hour, Longest: 10 * time.Hour}
}

func want(t *testing.T, c *Cache, contract [32]byte, key, value string) {
	t.Helper()
	got, ok := c.Get(contract, []byte(key))
	if !ok || string(got) != value {
		t.Fatalf("%s: got %q, %v, want %q", key, got, ok, value)
	}
}

func absent(t *testing.T, c *Cache, contract [32]byte, key string) {
	t.Helper()
	if got, ok := c.Get(contract, []byte(key)); ok {
		t.Fatalf("%s: got %q, want nothing", key, got)
	}
}

func set(t *testing.T, c *Cache, contract [32]byte, key, value string) {
	t.Helper()
	if err := c.Set(contract, []byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestValuesAreTheContractsOwn(t *testing.T) {
	c := New(small(), nil)
	set(t, c, id(1), "k", "one")
	set(t, c, id(2), "k", "two")
	want(t, c, id(1), "k", "one")
	want(t, c, id(2), "k", "two")
	absent(t, c, id(3), "k")
	if v, ok := c.Remove(id(3), []byte("k")); ok {
		t.Fatalf("a stranger removed %q", v)
	}
	c.Expire(id(3), []byte("k"), 0)
	if v, ok := c.Remove(id(1), []byte("k")); !ok || string(v) != "one" {
		t.Fatalf("removed %q, %v", v, ok)
	}
	absent(t, c, id(1), "k")
	want(t, c, id(2), "k", "two")
}

func TestCopies(t *testing.T) {
	c := New(small(), nil)
	value := []byte("value")
	if err := c.Set(id(1), []byte("k"), value); err != nil {
		t.Fatal(err)
	}
	value[0] = 'X'
	got, _ := c.Get(id(1), []byte("k"))
	got[1] = 'X'
	want(t, c, id(1), "k", "value")
}

func TestExpiry(t *testing.T) {
	at := &clock{t: time.Unix(1000, 0)}
	c := New(small(), at.now)
	for _, v := range []struct {
		name    string
		expire  []uint64
		alive   time.Duration
		expired time.Duration
	}{
		{"default", nil, time.Hour - time.Nanosecond, time.Hour},
		{"shorter", []uint64{60}, time.Minute - time.Nanosecond, time.Minute},
		{"longer", []uint64{7200}, 2*time.Hour - time.Nanosecond, 2 * time.Hour},
		{"the last counts", []uint64{60, 120}, 2*time.Minute - time.Nanosecond, 2 * time.Minute},
		{"cut", []uint64{1 << 40}, 10*time.Hour - time.Nanosecond, 10 * time.Hour},
		{"no overflow", []uint64{1<<64 - 1}, 10*time.Hour - time.Nanosecond, 10 * time.Hour},
	} {
		t.Run(v.name, func(t *testing.T) {
			set(t, c, id(1), "k", "v")
			for _, s := range v.expire {
				c.Expire(id(1), []byte("k"), s)
			}
			at.pass(v.alive)
			want(t, c, id(1), "k", "v")
			at.pass(v.expired - v.alive)
			absent(t, c, id(1), "k")
			if n := c.Bytes(); n != 0 {
				t.Errorf("%d bytes are left", n)
			}
		})
	}
	set(t, c, id(1), "k", "v")
	c.Expire(id(1), []byte("k"), 0)
	absent(t, c, id(1), "k")
}

func TestSettingAnewRestartsTheLifetime(t *testing.T) {
	at := &clock{}
	c := New(small(), at.now)
	set(t, c, id(1), "k", "old")
	c.Expire(id(1), []byte("k"), 10)
	set(t, c, id(1), "k", "new")
	at.pass(time.Minute)
	want(t, c, id(1), "k", "new")
}

func TestQuotaOfAContract(t *testing.T) {
	at := &clock{}
	c := New(small(), at.now)
	for i := range 4 {
		set(t, c, id(1), fmt.Sprint(i), "v")
	}
	if err := c.Set(id(1), []byte("4"), nil); !errors.Is(err, ErrQuota) {
		t.Fatalf("a fifth entry: %v", err)
	}
	set(t, c, id(1), "3", "replaced")
	set(t, c, id(2), "0", "another's quota is untouched")
	if err := c.Set(id(3), []byte("k"), make([]byte, 4000-Overhead)); !errors.Is(err, ErrQuota) {
		t.Fatalf("one byte over: %v", err)
	}
	if err := c.Set(id(3), []byte("k"), make([]byte, 4000-Overhead-1)); err != nil {
		t.Fatalf("exactly the quota: %v", err)
	}
	at.pass(time.Hour)
	set(t, c, id(1), "4", "what has ended counts no more")
}

// TestAFailedSetLosesTheOldValue: a reader never takes an old value for the one that was refused.
func TestAFailedSetLosesTheOldValue(t *testing.T) {
	c := New(small(), nil)
	set(t, c, id(1), "k", "old")
	if err := c.Set(id(1), []byte("k"), make([]byte, 5000)); !errors.Is(err, ErrQuota) {
		t.Fatal(err)
	}
	absent(t, c, id(1), "k")
	if n := c.Bytes(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

// TestManyContractsCannotFillIt is the attack: contracts without number each take what they get. A newcomer still has
// room, and nobody lost anything.
func TestManyContractsCannotFillIt(t *testing.T) {
	l := Limits{Entries: 1000, Bytes: 64 << 10, Total: 1 << 20, Share: 16, Lifetime: time.Hour, Longest: time.Hour}
	c := New(l, nil)
	kept := map[[32]byte]int{}
	for n := range uint64(40) {
		for i := range 1000 {
			if c.Set(id(n), fmt.Append(nil, i), make([]byte, 100)) != nil {
				break
			}
			kept[id(n)]++
		}
	}
	if c.Bytes() > l.Total {
		t.Fatalf("%d bytes are over the total", c.Bytes())
	}
	if err := c.Set(id(1000), []byte("k"), make([]byte, 100)); err != nil {
		t.Fatalf("a newcomer has no room: %v", err)
	}
	for contract, n := range kept {
		for i := range n {
			if _, ok := c.Get(contract, fmt.Append(nil, i)); !ok {
				t.Fatalf("entry %d of %x was evicted", i, contract[:8])
			}
		}
	}
}

func TestAtTheSameTime(t *testing.T) {
	c := New(DefaultLimits(), nil)
	var wg sync.WaitGroup
	for n := range uint64(8) {
		wg.Go(func() {
			for i := range 500 {
				key := fmt.Append(nil, i%50)
				value := fmt.Append(nil, n, i)
				if err := c.Set(id(n), key, value); err != nil {
					t.Error(err)
				}
				if got, ok := c.Get(id(n), key); !ok || !bytes.Equal(got, value) {
					t.Errorf("got %q, want %q", got, value)
				}
				c.Expire(id(n), key, 100)
				if i%7 == 0 {
					c.Remove(id(n), key)
				}
			}
		})
	}
	wg.Wait()
}

// TestAgainstAModel compares with a map that knows no bounds, and counts.
func TestAgainstAModel(t *testing.T) {
	type full struct {
		contract [32]byte
		key      string
	}
	rapid.Check(t, func(t *rapid.T) {
		at := &clock{}
		l := small()
		c := New(l, at.now)
		type held struct {
			value string
			end   time.Time
		}
		model := map[full]held{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			k := full{id(rapid.Uint64Range(0, 4).Draw(t, "contract")), rapid.SampledFrom([]string{"", "a", "b", "c", "d", "e"}).Draw(t, "key")}
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				value := string(make([]byte, rapid.IntRange(0, 4100).Draw(t, "size")))
				delete(model, k)
				if c.Set(k.contract, []byte(k.key), []byte(value)) == nil {
					model[k] = held{value, at.now().Add(l.Lifetime)}
				}
			case 2:
				c.Remove(k.contract, []byte(k.key))
				delete(model, k)
			case 3:
				s := rapid.Uint64Range(0, 5000).Draw(t, "seconds")
				c.Expire(k.contract, []byte(k.key), s)
				if h, ok := model[k]; ok {
					h.end = at.now().Add(time.Duration(s) * time.Second)
					model[k] = h
				}
			case 4:
				at.pass(time.Duration(rapid.IntRange(0, 3000).Draw(t, "pass")) * time.Second)
			}
			used := 0
			for k, h := range model {
				if !h.end.After(at.now()) {
					delete(model, k)
					continue
				}
				used += len(k.key) + len(h.value) + Overhead
				if got, ok := c.Get(k.contract, []byte(k.key)); !ok || string(got) != h.value {
					t.Fatalf("%q: lost", k.key)
				}
			}
			c.Get(k.contract, nil)
			if c.Bytes() != used || used > l.Total || len(c.ends) != len(model) {
				t.Fatalf("%d bytes in %d entries, want %d in %d", c.Bytes(), len(c.ends), used, len(model))
			}
		}
	})
}
