package worker

import (
	"errors"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// errOverflow says that a balance would reach 2¹²⁸.
var errOverflow = errors.New("balance overflows")

// errBalance says that an account holds less than is to be moved.
var errBalance = errors.New("balance is too low")

func balanceKey(account [32]byte) []byte { return systemKey("b/", account[:]) }

func balance(s reader, account [32]byte) (uint128.Uint128, error) {
	var a amount
	_, err := load(s, balanceKey(account), &a)
	return a.Uint128, err
}

func setBalance(o *state.Overlay, account [32]byte, v uint128.Uint128) error {
	if v.IsZero() {
		return o.Delete(systemID, balanceKey(account))
	}
	return save(o, balanceKey(account), &amount{v})
}

// credit adds to an account. The escrow on the chain holds at least the sum of all balances, so it cannot overflow
// unless the chain mints more than 2¹²⁸; then it fails with errOverflow and changes nothing.
func credit(o *state.Overlay, account [32]byte, v uint128.Uint128) error {
	have, err := balance(o, account)
	if err != nil {
		return err
	}
	sum := have.AddWrap(v)
	if sum.Cmp(have) < 0 {
		return errOverflow
	}
	return setBalance(o, account, sum)
}

// debit takes from an account, or fails with errBalance and changes nothing.
func debit(o *state.Overlay, account [32]byte, v uint128.Uint128) error {
	have, err := balance(o, account)
	if err != nil {
		return err
	}
	if have.Cmp(v) < 0 {
		return errBalance
	}
	return setBalance(o, account, have.Sub(v))
}

func transfer(o *state.Overlay, from, to [32]byte, v uint128.Uint128) error {
	if v.IsZero() {
		return nil
	}
	if err := debit(o, from, v); err != nil {
		return err
	}
	return credit(o, to, v)
}

// withdraw numbers a withdrawal that is to be paid on the chain.
func withdraw(o *state.Overlay, sys *system, account wire.Account, v uint128.Uint128) error {
	w := wire.Withdrawal{Number: sys.Withdrawals, Account: account, Amount: v}
	if err := save(o, systemKey("x/", be64(w.Number)), &w); err != nil {
		return err
	}
	sys.Withdrawals++
	return nil
}

// unpaid lists the withdrawals with the lowest numbers.
func unpaid(v *state.View) ([]wire.Withdrawal, error) {
	var list []wire.Withdrawal
	var err error
	v.Ascend(systemID, []byte("x/"), func(_, value []byte) bool {
		var w wire.Withdrawal
		if err = unmarshal(value, &w); err != nil {
			return false
		}
		list = append(list, w)
		return len(list) < wire.MaxWithdrawals
	})
	return list, err
}

// maxCallWrites bounds the bytes that one call writes, keys included, so that the effects of a message always fit into
// a batch of the state's log.
const maxCallWrites = 8 << 20

// entryOverhead is what an entry counts beside its key and value.
const entryOverhead = 64

// storage is one contract's storage and the ledger, as the engine sees them during one call. An error of the overlay
// is a fault of this program, never of the contract: the engine's bounds are below the overlay's. What is written
// beyond maxCallWrites is dropped, and the call then ends with status limit, whatever it returns.
type storage struct {
	o       *state.Overlay
	id      [32]byte
	written int
}

func (s *storage) over() bool { return s.written > maxCallWrites }

func (s *storage) count(n int) bool {
	if !s.over() {
		s.written += n + entryOverhead
	}
	return !s.over()
}

// Get reads an entry of the contract.
func (s *storage) Get(key []byte) ([]byte, bool) { return s.o.Get(s.id, key) }

// Set writes an entry of the contract.
func (s *storage) Set(key, value []byte) {
	if s.count(len(key) + len(value)) {
		must(s.o.Set(s.id, key, value))
	}
}

// Delete removes an entry of the contract.
func (s *storage) Delete(key []byte) {
	if s.count(len(key)) {
		must(s.o.Delete(s.id, key))
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
		return errBalance // the call ends with status limit
	}
	return transfer(s.o, from, to, v)
}

// CodeHash says which code an account runs, if it is a contract of the cluster.
func (s *storage) CodeHash(account [32]byte) ([32]byte, bool) {
	return codeOf(s.o, account)
}

// must turns a fault of the state into a panic, which the engine turns into an error of the host.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
