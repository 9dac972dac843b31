package contract

import (
	"errors"
	"maps"
	"slices"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"
)

// memoryStorage is a Storage of plain maps; a transaction is a copy of them all.
type memoryStorage struct {
	ledger
	codes map[[32]byte][]byte
	heads map[[32]byte]EventHead
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

// newStorage has the contract of sampleCall, with the code hash 0xcd….
func newStorage() *memoryStorage {
	call := sampleCall(0)
	return &memoryStorage{
		ledger: ledger{
			values: map[string]string{}, balances: map[[32]byte]uint128.Uint128{},
			contracts: map[[32]byte][32]byte{call.Contract: sampleCode},
		},
		codes: map[[32]byte][]byte{}, heads: map[[32]byte]EventHead{},
	}
}

// sampleCode is the code hash of the contract of newStorage.
var sampleCode = [32]byte(slices.Repeat([]byte{0xcd}, 32))

// place makes a contract of code, which the cluster then has.
func (s *memoryStorage) place(id [32]byte, code []byte) {
	hash := blake2b.Sum256(code)
	s.codes[hash], s.contracts[id] = code, hash
}

func (s *memoryStorage) clone() *memoryStorage {
	return &memoryStorage{ledger: s.ledger.clone(), codes: s.codes, heads: s.heads}
}

// stored gives what a contract has stored.
func (s *memoryStorage) stored(contract [32]byte) map[string]string {
	own := map[string]string{}
	for path, value := range s.values {
		if path[:32] == string(contract[:]) {
			own[path[32:]] = value
		}
	}
	return own
}

func (s *memoryStorage) Get(contract [32]byte, key []byte) ([]byte, bool) {
	v, ok := s.values[string(contract[:])+string(key)]
	return []byte(v), ok
}

func (s *memoryStorage) Set(contract [32]byte, key, value []byte) {
	s.values[string(contract[:])+string(key)] = string(value)
}

func (s *memoryStorage) Delete(contract [32]byte, key []byte) {
	delete(s.values, string(contract[:])+string(key))
}

func (s *memoryStorage) Balance(a [32]byte) uint128.Uint128 { return s.balances[a] }

func (s *memoryStorage) Transfer(from, to [32]byte, amount uint128.Uint128) error {
	if s.balances[from].Cmp(amount) < 0 {
		return errors.New("balance too low")
	}
	s.balances[from] = s.balances[from].Sub(amount)
	s.balances[to] = s.balances[to].Add(amount)
	return nil
}

func (s *memoryStorage) Begin() { s.open = append(s.open, s.ledger.clone()) }

func (s *memoryStorage) Commit() { s.open = s.open[:len(s.open)-1] }

func (s *memoryStorage) Rollback() {
	s.ledger = s.open[len(s.open)-1]
	s.Commit()
}

func (s *memoryStorage) CodeHash(a [32]byte) ([32]byte, bool) {
	hash := s.contracts[a]
	return hash, hash != [32]byte{}
}

func (s *memoryStorage) SetCodeHash(contract, hash [32]byte) { s.contracts[contract] = hash }

func (s *memoryStorage) HasCode(hash [32]byte) bool { return s.codes[hash] != nil }

func (s *memoryStorage) Code(hash [32]byte) []byte { return s.codes[hash] }

// childID is the id that memoryStorage gives to a contract that a contract makes.
func childID(deployer, hash [32]byte, input, salt []byte) [32]byte {
	return blake2b.Sum256(slices.Concat([]byte("child"), deployer[:], hash[:], input, []byte{0}, salt))
}

func (s *memoryStorage) Create(deployer, hash [32]byte, input, salt []byte) ([32]byte, error) {
	id := childID(deployer, hash, input, salt)
	if _, ok := s.contracts[id]; ok {
		return id, ErrDuplicate
	}
	if len(s.contracts) >= 1000 {
		return id, ErrTooMany
	}
	s.contracts[id] = hash
	s.created++
	return id, nil
}

func (s *memoryStorage) Terminate(contract [32]byte) {
	s.contracts[contract] = [32]byte{}
	for key := range s.stored(contract) {
		delete(s.values, string(contract[:])+key)
	}
}

func (s *memoryStorage) Created() uint64 { return s.created }

func (s *memoryStorage) Secret(contract [32]byte) [32]byte {
	return blake2b.Sum256(append([]byte("secret"), contract[:]...))
}

func (s *memoryStorage) EventHead(contract [32]byte) EventHead { return s.heads[contract] }
