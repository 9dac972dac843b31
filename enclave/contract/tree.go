package contract

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/blake2b"
)

// tree is one call of Execute: the calls that are under way, the outermost first, and what they share.
type tree struct {
	engine  *Engine
	ctx     context.Context // of the caller of Execute
	call    *Call
	storage Storage
	limits  *Limits
	frames  []*execution
	memory  budget
	fault   error // of the host; nothing of the outcome counts once it is set

	first    *Module              // that the tree begins with
	modules  map[[32]byte]*Module // of other code that was called, kept compiled to the end
	codeLeft int                  // bytes of such code that may still be loaded

	events     []Event
	eventBytes int
	created    []Created
	terminated []legacy
	after      []func()
	transient  transient
	debug      []byte
	logs       []Log
	logging    map[[32]byte]bool // contracts that have logged, and paid for it
	logBytes   int
	dropped    int
	draws      uint64      // of Random
	locals     map[any]any // of the extension
}

// module gives the module of code that storage has. A tree pays for each code once, as if it had to be compiled: whether
// it has is not for a contract to know, and where contracts call more code than the cache holds, it has. What was paid
// for stays compiled as long as the tree lives.
func (x *execution) module(hash [32]byte) *Module {
	t := x.t
	if hash == t.first.hash {
		return t.first
	}
	if m, ok := t.modules[hash]; ok {
		return m
	}
	code := t.storage.Code(hash)
	x.charge(priceLoad * uint64(len(code)))
	if len(code) > t.codeLeft {
		x.end(LimitExceeded, "code of the contracts called exceeds %d bytes", t.limits.TreeCodeBytes)
	}
	m, ok := t.engine.Cached(hash)
	if !ok {
		var err error
		if m, err = t.engine.prepare(t.ctx, code, t.call.Compiled); err != nil {
			x.fail(err)
		}
	}
	if err := t.engine.acquire(t.ctx, m); err != nil {
		x.fail(err)
	}
	if t.modules == nil {
		t.modules = make(map[[32]byte]*Module)
	}
	t.modules[hash] = m
	t.codeLeft -= len(code)
	return m
}

// close lets go of the modules.
func (t *tree) close() error {
	var errs []error
	for _, m := range t.modules {
		errs = append(errs, t.engine.release(t.ctx, m))
	}
	return errors.Join(errs...)
}

// mark is a place to roll back to. Debug messages, logs and draws of randomness are not undone.
type mark struct {
	events, eventBytes, created, terminated, after int
	transient                                      transientMark
}

// begin opens a nested transaction.
func (t *tree) begin() mark {
	t.storage.Begin()
	return mark{len(t.events), t.eventBytes, len(t.created), len(t.terminated), len(t.after), t.transient.mark()}
}

// end closes it, keeping or undoing what was done since.
func (t *tree) end(m mark, keep bool) {
	if keep {
		t.storage.Commit()
		return
	}
	t.storage.Rollback()
	t.events, t.eventBytes = t.events[:m.events], m.eventBytes
	t.created, t.terminated, t.after = t.created[:m.created], t.terminated[:m.terminated], t.after[:m.after]
	t.transient.rollback(m.transient)
}

// alive gives the contracts that were made and are still there.
func (t *tree) alive() (list []Created) {
	for _, c := range t.created {
		if hash, ok := t.storage.CodeHash(c.Contract); ok {
			list = append(list, Created{c.Contract, hash})
		}
	}
	return list
}

// deploying reports whether an account's constructor is under way. Such an account is not yet a contract to anybody.
func (t *tree) deploying(account [32]byte) bool {
	for _, f := range t.frames {
		if f.deploy && f.account == account {
			return true
		}
	}
	return false
}

// codeOf gives the code of a contract whose constructor has ended.
func (t *tree) codeOf(account [32]byte) ([32]byte, bool) {
	if t.deploying(account) {
		return [32]byte{}, false
	}
	return t.storage.CodeHash(account)
}

// reentrances counts the calls under way that run an account's own code.
func (t *tree) reentrances(account [32]byte) (n uint32) {
	for _, f := range t.frames {
		if !f.delegated && f.account == account {
			n++
		}
	}
	return n
}

// reentrable reports whether no call under way forbids to call the account again.
func (t *tree) reentrable(account [32]byte) bool {
	for _, f := range t.frames {
		if f.account == account && !f.reentrable {
			return false
		}
	}
	return true
}

// active counts the calls under way that act as an account, delegated ones included.
func (t *tree) active(account [32]byte) (n int) {
	for _, f := range t.frames {
		if f.account == account {
			n++
		}
	}
	return n
}

// payLog charges a contract for its first log in the tree: each contract's logs are encrypted to its owner.
func (x *execution) payLog() {
	t := x.t
	if t.logging[x.account] {
		return
	}
	x.charge(priceLog)
	if t.logging == nil {
		t.logging = map[[32]byte]bool{}
	}
	t.logging[x.account] = true
}

// logOverhead is what a log counts beside its text.
const logOverhead = 8

// log keeps a message for the contract's owner. Text that is not UTF-8 is mended, for people read it.
func (t *tree) log(contract [32]byte, level uint8, text string) {
	if len(t.logs) >= t.limits.Logs {
		t.dropped++
		return
	}
	text = text[:min(len(text), t.limits.LogBytes+utf8.UTFMax)] // the rest is not worth mending
	text = cut(strings.ToValidUTF8(text, "\ufffd"), t.limits.LogBytes)
	if t.logBytes+len(text)+logOverhead > t.limits.AllLogBytes {
		t.dropped++
		return
	}
	t.logBytes += len(text) + logOverhead
	t.logs = append(t.logs, Log{Contract: contract, Level: level, Text: text})
}

// cut shortens a text to at most n bytes, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// Domain tags of what contracts learn of the seed.
const (
	randomTag = "phalanx contract random v1"
	drawTag   = "phalanx contract draw v1"
)

// randomness is what the host function random gives: equal subjects in one call give equal values.
func (t *tree) randomness(contract [32]byte, subject []byte) [32]byte {
	b := make([]byte, 0, len(randomTag)+2*32+len(subject))
	b = append(append(append(append(b, randomTag...), t.call.Seed[:]...), contract[:]...), subject...)
	defer clear(b)
	return blake2b.Sum256(b)
}

// draw fills out with randomness that no other draw of the call tree gives.
func (t *tree) draw(contract [32]byte, tag string, out []byte) {
	b := make([]byte, 0, len(drawTag)+2*32+8+len(tag))
	b = append(append(append(b, drawTag...), t.call.Seed[:]...), contract[:]...)
	b = append(binary.LittleEndian.AppendUint64(b, t.draws), tag...)
	t.draws++
	key := blake2b.Sum512(b)
	clear(b)
	defer clear(key[:])
	xof, err := blake2b.NewXOF(blake2b.OutputLengthUnknown, key[:])
	if err != nil {
		panic(fmt.Errorf("blake2b with a 64-byte key: %w", err)) // that is always a valid form
	}
	if _, err := io.ReadFull(xof, out); err != nil {
		panic(fmt.Errorf("blake2b output: %w", err)) // its output is 256 GiB long
	}
}

// budget bounds the memory of a call tree.
type budget struct{ left uint64 }

// take reserves bytes, or reports that they are not there.
func (b *budget) take(n uint64) bool {
	if n > b.left {
		return false
	}
	b.left -= n
	return true
}

func (b *budget) give(n uint64) { b.left += n }
