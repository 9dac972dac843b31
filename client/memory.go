package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// place is what a client must not forget: the last nonce of an identity in a cluster, or the newest block of a cluster.
type place struct {
	nonce uint64 // an identity's: the last one used
	seen  uint64 // a cluster's: the block of the newest command whose receipt was seen, whoever signed it
}

// Scale visits the fields in order.
func (p *place) Scale(c *scale.Codec) {
	c.U64(&p.nonce)
	c.U64(&p.seen)
}

// memory keeps places: in files that other processes of the same user share, or for its own life where it has no
// directory. The files hold neither an identity nor a cluster: their names are hashes.
type memory struct {
	dir  string
	now  func() time.Time
	mu   sync.Mutex
	held map[string]place
}

// nonces reserves n nonces in a row and returns the first: Unix milliseconds, raised above the last one used.
func (m *memory) nonces(cluster wire.ClusterID, who wire.Identity, n int) (first uint64, err error) {
	err = m.change(fileName(cluster, scale.MustMarshal(&who)), func(p *place) {
		first = max(uint64(m.now().UnixMilli()), p.nonce+1)
		p.nonce = first + uint64(n) - 1
	})
	return first, err
}

// saw records the block of a command whose receipt was seen.
func (m *memory) saw(cluster wire.ClusterID, height uint64) error {
	return m.change(fileName(cluster, nil), func(p *place) { p.seen = max(p.seen, height) })
}

// seen returns the block of the newest command in a cluster whose receipt was seen. It is one for all signers: whoever
// uses this client has seen what one of them did, and must not be shown an older state to another.
func (m *memory) seen(cluster wire.ClusterID) (height uint64, err error) {
	err = m.change(fileName(cluster, nil), func(p *place) { height = p.seen })
	return height, err
}

func (m *memory) change(name string, f func(*place)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dir == "" {
		p := m.held[name]
		f(&p)
		m.held[name] = p
		return nil
	}
	if err := changeFile(filepath.Join(m.dir, name), f); err != nil {
		return fmt.Errorf("client: cache: %w", err)
	}
	return nil
}

func fileName(cluster wire.ClusterID, who []byte) string {
	h := sha256.Sum256(append(cluster[:], who...))
	return "place-" + hex.EncodeToString(h[:12])
}

// changeFile changes a place under a lock that other processes respect.
func changeFile(path string, f func(*place)) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }() // which gives the lock back
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(file, 1024))
	if err != nil {
		return err
	}
	var p place
	if len(b) > 0 {
		if err := scale.Unmarshal(b, &p); err != nil {
			return fmt.Errorf("%s is damaged; remove it", path)
		}
	}
	before := p
	f(&p)
	if p == before {
		return nil
	}
	_, err = file.WriteAt(scale.MustMarshal(&p), 0)
	return err
}
