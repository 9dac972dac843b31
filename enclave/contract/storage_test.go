package contract

import "slices"

// newStorage has the contract of sampleCall, with the code hash 0xcd….
func newStorage() *MapStorage {
	s := NewMapStorage()
	s.Place(sampleCall(0).Contract, sampleCode)
	return s
}

// sampleCode is the code hash of the contract of newStorage.
var sampleCode = [32]byte(slices.Repeat([]byte{0xcd}, 32))

// place makes a contract of code.
func place(s *MapStorage, id [32]byte, code []byte) { s.Place(id, s.Upload(code)) }
