package queue

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// Shelf is what is kept of a topic's bodies.
type Shelf struct {
	Lowest  uint64 // the lowest index whose body is kept
	Covered uint64 // of a cluster's topic: how many messages a finalized checkpoint covers
	Due     uint64 // the height at which pruning looks again, 0 while nothing can become due by time alone
}

// Scale visits the fields in order.
func (s *Shelf) Scale(c *scale.Codec) {
	c.U64(&s.Lowest)
	c.U64(&s.Covered)
	c.U64(&s.Due)
}

// Pruned says that the bodies of a topic below Lowest are gone.
type Pruned struct {
	Topic  wire.Topic
	Lowest uint64
}

func shelfKey(topic []byte) []byte { return append([]byte(prefixShelf), topic...) }

func dueKey(height uint64, topic []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte(prefixDue), height), topic...)
}

// after returns the height that lies so many blocks behind another, or the last height of all.
func after(height, blocks uint64) uint64 {
	if height > math.MaxUint64-blocks {
		return math.MaxUint64
	}
	return height + blocks
}

// shelve sees to it that a topic with a new body is looked at when that body, or an older one, has been kept long
// enough. A cluster's topic waits for [Queue.Cover] instead.
func (q Queue) shelve(topic wire.Topic, height, retention uint64) error {
	if topic.Variant == wire.TopicCluster {
		return nil
	}
	var s Shelf
	raw := topic.Bytes()
	if _, err := q.load(shelfKey(raw), &s); err != nil || s.Due != 0 {
		return err
	}
	return q.schedule(raw, &s, after(height, retention))
}

// schedule moves a topic's place among those that are due, and saves its shelf.
func (q Queue) schedule(topic []byte, s *Shelf, due uint64) error {
	if s.Due != 0 {
		if err := q.store.Delete(dueKey(s.Due, topic)); err != nil {
			return err
		}
	}
	s.Due = due
	if due != 0 {
		if err := q.store.Set(dueKey(due, topic), []byte{1}); err != nil {
			return err
		}
	}
	return q.saveShelf(topic, s)
}

func (q Queue) saveShelf(topic []byte, s *Shelf) error {
	return q.store.Set(shelfKey(topic), scale.MustMarshal(s))
}

// Cover takes note that a finalized checkpoint covers the first count messages of a cluster's topic, so that those old
// enough may go. A count below an earlier one changes nothing.
func (q Queue) Cover(cluster wire.ClusterID, count, height uint64) error {
	topic := wire.ClusterTopic(cluster).Bytes()
	var s Shelf
	if _, err := q.load(shelfKey(topic), &s); err != nil {
		return err
	}
	if count <= s.Covered {
		return nil
	}
	s.Covered = count
	if s.Due != 0 {
		return q.saveShelf(topic, &s)
	}
	return q.schedule(topic, &s, height)
}

// Prune deletes bodies that are due at a height, at most budget of them, and looks at no more topics than that. What
// it does not reach stays due. It returns the topics that have lost bodies.
func (q Queue) Prune(height, retention uint64, budget int) ([]Pruned, error) {
	topics, err := q.due(height, budget)
	if err != nil {
		return nil, err
	}
	var out []Pruned
	for _, topic := range topics {
		if budget == 0 {
			break
		}
		n, p, err := q.pruneTopic(topic, height, retention, budget)
		if err != nil {
			return nil, err
		}
		budget -= n
		if n > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}

// due returns the SCALE bytes of at most limit topics that are due, longest due first.
func (q Queue) due(height uint64, limit int) ([][]byte, error) {
	var topics [][]byte
	err := q.store.Ascend([]byte(prefixDue), dueKey(height+1, nil), func(key []byte) bool {
		topics = append(topics, append([]byte(nil), key[len(prefixDue)+8:]...))
		return len(topics) < limit
	})
	return topics, err
}

func (q Queue) pruneTopic(raw []byte, height, retention uint64, budget int) (int, Pruned, error) {
	var topic wire.Topic
	var s Shelf
	if err := scale.Unmarshal(raw, &topic); err != nil {
		return 0, Pruned{}, fmt.Errorf("%w: topic %x: %w", ErrCorrupt, raw, err)
	}
	if _, err := q.load(shelfKey(raw), &s); err != nil {
		return 0, Pruned{}, err
	}
	head, err := q.Head(topic)
	if err != nil {
		return 0, Pruned{}, err
	}
	limit := head.Count
	if topic.Variant == wire.TopicCluster {
		limit = min(limit, s.Covered)
	}
	deleted, due := 0, uint64(0)
	for s.Lowest < limit {
		_, at, err := q.digest(raw, s.Lowest)
		if err != nil {
			return 0, Pruned{}, err
		}
		if due = after(at, retention); due > height {
			break
		}
		if deleted == budget {
			due = height
			break
		}
		if err := q.drop(raw, s.Lowest); err != nil {
			return 0, Pruned{}, err
		}
		s.Lowest++
		deleted++
		due = 0
	}
	return deleted, Pruned{topic, s.Lowest}, q.schedule(raw, &s, due)
}

func (q Queue) drop(topic []byte, index uint64) error {
	if err := q.store.Delete(indexed(prefixMessage, topic, index)); err != nil {
		return err
	}
	return q.store.Delete(indexed(prefixDigest, topic, index))
}

// digest returns the digest of a kept message and the height at which it was appended.
func (q Queue) digest(topic []byte, index uint64) (wire.Hash, uint64, error) {
	raw, err := q.store.Get(indexed(prefixDigest, topic, index))
	if err != nil {
		return wire.Hash{}, 0, err
	}
	if len(raw) != 40 {
		return wire.Hash{}, 0, fmt.Errorf("%w: digest %d of topic %x", ErrCorrupt, index, topic)
	}
	return wire.Hash(raw[:32]), binary.BigEndian.Uint64(raw[32:]), nil
}
