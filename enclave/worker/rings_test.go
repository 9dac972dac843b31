package worker

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// counted is randomness that counts how often it is asked.
type counted struct {
	reads int
	err   error
}

func (c *counted) Read(b []byte) (int, error) {
	c.reads++
	if c.err != nil {
		return 0, c.err
	}
	return rand.Read(b)
}

// readsPerEntry is how often sealing one entry asks for randomness: for its key and for its IV.
const readsPerEntry = 2

func owner(t testing.TB) wire.Identity {
	t.Helper()
	key, err := sr25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Sr25519Identity(key.Public())
}

// saying is what a contract says in one call, in so many bytes.
func saying(of wire.Identity, contract uint16, command bool, bytes int) said {
	b := wire.LogBatch{Contract: wire.ContractID{1, byte(contract), byte(contract >> 8)}, Command: command}
	for ; bytes > 0; bytes -= wire.MaxLogLine {
		b.Lines = append(b.Lines, wire.LogLine{Level: wire.LogInfo, Text: strings.Repeat("x", min(bytes, wire.MaxLogLine))})
	}
	return said{of, b}
}

func id(contract uint16) wire.ContractID {
	return saying(wire.Identity{}, contract, false, 0).batch.Contract
}

// held gives the sequence numbers of all that is kept of a contract.
func held(t testing.TB, l *logs, contract uint16) (numbers []uint64) {
	t.Helper()
	for since := uint64(0); ; {
		reply := l.since(id(contract), since)
		if len(reply.Entries) == 0 {
			return numbers
		}
		for _, e := range reply.Entries {
			if e.Sequence < since || e.Sequence < reply.First || e.Sequence >= reply.Next {
				t.Fatalf("entry %d since %d, of %d to %d", e.Sequence, since, reply.First, reply.Next)
			}
			numbers = append(numbers, e.Sequence)
			since = e.Sequence + 1
		}
	}
}

func add(t testing.TB, l *logs, all ...said) {
	t.Helper()
	if err := l.add(all); err != nil {
		t.Fatal(err)
	}
}

// A worker that catches up encrypts what it keeps, not all that was ever said.
func TestCatchUpSealsWhatIsKept(t *testing.T) {
	of := owner(t)
	for _, c := range []struct {
		what           string
		bytes, entries int
	}{{"many small", 20, maxShelfEntries}, {"many large", wire.MaxLogBytes - 40, 6}} {
		random := &counted{}
		l := newLogs(wire.ChainUID{1}, random)
		var all []said
		for range 5000 {
			all = append(all, saying(of, 1, true, c.bytes))
		}
		add(t, l, all...)
		numbers := held(t, l, 1)
		if random.reads != readsPerEntry*len(numbers) || len(numbers) < c.entries || len(numbers) > maxShelfEntries {
			t.Errorf("%s: %d reads of randomness for %d entries", c.what, random.reads, len(numbers))
		}
		for i, n := range numbers {
			if n != uint64(5000-len(numbers)+i) {
				t.Fatalf("%s: the numbers are %v", c.what, numbers)
			}
		}
	}
}

// Queries cost nothing, so anybody can have a contract log in as many as he likes: what its commands said stays.
func TestQueriesDropNoCommands(t *testing.T) {
	of := owner(t)
	l := newLogs(wire.ChainUID{1}, rand.Reader)
	add(t, l, saying(of, 1, true, 100), saying(of, 1, true, 100))
	for range 3 * maxShelfEntries {
		add(t, l, saying(of, 1, false, 4000))
	}
	numbers := held(t, l, 1)
	if len(numbers) < 20 || numbers[0] != 0 || numbers[1] != 1 || numbers[len(numbers)-1] != 3*maxShelfEntries+1 {
		t.Fatalf("kept are %v", numbers)
	}
	if l.bytes > 2*maxShelfBytes {
		t.Errorf("%d bytes are kept", l.bytes)
	}
}

// However many contracts make noise, one that says little keeps it.
func TestNoiseCostsTheNoisy(t *testing.T) {
	of := owner(t)
	l := newLogs(wire.ChainUID{1}, rand.Reader)
	add(t, l, saying(of, 0, true, 3000), saying(of, 0, false, 3000))
	for noisy := uint16(1); noisy <= 300; noisy++ {
		for range 8 {
			add(t, l, saying(of, noisy, true, 16000), saying(of, noisy, false, 16000))
		}
		if l.bytes > maxClusterLogs {
			t.Fatalf("%d bytes are kept", l.bytes)
		}
	}
	if l.bytes < maxClusterLogs-32<<10 {
		t.Errorf("only %d bytes are kept", l.bytes)
	}
	if n := held(t, l, 0); len(n) != 2 {
		t.Errorf("of the quiet contract are kept %v", n)
	}
	for _, noisy := range []uint16{1, 150, 300} {
		if n := held(t, l, noisy); len(n) == 0 || n[len(n)-1] != 15 {
			t.Errorf("of noisy contract %d are kept %v", noisy, n)
		}
	}
}

// No contract is ever given a number twice, also where all it had was dropped in between; what is kept is bounded, and
// the accounts of it are right, whatever comes in which order.
func TestRingsProperty(t *testing.T) {
	of := owner(t)
	rapid.Check(t, func(t *rapid.T) {
		l := newLogs(wire.ChainUID{1}, rand.Reader)
		next := map[uint16]uint64{}
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			var all []said
			for range rapid.IntRange(1, 5).Draw(t, "calls") {
				all = append(all, saying(of, rapid.Uint16Range(0, 5).Draw(t, "contract"), rapid.Bool().Draw(t, "command"),
					rapid.SampledFrom([]int{0, 10, 1000, 16000}).Draw(t, "bytes")))
			}
			if err := l.add(all); err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(0, 4).Draw(t, "drops") {
				if len(l.rings) > 0 {
					l.dropOne()
				}
			}
			bytes := 0
			for _, r := range l.byID {
				for _, s := range []*shelf{&r.commands, &r.queries} {
					n := 0
					for i := range s.entries {
						n += entrySize(&s.entries[i])
					}
					if n != s.bytes || n > maxShelfBytes || len(s.entries) > maxShelfEntries {
						t.Fatalf("%d entries of %d bytes count %d", len(s.entries), n, s.bytes)
					}
					bytes += n
				}
				if l.rings[r.at] != r || r.bytes() > l.rings[0].bytes() || r.bytes() == 0 {
					t.Fatal("the order by size is broken")
				}
			}
			if bytes != l.bytes || len(l.rings) != len(l.byID) {
				t.Fatalf("%d bytes count %d", bytes, l.bytes)
			}
			for contract := range uint16(6) {
				now := l.since(id(contract), 0).Next
				if now < next[contract] {
					t.Fatalf("numbers of contract %d go back from %d to %d", contract, next[contract], now)
				}
				next[contract] = now
			}
		}
	})
}

// Randomness that fails is an error, and what was said before stays.
func TestLogsWithoutRandomness(t *testing.T) {
	of, random := owner(t), &counted{}
	l := newLogs(wire.ChainUID{1}, random)
	add(t, l, saying(of, 1, true, 10))
	random.err = errors.New("no randomness")
	if err := l.add([]said{saying(of, 2, true, 10), saying(of, 1, true, 10)}); !errors.Is(err, random.err) {
		t.Errorf("%v", err)
	}
	for contract, want := range map[uint16]int{1: 1, 2: 0} {
		if n := held(t, l, contract); len(n) != want {
			t.Errorf("kept of contract %d are %v", contract, n)
		}
	}
	random.err = nil
	if err := l.add([]said{saying(of, 2, true, 10)}); err != nil || len(held(t, l, 2)) != 1 {
		t.Errorf("afterwards: %v", err)
	}
}

func BenchmarkLog(b *testing.B) {
	of := owner(b)
	l := newLogs(wire.ChainUID{1}, rand.Reader)
	for b.Loop() {
		add(b, l, saying(of, 1, true, 40))
	}
}
