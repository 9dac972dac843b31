package leak

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"golang.org/x/crypto/blake2b"

	"github.com/phalanx-network/phalanx/enclave/contract"
)

// phat reads the code of the contract that calls every function of the pink extension.
func phat(t *testing.T) []byte {
	t.Helper()
	file, err := os.ReadFile("../../../tests/contracts/pink4/pink4.contract")
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct{ Source struct{ Wasm string } }
	if err := json.Unmarshal(file, &bundle); err != nil {
		t.Fatal(err)
	}
	code, err := hex.DecodeString(bundle.Source.Wasm[2:])
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// inkInput is an ink! input: the selector of a label and encoded arguments.
func inkInput(label, args string) []byte {
	hash := blake2b.Sum256([]byte(label))
	return append(hash[:4], args...)
}

// TestPhatContract observes a contract that reaches the pink extension, which answers in queries and commands.
func TestPhatContract(t *testing.T) {
	s := sandbox(t, phat(t))
	deploy := Call{Input: inkInput("new", "")}
	run := func(calls ...Call) *Observation {
		t.Helper()
		o, err := s.Observe(t.Context(), append([]Call{deploy}, calls...))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, query := range []bool{true, false} {
		log := func(message string) *Observation {
			return run(Call{Input: inkInput("log", "\x03"+string(rune(len(message)<<2))+message), Query: query})
		}
		a, b, longer := log("aaaa"), log("bbbb"), log("aaaaaa")
		if a.Status != contract.Done || len(Compare(a, b)) != 0 {
			t.Errorf("query %t: %s %s, differences %+v", query, a.Status, a.Reason, Compare(a, b))
		}
		var got []Aspect
		for _, d := range Compare(a, longer) {
			got = append(got, d.Aspect)
		}
		if !slices.Contains(got, Logs) {
			t.Errorf("query %t: a longer log gives %q", query, got)
		}
	}
	// A worker without network refuses, and the contract goes on.
	if o := run(Call{Input: inkInput("http_get", "\x38http://1.1.1.1"), Query: true}); o.Status != contract.Done {
		t.Errorf("http_get: %s %s", o.Status, o.Reason)
	}
	// What an earlier command has left in the cache, a query finds; another observation begins without it.
	set := Call{Input: inkInput("cache_set_in_command", "\x04k\x04v")}
	read := Call{Input: inkInput("cache_get", "\x04k"), Query: true}
	if o := run(set, read); string(o.Output) != "\x00\x01\x04v" {
		t.Errorf("cache: %s, %x", o.Status, o.Output)
	}
	if o := run(read); string(o.Output) != "\x00\x00" {
		t.Errorf("a new cache: %s, %x", o.Status, o.Output)
	}
}
