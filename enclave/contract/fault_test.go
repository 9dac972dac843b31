package contract

import (
	"errors"
	"fmt"
	"testing"

	"lukechampine.com/uint128"
)

// requireFault demands that a script ends in an error of the host on both engines, that no memory is left behind, and
// that the engines go on working.
func requireFault(t *testing.T, w *world, s *script, extension Extension, storage func(*MapStorage) Storage) {
	t.Helper()
	for i, e := range w.engines {
		call, own := w.call, Storage(w.storage.Clone())
		call.Input, call.Extension = s.b, extension
		if storage != nil {
			own = storage(w.storage.Clone())
		}
		out, err := e.Execute(t.Context(), prepare(t, e, scripted()), call, own)
		if err == nil {
			t.Fatalf("%s: %s: %s", engines[i].name, out.Status, out.Reason)
		}
		requireEqual(t, "outcome", out, Outcome{})
		requireZero(t, e)
	}
	w.t = t
	requireEqual(t, "afterwards", w.codes(new(script).call(0, bob, 0, new(script))), []int32{0})
	for _, e := range w.engines {
		for el := e.order.Front(); el != nil; el = el.Next() {
			if m := el.Value.(*Module); m.users != 0 {
				t.Fatalf("%d users of a module are left", m.users)
			}
		}
	}
}

// brokenStorage panics in one of its methods.
type brokenStorage struct {
	*MapStorage
	method string
}

func (s brokenStorage) at(method string) {
	if s.method == method {
		panic(errors.New("integer divide by zero"))
	}
}

func (s brokenStorage) Get(c [32]byte, key []byte) ([]byte, bool) {
	s.at("Get")
	return s.MapStorage.Get(c, key)
}
func (s brokenStorage) Balance(a [32]byte) uint128.Uint128 {
	s.at("Balance")
	return s.MapStorage.Balance(a)
}
func (s brokenStorage) Transfer(from, to [32]byte, amount uint128.Uint128) error {
	s.at("Transfer")
	return s.MapStorage.Transfer(from, to, amount)
}
func (s brokenStorage) Begin()    { s.at("Begin"); s.MapStorage.Begin() }
func (s brokenStorage) Commit()   { s.at("Commit"); s.MapStorage.Commit() }
func (s brokenStorage) Rollback() { s.at("Rollback"); s.MapStorage.Rollback() }
func (s brokenStorage) HasCode(hash [32]byte) bool {
	s.at("HasCode")
	return s.MapStorage.HasCode(hash)
}
func (s brokenStorage) Code(hash [32]byte) []byte { s.at("Code"); return s.MapStorage.Code(hash) }
func (s brokenStorage) CodeHash(a [32]byte) ([32]byte, bool) {
	s.at("CodeHash")
	return s.MapStorage.CodeHash(a)
}
func (s brokenStorage) Create(deployer, hash [32]byte, input, salt []byte) ([32]byte, error) {
	s.at("Create")
	if s.method == "Create fails" {
		return [32]byte{}, errors.New("disk full")
	}
	return s.MapStorage.Create(deployer, hash, input, salt)
}

// TestStorageFaults: a Storage that panics or fails anywhere ends Execute with an error: never with a result, nor with
// a panic, not even after the contract has ended.
func TestStorageFaults(t *testing.T) {
	get := new(script).host("seal1", "get_storage", "k", 1, outAt, sized(9))
	nested := func(s *script) *script { return new(script).call(0, bob, 0, s) }
	revert := new(script).give(1, "")
	end := new(script).host("seal1", "terminate", nobody)
	for method, scripts := range map[string][]*script{
		"Get":          {get, nested(get), new(script).call(0, carol, 0, nested(get))},
		"Begin":        {nested(get)},
		"Commit":       {nested(get)},
		"Rollback":     {nested(revert), nested(new(script).operation(opTrap))},
		"HasCode":      {new(script).delegate(0, codeHash(scripted()), get)},
		"Code":         {new(script).call(0, parrot, 0, new(script)), nested(new(script).call(0, parrot, 0, new(script)))},
		"CodeHash":     {nested(get), new(script).create(codeHash(scripted()), 0, get, "")}, // the second when the tree has ended
		"Create":       {new(script).create(codeHash(scripted()), 0, get, "")},
		"Create fails": {new(script).create(codeHash(scripted()), 0, get, ""), nested(new(script).create(codeHash(scripted()), 0, get, ""))},
		"Transfer":     {new(script).call(0, bob, 1, get), nested(end)}, // the second when the tree has ended
		"Balance":      {new(script).host("seal0", "balance", outAt, sized(16)), nested(end)},
	} {
		for i, s := range scripts {
			t.Run(fmt.Sprintf("%s %d", method, i), func(t *testing.T) {
				w := newWorld(t)
				w.rich(5, alice, bob)
				requireFault(t, w, s, nil, func(m *MapStorage) Storage { return brokenStorage{m, method} })
			})
		}
	}
}

// TestBadCodeInStorage: code that the cluster has but that cannot be prepared is a fault of the host.
func TestBadCodeInStorage(t *testing.T) {
	w := newWorld(t)
	bad := []byte("\x00asm\x01\x00\x00\x00")
	place(w.storage, carol, bad)
	requireFault(t, w, new(script).call(0, carol, 0, new(script)), nil, nil)
	w.storage.codes[codeHash(bad)] = nil
	requireFault(t, w, new(script).call(0, carol, 0, new(script)), nil, nil)
}
