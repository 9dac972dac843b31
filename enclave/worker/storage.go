package worker

import (
	"fmt"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of what one call does.
const (
	// maxCallWrites bounds the bytes that one call writes, keys included, so that the effects of a message always fit into
	// a batch of the state's log.
	maxCallWrites = 8 << 20
	// maxCallContracts bounds the contracts that one call makes.
	maxCallContracts = 64
	// entryOverhead is what an entry counts beside its key and value.
	entryOverhead = 64
)

// storage is the cluster's state as the engine sees it during one call. An error of the overlay is a fault of this
// program, never of the contract: the engine's bounds are below the overlay's. What is written beyond maxCallWrites is
// dropped, and the call then ends with status limit, whatever it returns.
type storage struct {
	cluster wire.ClusterID
	o       *state.Overlay // the innermost transaction
	outer   []transaction
	written int
	made    uint64 // contracts of the cluster, those of this call among them
	first   uint64 // the same before the call
	index   uint64 // of the message in its topic
	// secret derives the secret of a contract that this call makes.
	secret func(id wire.ContractID) ([32]byte, error)
}

// transaction is what a rollback returns to.
type transaction struct {
	o    *state.Overlay
	made uint64
}

func (s *storage) over() bool { return s.written > maxCallWrites }

func (s *storage) count(n int) bool {
	if !s.over() {
		s.written += n + entryOverhead
	}
	return !s.over()
}

// Get reads an entry of a contract.
func (s *storage) Get(id [32]byte, key []byte) ([]byte, bool) { return s.o.Get(id, key) }

// Set writes an entry of a contract.
func (s *storage) Set(id [32]byte, key, value []byte) {
	if s.count(len(key) + len(value)) {
		must(s.o.Set(id, key, value))
	}
}

// Delete removes an entry of a contract.
func (s *storage) Delete(id [32]byte, key []byte) {
	if s.count(len(key)) {
		must(s.o.Delete(id, key))
	}
}

// Balance reads the ledger.
func (s *storage) Balance(account [32]byte) uint128.Uint128 {
	v, err := balance(s.o, account)
	must(err)
	return v
}

// Transfer moves money within the ledger.
func (s *storage) Transfer(from, to [32]byte, v uint128.Uint128) error {
	if !s.count(2 * len(to)) {
		// Dropped as every other write is. An error would be the contract's to see here, but a fault of this program where
		// the engine hands over what a terminated contract holds.
		return nil
	}
	return transfer(s.o, from, to, v)
}

// Begin opens a transaction.
func (s *storage) Begin() {
	s.outer = append(s.outer, transaction{s.o, s.made})
	s.o = s.o.Begin()
}

// Commit keeps what the innermost transaction did.
func (s *storage) Commit() {
	must(s.o.Commit())
	s.o = s.close().o
}

// Rollback undoes it.
func (s *storage) Rollback() {
	t := s.close()
	s.o, s.made = t.o, t.made
}

func (s *storage) close() transaction {
	last := len(s.outer) - 1
	t := s.outer[last]
	s.outer = s.outer[:last]
	return t
}

// CodeHash says which code an account runs, if it is a contract of the cluster.
func (s *storage) CodeHash(account [32]byte) ([32]byte, bool) { return codeOf(s.o, account) }

// entry reads what is known of a contract that the engine knows to be there.
func (s *storage) entry(id [32]byte) contractEntry {
	var e contractEntry
	ok, err := load(s.o, systemKey("c/", id[:]), &e)
	must(err)
	if !ok {
		panic(fmt.Errorf("contract %x is not in the state", id))
	}
	return e
}

// owner gives who owns a contract, also one that ended its existence.
func (s *storage) owner(id [32]byte) (owner wire.Identity, ok bool, err error) {
	var e contractEntry
	ok, err = load(s.o, systemKey("c/", id[:]), &e)
	return e.Owner, ok, err
}

func (s *storage) save(key []byte, r scale.Record) { must(s.put(key, r)) }

func (s *storage) put(key []byte, r scale.Record) error {
	b, err := scale.Marshal(r)
	if err != nil || !s.count(len(key)+len(b)) {
		return err
	}
	return s.o.Set(systemID, key, b)
}

// SetCodeHash gives a contract other code.
func (s *storage) SetCodeHash(id, hash [32]byte) {
	e := s.entry(id)
	e.CodeHash = hash
	s.save(systemKey("c/", id[:]), &e)
}

// HasCode reports whether the cluster has code of a hash.
func (s *storage) HasCode(hash [32]byte) bool { return hasCode(s.o, hash) }

// Code reads code.
func (s *storage) Code(hash [32]byte) []byte {
	code, _ := s.o.Get(systemID, systemKey("w/", hash[:]))
	return code
}

// Create makes a contract for a contract, whose owner becomes its owner.
func (s *storage) Create(deployer, hash [32]byte, input, salt []byte) ([32]byte, error) {
	id := wire.NewChildContractID(s.cluster, deployer, hash, input, salt)
	owner := s.entry(deployer).Owner
	return id, s.create(id, contractEntry{CodeHash: hash, Owner: owner, Deployer: &deployer})
}

// create makes a contract, or fails with one of the errors of package contract.
func (s *storage) create(id wire.ContractID, e contractEntry) error {
	key := systemKey("c/", id[:])
	if _, exists := s.o.Get(systemID, key); exists {
		return contract.ErrDuplicate
	}
	if s.made-s.first >= maxCallContracts || s.over() {
		return contract.ErrTooMany
	}
	var err error
	if e.Secret, err = s.secret(id); err != nil {
		return err
	}
	e.Born, e.Index = e.CodeHash, s.index
	s.save(key, &e)
	if s.over() {
		return contract.ErrTooMany // it was not saved, and must not be looked for
	}
	s.made++
	return nil
}

// Terminate ends a contract's existence. Its entry stays, without code, so that its id is never used again; what it
// stored is dropped from mark to mark.
func (s *storage) Terminate(id [32]byte) {
	e := s.entry(id)
	e.CodeHash, e.Secret = wire.CodeHash{}, [32]byte{}
	s.save(systemKey("c/", id[:]), &e)
	if s.count(len(id)) {
		must(s.o.Set(systemID, systemKey("d/", id[:]), nil))
		must(s.o.Delete(systemID, systemKey("e/", id[:])))
	}
}

// Created counts the contracts that were ever made in the cluster.
func (s *storage) Created() uint64 { return s.made }

// Secret reads a contract's own secret.
func (s *storage) Secret(id [32]byte) [32]byte { return s.entry(id).Secret }

// EventHead reads the head of a contract's events.
func (s *storage) EventHead(id [32]byte) contract.EventHead {
	h, err := s.head(id)
	must(err)
	return h
}

func (s *storage) head(id [32]byte) (contract.EventHead, error) {
	var h eventHead
	_, err := load(s.o, systemKey("e/", id[:]), &h)
	return h.EventHead, err
}

// link appends events to the heads of their contracts. It runs when the call has ended, where no engine turns a panic
// into an error.
func (s *storage) link(events []contract.Event) error {
	heads := map[[32]byte]contract.EventHead{}
	var order [][32]byte
	for _, e := range events {
		h, known := heads[e.Contract]
		if !known {
			var err error
			if h, err = s.head(e.Contract); err != nil {
				return err
			}
			order = append(order, e.Contract)
		}
		heads[e.Contract] = h.Next(e)
	}
	for _, id := range order {
		if _, alive := s.CodeHash(id); !alive {
			continue
		}
		if err := s.put(systemKey("e/", id[:]), &eventHead{heads[id]}); err != nil {
			return err
		}
	}
	return nil
}

// eventHead is the head of a contract's events as a record.
type eventHead struct{ contract.EventHead }

// Scale visits the fields in order.
func (h *eventHead) Scale(c *scale.Codec) {
	c.U64(&h.Count)
	c.Fixed(h.Hash[:])
}

// secretTag begins what a secret is hashed from where there is no key to derive it from.
const secretTag = "phalanx query secret v1"

// passingSecret derives the secret of a contract that a query makes and that nobody will ever find again.
func passingSecret(seed [32]byte) func(wire.ContractID) ([32]byte, error) {
	return func(id wire.ContractID) ([32]byte, error) {
		b := append(append([]byte(secretTag), seed[:]...), id[:]...)
		defer clear(b)
		return blake2b.Sum256(b), nil
	}
}

// must turns a fault of the state into a panic, which the engine turns into an error of the host.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
