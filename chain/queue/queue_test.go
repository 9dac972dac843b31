package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/chain/queue"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// memory is a store that counts how many keys a walk has visited.
type memory struct {
	entries map[string][]byte
	visited int
}

func newMemory() *memory { return &memory{entries: make(map[string][]byte)} }

func (m *memory) Get(key []byte) ([]byte, error) { return m.entries[string(key)], nil }

func (m *memory) Set(key, value []byte) error {
	m.entries[string(key)] = slices.Clone(value)
	return nil
}

func (m *memory) Delete(key []byte) error {
	delete(m.entries, string(key))
	return nil
}

func (m *memory) Ascend(start, end []byte, visit func([]byte) bool) error {
	var keys []string
	for k := range m.entries {
		if k >= string(start) && k < string(end) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		m.visited++
		if !visit([]byte(k)) {
			return nil
		}
	}
	return nil
}

func identity(tb testing.TB, i byte) sr25519.PublicKey {
	tb.Helper()
	mini := make([]byte, 32)
	mini[0] = i + 1
	key, err := sr25519.FromMiniSecret(mini)
	if err != nil {
		tb.Fatal(err)
	}
	return key.Public()
}

func check(tb interface{ Fatal(...any) }, err error) {
	if err != nil {
		tb.Fatal(err)
	}
}

// follow returns the head over messages' bytes and the digests after them, as an enclave computes it.
func follow(t interface{ Fatal(...any) }, head wire.Head, messages [][]byte, digests []wire.Hash) wire.Head {
	for _, raw := range messages {
		var m wire.Message
		check(t, scale.Unmarshal(raw, &m))
		d, err := m.Digest()
		check(t, err)
		head = head.Next(d)
	}
	for _, d := range digests {
		head = head.Next(d)
	}
	return head
}

// topicModel is what a topic must hold.
type topicModel struct {
	heads   []wire.Head // after each message
	heights []uint64
	covered uint64
}

func (m *topicModel) head(n uint64) wire.Head {
	if n == 0 {
		return wire.Head{}
	}
	return m.heads[n-1]
}

// TestModel runs random operations beside a model: heads are chained by wire's rule over what pages return, bodies stay
// as long as they must and are gone once they may be, and never is more pruned than the budget.
func TestModel(t *testing.T) {
	pks := []sr25519.PublicKey{identity(t, 0), identity(t, 1)}
	rapid.Check(t, func(t *rapid.T) {
		store := newMemory()
		q := queue.Over(store)
		topics := []wire.Topic{
			wire.ClusterTopic(wire.ClusterID{1}), wire.ClusterTopic(wire.ClusterID{2}),
			wire.EntityTopic(pks[0]), wire.EntityTopic(pks[1]), wire.GatekeepersTopic(),
		}
		models := make([]topicModel, len(topics))
		height, retention := uint64(1), uint64(rapid.IntRange(0, 5).Draw(t, "retention"))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, len(topics)-1).Draw(t, "topic")
			m := &models[i]
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0, 1:
				msg := wire.Message{Height: height, Time: height * 500, Topic: topics[i],
					Payload: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "payload")}
				added, err := q.Append(&msg, retention)
				check(t, err)
				d, err := msg.Digest()
				check(t, err)
				if added.Index != uint64(len(m.heads)) || added.Head != m.head(added.Index).Next(d) {
					t.Fatalf("append gave %+v", added)
				}
				m.heads = append(m.heads, added.Head)
				m.heights = append(m.heights, height)
			case 2:
				if topics[i].Variant == wire.TopicCluster {
					count := uint64(rapid.IntRange(0, len(m.heads)).Draw(t, "count"))
					check(t, q.Cover(topics[i].Cluster, count, height))
					m.covered = max(m.covered, count)
				}
			case 3:
				height++
				budget := rapid.IntRange(1, 10).Draw(t, "budget")
				before := len(store.entries)
				_, err := q.Prune(height, retention, budget)
				check(t, err)
				if before-len(store.entries) > 2*budget+len(topics) {
					t.Fatalf("budget %d, entries %d to %d", budget, before, len(store.entries))
				}
			case 4:
				compare(t, q, topics[i], m, height, retention)
			}
		}
		// With time and budget, all that may go is gone.
		for range 100 {
			height++
			_, err := q.Prune(height, retention, 1000)
			check(t, err)
		}
		for i := range topics {
			lowest, err := q.Lowest(topics[i])
			check(t, err)
			want := uint64(len(models[i].heads))
			if topics[i].Variant == wire.TopicCluster {
				want = models[i].covered
			}
			if lowest != want {
				t.Fatalf("topic %d: lowest %d, want %d", i, lowest, want)
			}
		}
		for key := range store.entries {
			if err := queue.CheckRecord([]byte(key), store.entries[key]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func compare(t *rapid.T, q queue.Queue, topic wire.Topic, m *topicModel, height, retention uint64) {
	head, err := q.Head(topic)
	check(t, err)
	count := uint64(len(m.heads))
	if head != m.head(count) {
		t.Fatalf("head %+v", head)
	}
	lowest, err := q.Lowest(topic)
	check(t, err)
	for i := range lowest {
		if m.heights[i]+retention > height || (topic.Variant == wire.TopicCluster && i >= m.covered) {
			t.Fatalf("message %d is gone too early", i)
		}
	}
	if lowest > 0 {
		if _, err := q.Page(topic, lowest-1, 0, 0); !errors.Is(err, queue.ErrPruned) {
			t.Fatalf("page below the lowest: %v", err)
		}
	}
	from := lowest + uint64(rapid.IntRange(0, int(count-lowest)).Draw(t, "from"))
	until := from + uint64(rapid.IntRange(0, int(count-from)).Draw(t, "until"))
	page, err := q.Page(topic, from, until, uint64(rapid.IntRange(1, 200).Draw(t, "bytes")))
	check(t, err)
	if until == 0 {
		until = count
	}
	if got := follow(t, m.head(from), page.Messages, page.Digests); got != m.head(until) {
		t.Fatalf("page %d to %d leads to %+v", from, until, got)
	}
	if from < until && len(page.Messages) == 0 {
		t.Fatal("a page without a body")
	}
}

func TestPageBounds(t *testing.T) {
	q := queue.Over(newMemory())
	topic := wire.GatekeepersTopic()
	for range 5 {
		_, err := q.Append(&wire.Message{Topic: topic, Payload: make([]byte, 100)}, 10)
		check(t, err)
	}
	for _, c := range []struct {
		from, until, bytes uint64
		messages, digests  int
		err                error
	}{
		{0, 0, 0, 5, 0, nil},
		{0, 0, 1, 1, 4, nil},
		{0, 3, 1, 1, 2, nil},
		{2, 0, 300, 2, 1, nil},
		{5, 0, 0, 0, 0, nil},
		{6, 0, 0, 0, 0, queue.ErrBeyond},
		{0, 6, 0, 0, 0, queue.ErrBeyond},
		{3, 2, 0, 0, 0, queue.ErrBeyond},
	} {
		page, err := q.Page(topic, c.from, c.until, c.bytes)
		if !errors.Is(err, c.err) || len(page.Messages) != c.messages || len(page.Digests) != c.digests {
			t.Errorf("%+v: %d messages, %d digests, %v", c, len(page.Messages), len(page.Digests), err)
		}
	}
}

// TestPruneCost: what a block pays grows with what is due, not with what is stored.
func TestPruneCost(t *testing.T) {
	store := newMemory()
	q := queue.Over(store)
	for i := range 200 {
		topic := wire.ClusterTopic(wire.ClusterID{byte(i), 1})
		for range 10 {
			_, err := q.Append(&wire.Message{Height: 1, Topic: topic}, 1)
			check(t, err)
		}
	}
	store.visited = 0
	for h := uint64(1); h < 100; h++ {
		_, err := q.Prune(h, 1, 1000)
		check(t, err)
	}
	if store.visited != 0 {
		t.Fatalf("%d entries were visited though nothing is covered", store.visited)
	}
	check(t, q.Cover(wire.ClusterID{3, 1}, 4, 100))
	pruned, err := q.Prune(100, 1, 1000)
	check(t, err)
	if len(pruned) != 1 || pruned[0].Lowest != 4 || store.visited != 1 {
		t.Fatalf("pruned %+v after %d visits", pruned, store.visited)
	}
}

func TestPruneSaturates(t *testing.T) {
	q := queue.Over(newMemory())
	topic := wire.GatekeepersTopic()
	_, err := q.Append(&wire.Message{Height: 5, Topic: topic}, ^uint64(0))
	check(t, err)
	pruned, err := q.Prune(1_000_000, ^uint64(0), 10)
	check(t, err)
	if len(pruned) != 0 {
		t.Fatal("a retention without end has ended")
	}
}

func TestAccept(t *testing.T) {
	q := queue.Over(newMemory())
	old, now := wire.Incarnation{1}, wire.Incarnation{2}
	pk := identity(t, 0)
	for i, c := range []struct {
		incarnation, newest wire.Incarnation
		sequence            uint64
		fresh               bool
		err                 error
	}{
		{old, old, 1, false, queue.ErrGap},
		{old, old, 0, true, nil},
		{old, old, 0, false, nil},
		{old, old, 1, true, nil},
		{old, old, ^uint64(0), false, queue.ErrGap},
		{old, now, 2, false, queue.ErrIncarnation},
		{now, now, 2, false, queue.ErrGap},
		{now, now, 0, true, nil},
		{now, now, 0, false, nil},
		{old, now, 0, false, queue.ErrIncarnation},
		{now, now, 1, true, nil},
	} {
		m := wire.EnclaveMessage{Identity: pk, Incarnation: c.incarnation, Sequence: c.sequence}
		fresh, err := q.Accept(&m, c.newest)
		if fresh != c.fresh || !errors.Is(err, c.err) {
			t.Errorf("step %d: %v, %v", i, fresh, err)
		}
	}
}

func TestCorrupt(t *testing.T) {
	store := newMemory()
	q := queue.Over(store)
	topic := wire.GatekeepersTopic()
	check(t, store.Set([]byte(wire.KeyHead(topic).Key), []byte{1, 2, 3}))
	if _, err := q.Head(topic); !errors.Is(err, queue.ErrCorrupt) {
		t.Fatal(err)
	}
	for _, key := range []string{"", "head", "head/", "head/\x09", "nothing/x", "message/\x02", "due/1234567", "sequence/1"} {
		if err := queue.CheckRecord([]byte(key), nil); !errors.Is(err, queue.ErrCorrupt) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func FuzzParseTopic(f *testing.F) {
	f.Add("02")
	f.Add("0x00" + fmt.Sprintf("%064x", 7))
	f.Add("01" + fmt.Sprintf("%064x", 0))
	f.Fuzz(func(t *testing.T, text string) {
		topic, err := queue.ParseTopic(text)
		if err != nil {
			return
		}
		again, err := queue.ParseTopic(queue.TopicText(topic))
		if err != nil || again != topic {
			t.Fatalf("%+v became %+v: %v", topic, again, err)
		}
	})
}

func FuzzCheckPost(f *testing.F) {
	f.Add(true, []byte{9})
	f.Add(false, scale.MustMarshal(&wire.Body{Kind: wire.BodyMark, Mark: &wire.Mark{Number: 1}}))
	f.Fuzz(func(t *testing.T, gatekeeper bool, payload []byte) {
		// The gatekeepers' topic takes nothing but a worker's KeyRequest.
		err := queue.CheckPost(gatekeeper, &wire.Post{Topic: wire.GatekeepersTopic(), Payload: payload})
		var body wire.Body
		allowed := !gatekeeper && scale.Unmarshal(payload, &body) == nil && body.Kind == wire.BodyKeyRequest
		if err == nil && !allowed {
			t.Fatalf("%x was let in", payload)
		}
	})
}
