package contract

// transient is the storage that lives as long as a call tree: a map with a journal to undo from. What is written counts
// against a bound for the whole tree, also where it replaces something, since the journal keeps what was replaced.
type transient struct {
	values  map[string][]byte
	journal []transientChange
	left    int
}

type transientChange struct {
	key string
	old []byte // nil: there was none
}

// transientMark is a place in the journal, and what was left there.
type transientMark struct{ changes, left int }

// transientOverhead is what an entry counts beside its key and value.
const transientOverhead = 64

func (s *transient) mark() transientMark { return transientMark{len(s.journal), s.left} }

func (s *transient) rollback(m transientMark) {
	for i := len(s.journal) - 1; i >= m.changes; i-- {
		c := s.journal[i]
		if c.old == nil {
			delete(s.values, c.key)
			continue
		}
		s.values[c.key] = c.old
	}
	s.journal, s.left = s.journal[:m.changes], m.left
}

func (s *transient) get(account [32]byte, key []byte) ([]byte, bool) {
	v, ok := s.values[string(account[:])+string(key)]
	return v, ok
}

// set stores a value, or reports that the tree has stored too much.
func (s *transient) set(account [32]byte, key, value []byte) bool {
	if !s.change(account, key, len(value)) {
		return false
	}
	s.values[string(account[:])+string(key)] = value
	return true
}

// remove deletes an entry that is there, or reports that the tree has stored too much.
func (s *transient) remove(account [32]byte, key []byte) bool {
	if !s.change(account, key, 0) {
		return false
	}
	delete(s.values, string(account[:])+string(key))
	return true
}

// change counts a change and writes it into the journal.
func (s *transient) change(account [32]byte, key []byte, size int) bool {
	path := string(account[:]) + string(key)
	size += len(path) + transientOverhead
	if size > s.left {
		return false
	}
	s.left -= size
	if s.values == nil {
		s.values = map[string][]byte{}
	}
	s.journal = append(s.journal, transientChange{path, s.values[path]})
	return true
}
