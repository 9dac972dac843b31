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
