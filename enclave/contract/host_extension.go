package contract

import (
	"errors"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// callExtension hands a call to the extension.
func (x *execution) callExtension(a []uint64) uint64 {
	id, n := uint32(a[0]), uint32(a[2])
	x.pay(n)
	extension := x.t.call.Extension
	if extension == nil {
		x.end(Unsupported, "there is no chain extension")
	}
	input := x.view(uint32(a[1]), n) // at most the contract's memory; the extension has bounds of its own
	status, output, err := extension.Call(x.t.ctx, environment{x}, id, input)
	var refused *ExtensionError
	switch {
	case errors.As(err, &refused) && refused.ends():
		x.end(refused.Status, "%s", refused.Reason)
	case err != nil:
		x.fail(err)
	}
	defer clear(output) // it may be a key
	x.pay(uint32(len(output)))
	x.writeOut(uint32(a[3]), uint32(a[4]), output)
	return uint64(status)
}

// environment is what the extension sees of an execution.
type environment struct{ x *execution }

var _ ExtensionEnv = environment{}

func (e environment) Contract() [32]byte { return e.x.account }
func (e environment) Caller() [32]byte   { return e.x.caller }
func (e environment) Command() bool      { return !e.x.t.call.Query }
func (e environment) Height() uint64     { return e.x.t.call.Height }
func (e environment) TimeMillis() uint64 { return e.x.t.call.TimeMillis }
func (e environment) Charge(gas uint64)  { e.x.charge(gas) }

func (e environment) Random(tag string, b []byte) { e.x.t.draw(e.x.account, tag, b) }

func (e environment) Log(level uint8, text string) {
	e.x.payLog()
	e.x.t.log(e.x.account, level, text)
}

func (e environment) Balance(account [32]byte) uint128.Uint128 { return e.x.t.storage.Balance(account) }

func (e environment) HasCode(hash [32]byte) bool { return e.x.t.storage.HasCode(hash) }

func (e environment) Secret() [32]byte { return e.x.t.storage.Secret(e.x.account) }

func (e environment) EventHead() EventHead {
	head := e.x.t.storage.EventHead(e.x.account)
	for _, event := range e.x.t.events {
		if event.Contract == e.x.account {
			e.x.charge(priceBlake2.base + priceBlake2.byte*uint64(len(event.Data)+32*len(event.Topics)))
			head = head.Next(event)
		}
	}
	return head
}

func (e environment) Local(key any, make func() any) any {
	t := e.x.t
	v, ok := t.locals[key]
	if !ok {
		v = make()
		if t.locals == nil {
			t.locals = map[any]any{}
		}
		t.locals[key] = v
	}
	return v
}

func (e environment) AfterCommit(f func()) {
	if e.Command() {
		e.x.t.after = append(e.x.t.after, f)
	}
}

// eventTag begins what the head of a contract's events is hashed over.
const eventTag = "phalanx contract event v1"

// Next is the head after one more event: BLAKE2b-256 of a domain tag, the head's count and hash, and the SCALE of the
// event's contract, topics and data.
func (h EventHead) Next(e Event) EventHead {
	b := append([]byte(eventTag), scale.MustMarshal(&linked{h, e})...)
	return EventHead{Count: h.Count + 1, Hash: blake2b.Sum256(b)}
}

// linked is an event behind the head before it.
type linked struct {
	EventHead
	Event
}

// Scale visits the fields in order.
func (l *linked) Scale(c *scale.Codec) {
	c.U64(&l.Count)
	c.Fixed(l.Hash[:])
	c.Fixed(l.Contract[:])
	scale.Slice(c, &l.Topics, 1<<8, func(t *[]byte) { c.Bytes(t, 1<<8) })
	c.Bytes(&l.Data, 1<<24)
}

// maxDependencies is how many codes a contract may have locked.
const maxDependencies = 32

// dependencies are the codes that a contract has locked, in order. The cluster never forgets code, so that locking
// guards nothing; but who has locked what is answered as contracts expect.
type dependencies struct{ hashes [][32]byte }

// Scale visits the fields in order.
func (d *dependencies) Scale(c *scale.Codec) {
	scale.Slice(c, &d.hashes, maxDependencies, func(h *[32]byte) { c.Fixed(h[:]) })
}

func (d *dependencies) index(hash [32]byte) int {
	for i, h := range d.hashes {
		if h == hash {
			return i
		}
	}
	return -1
}

func (x *execution) dependencies() (d dependencies) {
	raw, ok := x.t.storage.Get(x.account, []byte{keyDependencies})
	if ok {
		if err := scale.Unmarshal(raw, &d); err != nil {
			x.fail(err)
		}
	}
	x.pay(uint32(len(raw)))
	return d
}

func (x *execution) setDependencies(d dependencies) {
	if len(d.hashes) == 0 {
		x.t.storage.Delete(x.account, []byte{keyDependencies})
		return
	}
	x.t.storage.Set(x.account, []byte{keyDependencies}, scale.MustMarshal(&d))
}

func (x *execution) lockDependency(a []uint64) uint64 {
	hash := x.account32(uint32(a[0]))
	d := x.dependencies()
	own, _ := x.t.storage.CodeHash(x.account)
	switch {
	case hash == own:
		x.end(Trapped, "a contract may not lock its own code")
	case !x.t.storage.HasCode(hash):
		x.end(Trapped, "the code to lock does not exist")
	case d.index(hash) >= 0:
		x.end(Trapped, "the code is locked already")
	case len(d.hashes) == maxDependencies:
		x.end(LimitExceeded, "locked codes exceed %d", maxDependencies)
	}
	d.hashes = append(d.hashes, hash)
	x.setDependencies(d)
	return 0
}

func (x *execution) unlockDependency(a []uint64) uint64 {
	hash := x.account32(uint32(a[0]))
	d := x.dependencies()
	i := d.index(hash)
	if i < 0 {
		x.end(Trapped, "the code is not locked")
	}
	d.hashes = append(d.hashes[:i], d.hashes[i+1:]...)
	x.setDependencies(d)
	return 0
}
