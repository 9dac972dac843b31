package contract

import (
	"errors"
	"slices"

	"lukechampine.com/uint128"
)

// Flags of call and delegate_call.
const (
	flagForwardInput = 1 << iota // the callee gets the caller's input, which is then gone
	flagCloneInput               // the callee gets a copy of it
	flagTailCall                 // the callee's output ends the caller
	flagAllowReentry             // the caller may be called again meanwhile
	flagReadOnly                 // the callee may not change anything
	allFlags         = 1<<iota - 1
)

// site is where in the contract's memory the parts of a call are.
type site struct {
	flags          uint32
	gas            uint64 // 0: all that is left
	deposit, value uint32
	input, length  uint32
	output, size   uint32
}

func (x *execution) call0(a []uint64) uint64 {
	return x.callContract(uint32(a[0]), site{
		flags: flagAllowReentry, gas: a[2], deposit: sentinel, value: uint32(a[3]),
		input: uint32(a[5]), length: uint32(a[6]), output: uint32(a[7]), size: uint32(a[8]),
	})
}

func (x *execution) call1(a []uint64) uint64 {
	return x.callContract(uint32(a[1]), site{
		flags: uint32(a[0]), gas: a[2], deposit: sentinel, value: uint32(a[3]),
		input: uint32(a[4]), length: uint32(a[5]), output: uint32(a[6]), size: uint32(a[7]),
	})
}

func (x *execution) call2(a []uint64) uint64 {
	return x.callContract(uint32(a[1]), site{
		flags: uint32(a[0]), gas: a[2], deposit: uint32(a[4]), value: uint32(a[5]),
		input: uint32(a[6]), length: uint32(a[7]), output: uint32(a[8]), size: uint32(a[9]),
	})
}

// inputFor takes the callee's input from where the flags say.
func (x *execution) inputFor(s site) []byte {
	if s.flags&^allFlags != 0 {
		x.end(Trapped, "call has unknown flags")
	}
	if s.flags&(flagForwardInput|flagCloneInput) == 0 {
		x.pay(s.length)
		x.boundInput(s.length)
		return x.read(s.input, s.length)
	}
	if x.spent {
		x.end(Trapped, "the input was handed on to another contract")
	}
	x.pay(uint32(len(x.input)))
	x.spent = s.flags&flagCloneInput == 0
	return x.input
}

func (x *execution) boundInput(n uint32) {
	if uint64(n) > uint64(x.limits.InputBytes) {
		x.end(LimitExceeded, "input of %d bytes exceeds %d", n, x.limits.InputBytes)
	}
}

// money reads the value of a call; the deposit limit is read and has no effect.
func (x *execution) money(s site) uint128.Uint128 {
	if s.deposit != sentinel {
		x.view(s.deposit, 16)
	}
	return uint128.FromBytes(x.view(s.value, 16))
}

func (x *execution) callContract(calleePtr uint32, s site) uint64 {
	input := x.inputFor(s)
	callee := x.account32(calleePtr)
	value := x.money(s)
	readOnly := x.readOnly || s.flags&flagReadOnly != 0
	if !value.IsZero() {
		if readOnly {
			x.end(Trapped, "value sent in a call that may not change anything")
		}
		x.charge(priceMoney)
	}
	x.reentrable = s.flags&flagAllowReentry != 0
	defer func() { x.reentrable = true }()
	if !x.t.reentrable(callee) {
		x.end(Trapped, "contract may not be called again while it waits for another")
	}
	x.checkDepth()
	hash, ok := x.t.codeOf(callee)
	if !ok {
		return codeNotCallable
	}
	r, code := x.enter(&execution{account: callee, caller: x.account, value: value, input: input, readOnly: readOnly},
		x.module(hash), s.gas)
	return x.finish(s, r, code)
}

// delegateCall runs other code as this contract.
func (x *execution) delegateCall(a []uint64) uint64 {
	s := site{
		flags: uint32(a[0]), input: uint32(a[2]), length: uint32(a[3]), output: uint32(a[4]), size: uint32(a[5]),
	}
	input := x.inputFor(s)
	if s.flags&(flagAllowReentry|flagReadOnly) != 0 {
		x.end(Trapped, "delegate_call has flags of call")
	}
	hash := x.account32(uint32(a[1]))
	if !x.t.storage.HasCode(hash) {
		return codeCodeNotFound
	}
	x.checkDepth()
	r, code := x.enter(&execution{
		account: x.account, caller: x.caller, value: x.value, input: input, readOnly: x.readOnly, delegated: true,
	}, x.module(hash), 0)
	return x.finish(s, r, code)
}

func (x *execution) checkDepth() {
	if len(x.t.frames) >= x.limits.CallDepth {
		x.end(Trapped, "calls of contracts nest deeper than %d", x.limits.CallDepth)
	}
}

// finish hands a call's output to this contract, or ends it with that output.
func (x *execution) finish(s site, r result, code uint64) uint64 {
	if code != codeSuccess && code != codeCalleeReverted {
		return code
	}
	if s.flags&flagTailCall != 0 {
		x.leave(r.output, code == codeCalleeReverted)
	}
	x.writeOptional(s.output, s.size, r.output)
	return code
}

// enter runs a call of this contract in a transaction of its own: the value moves, then the code runs with the gas
// that is given to it. It gives how the call ended as result and as return code. The caller has got the module before it
// opened any transaction, for that may end this contract, and would leave the transaction open.
func (x *execution) enter(callee *execution, module *Module, gas uint64) (result, uint64) {
	t := x.t
	m := t.begin()
	if !callee.delegated && !x.send(callee.account, callee.value) {
		t.end(m, false)
		return result{}, codeTransferFailed
	}
	left := x.gas.Get()
	if gas == 0 || gas > left {
		gas = left
	}
	r, err := t.run(callee, module, gas)
	if err != nil {
		x.fail(err)
	}
	x.gas.Set(left - gas + r.left)
	t.end(m, r.status == Done)
	switch r.status {
	case Done:
		return r, codeSuccess
	case Reverted:
		return r, codeCalleeReverted
	}
	return r, codeCalleeTrapped
}

// send moves money of this contract, or reports that there is too little.
func (x *execution) send(to [32]byte, amount uint128.Uint128) bool {
	if amount.IsZero() || to == x.account {
		return true
	}
	return x.t.storage.Transfer(x.account, to, amount) == nil
}

// transfer ignores the lengths it is given, as pallet-contracts does: the types fix them.
func (x *execution) transfer(a []uint64) uint64 {
	to := x.account32(uint32(a[0]))
	if !x.send(to, uint128.FromBytes(x.view(uint32(a[2]), 16))) {
		return codeTransferFailed
	}
	return codeSuccess
}

// birth is where in the contract's memory the parts of an instantiation are.
type birth struct {
	site
	hash, address, addressSize, salt, saltLength uint32
}

func (x *execution) instantiate0(a []uint64) uint64 {
	return x.instantiate(birth{
		site: site{
			gas: a[2], deposit: sentinel, value: uint32(a[3]), input: uint32(a[5]), length: uint32(a[6]),
			output: uint32(a[9]), size: uint32(a[10]),
		},
		hash: uint32(a[0]), address: uint32(a[7]), addressSize: uint32(a[8]), salt: uint32(a[11]), saltLength: uint32(a[12]),
	})
}

func (x *execution) instantiate1(a []uint64) uint64 {
	return x.instantiate(birthAt(a[0], a[1], uint64(sentinel), a[2:]))
}

func (x *execution) instantiate2(a []uint64) uint64 {
	return x.instantiate(birthAt(a[0], a[1], a[3], a[4:]))
}

// birthAt reads the parameters that the newer versions share, from the value on.
func birthAt(hash, gas, deposit uint64, a []uint64) birth {
	return birth{
		site: site{
			gas: gas, deposit: uint32(deposit), value: uint32(a[0]), input: uint32(a[1]), length: uint32(a[2]),
			output: uint32(a[5]), size: uint32(a[6]),
		},
		hash: uint32(hash), address: uint32(a[3]), addressSize: uint32(a[4]), salt: uint32(a[7]), saltLength: uint32(a[8]),
	}
}

func (x *execution) instantiate(b birth) uint64 {
	x.pay(b.length)
	x.pay(b.saltLength)
	value := x.money(b.site)
	hash := x.account32(b.hash)
	x.boundInput(b.length)
	x.boundInput(b.saltLength)
	input := x.read(b.input, b.length)
	salt := x.read(b.salt, b.saltLength)
	if !value.IsZero() {
		x.charge(priceMoney)
	}
	t := x.t
	if !t.storage.HasCode(hash) {
		return codeCodeNotFound
	}
	x.checkDepth()
	module := x.module(hash)
	m := t.begin()
	id, err := t.storage.Create(x.account, hash, input, salt)
	switch {
	case errors.Is(err, ErrDuplicate), errors.Is(err, ErrTooMany):
		t.end(m, false)
		x.end(Trapped, "%s", err)
	case err != nil:
		x.fail(err)
	}
	t.created = append(t.created, Created{id, hash})
	r, code := x.enter(&execution{account: id, caller: x.account, value: value, input: input, deploy: true},
		module, b.gas)
	if code == codeSuccess && t.ended(id) {
		t.end(m, false)
		x.end(Trapped, endedInConstructor)
	}
	t.end(m, code == codeSuccess)
	switch code {
	case codeSuccess:
		x.writeOptional(b.address, b.addressSize, id[:])
	case codeCalleeReverted:
	default:
		return code
	}
	x.writeOptional(b.output, b.size, r.output)
	return code
}

// terminate ends the contract's existence. Its money goes to the beneficiary when the whole call tree has ended well.
func (x *execution) terminate(a []uint64) uint64 {
	beneficiary := x.account32(uint32(a[0]))
	t := x.t
	if t.active(x.account) > 1 {
		x.end(Trapped, "contract may not end its existence while it is called again")
	}
	t.storage.Terminate(x.account)
	t.terminated = append(t.terminated, legacy{x.account, beneficiary})
	x.leave(nil, false)
	return 0
}

// legacy is the money of a contract that is no more.
type legacy struct{ contract, beneficiary [32]byte }

const endedInConstructor = "contract ended its own existence in its constructor"

// ended reports whether a contract ended its existence in this call tree.
func (t *tree) ended(contract [32]byte) bool {
	return slices.ContainsFunc(t.terminated, func(l legacy) bool { return l.contract == contract })
}

// settle hands over what terminated contracts hold.
func (t *tree) settle() error {
	for _, l := range t.terminated {
		has := t.storage.Balance(l.contract)
		if has.IsZero() || l.contract == l.beneficiary {
			continue
		}
		if err := t.storage.Transfer(l.contract, l.beneficiary, has); err != nil {
			return err
		}
	}
	return nil
}

// setCodeHash gives the contract other code from its next call on.
func (x *execution) setCodeHash(a []uint64) uint64 {
	hash := x.account32(uint32(a[0]))
	if !x.t.storage.HasCode(hash) {
		return codeCodeNotFound
	}
	x.t.storage.SetCodeHash(x.account, hash)
	return codeSuccess
}
