package contract

import (
	"errors"
	"maps"
	"slices"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"
)

// MapStorage is a [Storage] of plain maps, for tools and tests; a transaction is a copy of them all. It never fails but
// where Storage says so.
type MapStorage struct {
	ledger
	codes map[[32]byte][]byte
	heads map[[32]byte]EventHead // what EventHead gives; empty but in tests
	open  []ledger
}

// ledger is what a transaction undoes.
type ledger struct {
	values    map[string]string // of all contracts, by contract and key
	balances  map[[32]byte]uint128.Uint128
	contracts map[[32]byte][32]byte // code hashes; zero where the contract is no more
	created   uint64
}

func (l ledger) clone() ledger {
	return ledger{maps.Clone(l.values), maps.Clone(l.balances), maps.Clone(l.contracts), l.created}
}

// NewMapStorage gives a storage without contracts, code or money.
func NewMapStorage() *MapStorage {
	return &MapStorage{
		ledger: ledger{
			values: map[string]string{}, balances: map[[32]byte]uint128.Uint128{}, contracts: map[[32]byte][32]byte{},
		},
		codes: map[[32]byte][]byte{}, heads: map[[32]byte]EventHead{},
	}
}

// Upload makes code known and gives its BLAKE2b-256 hash.
func (s *MapStorage) Upload(code []byte) [32]byte {
	hash := blake2b.Sum256(code)
	s.codes[hash] = code
	return hash
}

// Place makes a contract of code that was uploaded; nothing of it runs.
func (s *MapStorage) Place(id, hash [32]byte) { s.contracts[id] = hash }

// Fund gives an account money out of nothing.
func (s *MapStorage) Fund(account [32]byte, amount uint128.Uint128) {
	s.balances[account] = s.balances[account].Add(amount)
}

// Clone gives a copy that shares only what never changes. No transaction may be open.
func (s *MapStorage) Clone() *MapStorage {
	return &MapStorage{ledger: s.ledger.clone(), codes: s.codes, heads: s.heads}
}

// Stored gives a copy of what a contract has stored, by the keys that [Storage] sees.
func (s *MapStorage) Stored(contract [32]byte) map[string]string {
	own := map[string]string{}
	for path, value := range s.values {
		if path[:32] == string(contract[:]) {
			own[path[32:]] = value
		}
	}
	return own
}

// Get reads an entry.
func (s *MapStorage) Get(contract [32]byte, key []byte) ([]byte, bool) {
	v, ok := s.values[string(contract[:])+string(key)]
	return []byte(v), ok
}

// Set writes an entry.
func (s *MapStorage) Set(contract [32]byte, key, value []byte) {
	s.values[string(contract[:])+string(key)] = string(value)
}

// Delete removes an entry.
func (s *MapStorage) Delete(contract [32]byte, key []byte) {
	delete(s.values, string(contract[:])+string(key))
}

// Balance reads the ledger.
func (s *MapStorage) Balance(a [32]byte) uint128.Uint128 { return s.balances[a] }

// Transfer moves money, or fails where there is too little.
func (s *MapStorage) Transfer(from, to [32]byte, amount uint128.Uint128) error {
	if s.balances[from].Cmp(amount) < 0 {
		return errors.New("balance too low")
	}
	s.balances[from] = s.balances[from].Sub(amount)
	s.balances[to] = s.balances[to].Add(amount)
	return nil
}

// Begin opens a transaction.
func (s *MapStorage) Begin() { s.open = append(s.open, s.ledger.clone()) }

// Commit keeps what the innermost transaction did.
func (s *MapStorage) Commit() { s.open = s.open[:len(s.open)-1] }

// Rollback undoes it.
func (s *MapStorage) Rollback() {
	s.ledger = s.open[len(s.open)-1]
	s.Commit()
}

// CodeHash gives the code of a contract.
func (s *MapStorage) CodeHash(a [32]byte) ([32]byte, bool) {
	hash := s.contracts[a]
	return hash, hash != [32]byte{}
}

// SetCodeHash gives a contract other code.
func (s *MapStorage) SetCodeHash(contract, hash [32]byte) { s.contracts[contract] = hash }

// HasCode reports whether code was uploaded.
func (s *MapStorage) HasCode(hash [32]byte) bool { return s.codes[hash] != nil }

// Code gives code that was.
func (s *MapStorage) Code(hash [32]byte) []byte { return s.codes[hash] }

// maxMapContracts is how many contracts a MapStorage takes.
const maxMapContracts = 1000

// childID is the id that MapStorage gives to a contract that a contract makes.
func childID(deployer, hash [32]byte, input, salt []byte) [32]byte {
	return blake2b.Sum256(slices.Concat([]byte("child"), deployer[:], hash[:], input, []byte{0}, salt))
}

// Create makes a contract.
func (s *MapStorage) Create(deployer, hash [32]byte, input, salt []byte) ([32]byte, error) {
	id := childID(deployer, hash, input, salt)
	if _, ok := s.contracts[id]; ok {
		return id, ErrDuplicate
	}
	if len(s.contracts) >= maxMapContracts {
		return id, ErrTooMany
	}
	s.contracts[id] = hash
	s.created++
	return id, nil
}

// Terminate ends a contract's existence.
func (s *MapStorage) Terminate(contract [32]byte) {
	s.contracts[contract] = [32]byte{}
	for key := range s.Stored(contract) {
		delete(s.values, string(contract[:])+key)
	}
}

// Created counts what Create has made.
func (s *MapStorage) Created() uint64 { return s.created }

// Secret is a hash of the id: no secret.
func (s *MapStorage) Secret(contract [32]byte) [32]byte {
	return blake2b.Sum256(append([]byte("secret"), contract[:]...))
}

// EventHead is all zeros, since nothing links events here.
func (s *MapStorage) EventHead(contract [32]byte) EventHead { return s.heads[contract] }
