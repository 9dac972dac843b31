package contract

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// idle is code that does nothing.
func idle() []byte { return asm.Contract("", func(*asm.Module) [][]byte { return nil }) }

// sample is a right use of a host function by Alice in sampleWorld, and what it gives.
type sample struct {
	function string
	want     int32
	args     []any
}

func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// A published signature, with the hash that it is on and the key that made it (go-ethereum's crypto tests).
var (
	publishedHash      = fromHex("ce0677bb30baa8cf067c88db9811f4333d131bf8bcf12fe7065d211dce971008")
	publishedSignature = fromHex("90f27b8b488db00b00606796d2987f6a5f59ae62ea05effe84fef5b8b0e549984a691139ad57a3f0b906637673aa2f63d1f55cb1" +
		"a69199d4009eea23ceaddc9301")
	publishedKey = fromHex("02e32df42865e97135acfb65f3bae71bdc86f4d49150ad6a440b6f15878109880a")
)

const (
	sampleKey = "0123456789abcdef0123456789abcdef"
	sampleOld = "five5" // what is stored under sampleKey and "k"
)

// samples has one right use of every host function.
func samples() []sample {
	mini := slices.Repeat([]byte{7}, sr25519.MiniSecretSize)
	secret, err := sr25519.FromMiniSecret(mini)
	if err != nil {
		panic(err)
	}
	signature, err := secret.Sign(rand.Reader, []byte("message"))
	if err != nil {
		panic(err)
	}
	public := secret.Public()
	none, one := uint128.Zero, uint128.From64(1)
	out := func(n uint32) []any { return []any{outAt, sized(n)} }
	of := func(parts ...[]any) []any { return slices.Concat(parts...) }
	key32, key := []any{sampleKey}, []any{"k", 1}
	value := []any{"other", 5}
	call := []any{none, "hi", 2, outAt, sized(2)}
	birth := []any{none, "", 0, outAt, sized(32), at(outAt + 64), sized(8), "salt", 4}
	echoHash, idleHash := codeHash(echo()), codeHash(idle())
	return []sample{
		{"seal0.set_storage", 0, of(key32, value)},
		{"seal1.set_storage", 5, of(key32, value)},
		{"seal2.set_storage", 5, of(key, value)},
		{"seal0.clear_storage", 0, key32},
		{"seal1.clear_storage", 5, key},
		{"seal0.get_storage", 0, of(key32, out(5))},
		{"seal1.get_storage", 0, of(key, out(5))},
		{"seal0.contains_storage", 5, key32},
		{"seal1.contains_storage", 5, key},
		{"seal0.take_storage", 0, of(key, out(5))},
		{"seal0.set_transient_storage", 5, of(key, value)},
		{"seal0.clear_transient_storage", 5, key},
		{"seal0.get_transient_storage", 0, of(key, out(5))},
		{"seal0.contains_transient_storage", 5, key},
		{"seal0.take_transient_storage", 0, of(key, out(5))},
		{"seal0.call", 0, []any{parrot, 32, 0, none, 16, "hi", 2, outAt, sized(2)}},
		{"seal1.call", 0, of([]any{0, parrot, 0}, call)},
		{"seal2.call", 0, of([]any{0, parrot, 0, 0, one}, call)},
		{"seal0.delegate_call", 0, []any{0, echoHash, "hi", 2, outAt, sized(2)}},
		{"seal0.instantiate", 0, []any{echoHash, 32, 0, none, 16, "", 0, outAt, sized(32), at(outAt + 64), sized(8), "salt", 4}},
		{"seal1.instantiate", 0, of([]any{echoHash, 0}, birth)},
		{"seal2.instantiate", 0, of([]any{echoHash, 0, 0, one}, birth)},
		{"seal0.terminate", 0, []any{nobody, 32}},
		{"seal1.terminate", 0, []any{nobody}},
		{"seal0.set_code_hash", 0, []any{echoHash}},
		{"seal0.lock_delegate_dependency", 0, []any{idleHash}},
		{"seal0.unlock_delegate_dependency", 0, []any{echoHash}},
		{"seal0.add_delegate_dependency", 0, []any{idleHash}},
		{"seal0.remove_delegate_dependency", 0, []any{echoHash}},
		{"seal0.transfer", 0, []any{nobody, 32, one, 16}},
		{"seal0.call_chain_extension", 77, []any{0x10002, "hi", 2, outAt, sized(2)}},
		{"seal0.call_runtime", 10, []any{"call", 4}},
		{"seal0.xcm_execute", 13, []any{"message", 7}},
		{"seal0.xcm_send", 14, []any{"to", "message", 7, outAt}},
		{"seal0.input", 0, out(1 << 14)},
		{"seal0.seal_return", 0, []any{0, "bye", 3}},
		{"seal0.caller", 0, out(32)},
		{"seal0.address", 0, out(32)},
		{"seal0.balance", 0, out(16)},
		{"seal0.value_transferred", 0, out(16)},
		{"seal0.minimum_balance", 0, out(16)},
		{"seal0.now", 0, out(8)},
		{"seal0.block_number", 0, out(4)},
		{"seal0.gas_left", 0, out(8)},
		{"seal1.gas_left", 0, out(18)},
		{"seal0.weight_to_fee", 0, of([]any{1000}, out(16))},
		{"seal1.weight_to_fee", 0, of([]any{1000, 9}, out(16))},
		{"seal0.gas_price", 0, of([]any{1000}, out(16))},
		{"seal0.own_code_hash", 0, out(32)},
		{"seal0.code_hash", 0, of([]any{parrot}, out(32))},
		{"seal0.is_contract", 1, []any{parrot}},
		{"seal0.caller_is_origin", 1, nil},
		{"seal0.caller_is_root", 0, nil},
		{"seal0.reentrance_count", 0, nil},
		{"seal0.account_reentrance_count", 1, []any{alice}},
		{"seal0.instantiation_nonce", 0, nil},
		{"seal0.random", 0, of([]any{"subject", 7}, out(32))},
		{"seal1.random", 0, of([]any{"subject", 7}, out(36))},
		{"seal0.deposit_event", 0, []any{"\x04" + sampleKey, 33, "data", 4}},
		{"seal0.debug_message", 0, []any{"message", 7}},
		{"seal0.hash_sha2_256", 0, []any{"hi", 2, outAt}},
		{"seal0.hash_keccak_256", 0, []any{"hi", 2, outAt}},
		{"seal0.hash_blake2_256", 0, []any{"hi", 2, outAt}},
		{"seal0.hash_blake2_128", 0, []any{"hi", 2, outAt}},
		{"seal0.ecdsa_recover", 0, []any{publishedSignature, publishedHash, outAt}},
		{"seal0.ecdsa_to_eth_address", 0, []any{publishedKey, outAt}},
		{"seal0.sr25519_verify", 0, []any{signature[:], scale.MustMarshal(&public), 7, "message"}},
		{"seal0.tombstone_deposit", 0, out(16)},
		{"seal0.rent_allowance", 0, out(16)},
		{"seal0.set_rent_allowance", 0, []any{1000, 16}},
		{"seal1.set_rent_allowance", 0, []any{1000}},
		{"seal0.restore_to", 0, []any{0, 0, 0, 0, 0, 0, 0, 0}},
		{"seal1.restore_to", 0, []any{0, 0, 0, 0, 0}},
	}
}

// extensionFunc is an extension of one function.
type extensionFunc func(env ExtensionEnv, id uint32, input []byte) (uint32, []byte, error)

func (f extensionFunc) Call(_ context.Context, env ExtensionEnv, id uint32, input []byte) (uint32, []byte, error) {
	return f(env, id, input)
}

// sampleStorage gives accounts what samples need.
func sampleStorage(storage *MapStorage, accounts ...[32]byte) {
	place(storage, parrot, echo())
	storage.codes[codeHash(idle())] = idle()
	for _, id := range accounts {
		storage.balances[id] = uint128.From64(1000)
		for key, value := range map[string]string{"f" + sampleKey: sampleOld, "vk": sampleOld,
			"d": string(scale.MustMarshal(&dependencies{[][32]byte{codeHash(echo())}}))} {
			storage.Set(id, []byte(key), []byte(value))
		}
	}
}

// sampleExtension gives its input back.
func sampleExtension(_ ExtensionEnv, _ uint32, input []byte) (uint32, []byte, error) {
	return 77, slices.Clone(input), nil
}

// sampleWorld has what samples need, for Alice and for Bob.
func sampleWorld(t *testing.T) *world {
	w := newWorld(t)
	sampleStorage(w.storage, alice, bob)
	w.call.Extension = extensionFunc(sampleExtension)
	return w
}

// record is a script that uses the sample; transient storage has the key already.
func (s sample) record() *script {
	module, name, _ := strings.Cut(s.function, ".")
	return new(script).operation(hostIndex("seal0", "set_transient_storage"), "k", 1, sampleOld, 5).
		host(module, name, s.args...)
}

// function gives the sample's function.
func (s sample) host() hostFunction {
	module, name, _ := strings.Cut(s.function, ".")
	return hostFunctions[hostIndex(module, name)]
}

// TestSamplesAreWhole: every host function has exactly one sample, so that none goes untested.
func TestSamplesAreWhole(t *testing.T) {
	var have, want []string
	for _, s := range samples() {
		have = append(have, s.function)
	}
	for _, h := range hostFunctions {
		want = append(want, h.module+"."+h.name)
	}
	slices.Sort(have)
	slices.Sort(want)
	requireEqual(t, "functions", have, want)
}

// TestNamesAreUnique: no name stands for two functions.
func TestNamesAreUnique(t *testing.T) {
	n := 0
	for i := range hostFunctions {
		n += len(hostFunctions[i].names())
	}
	requireEqual(t, "names", len(offered()), n)
}

// TestEveryFunctionRight: a right use of each function ends well and gives what it should.
func TestEveryFunctionRight(t *testing.T) {
	w := sampleWorld(t)
	kept := w.storage
	for _, s := range samples() {
		t.Run(s.function, func(t *testing.T) {
			w.t, w.storage = t, kept.Clone()
			script := s.record()
			out := w.done(script.host("seal0", "seal_return", 0, resultsAt, 8))
			if s.host().result == 0 {
				return
			}
			requireEqual(t, "results", words(out.Output), []int32{-1, s.want})
		})
	}
}

// unread are the arguments that are pointers which a function never looks at.
var unread = map[string]int{"seal0.xcm_send 0": 1, "seal0.xcm_send 3": 1}

// TestEveryFunctionWrong: each pointer of each function, one by one, outside the memory ends the call.
func TestEveryFunctionWrong(t *testing.T) {
	w := sampleWorld(t)
	kept := w.storage
	for _, s := range samples() {
		for i, arg := range s.args {
			switch arg.(type) {
			case int:
				continue
			}
			what := fmt.Sprintf("%s %d", s.function, i)
			t.Run(what, func(t *testing.T) {
				w.t, w.storage = t, kept.Clone()
				bad := s
				bad.args = slices.Clone(s.args)
				bad.args[i] = at(0xfffffff0)
				want := BadMemoryAccess
				if unread[what] == 1 {
					want = Done
				}
				out := w.run(bad.record())
				if out.Status != want {
					t.Fatalf("%s: %s", out.Status, out.Reason)
				}
			})
		}
	}
}

// TestReadOnly: in a call that may not change anything, also one that it makes itself or delegates, a function that
// changes something traps, and every other works.
func TestReadOnly(t *testing.T) {
	w := sampleWorld(t)
	kept := w.storage
	hand := func(flags int, callee [32]byte, s *script) *script { // gives what callee gives
		return new(script).host("seal1", "call", flags, callee, 0, uint128.Zero, s.b, len(s.b), outAt, sized(4)).
			host("seal0", "seal_return", 0, outAt, 4)
	}
	within := map[string]func(flags int, s *script) *script{
		"directly": func(flags int, s *script) *script { return new(script).call(flags, bob, 0, s).results() },
		"below": func(flags int, s *script) *script {
			return hand(flags, carol, new(script).call(0, bob, 0, s).results())
		},
		"delegated": func(flags int, s *script) *script {
			return hand(flags, bob, new(script).delegate(0, w.code, s).results())
		},
	}
	for how, wrap := range within {
		for _, s := range samples() {
			t.Run(how+"/"+s.function, func(t *testing.T) {
				for _, flags := range []int{0, flagReadOnly} {
					want := int32(codeSuccess)
					if flags != 0 && s.host().flags&mutating != 0 {
						want = codeCalleeTrapped
					}
					if how == "delegated" && strings.HasSuffix(s.function, "terminate") {
						want = codeCalleeTrapped // also where it may change something, for the contract is there twice
					}
					w.t, w.storage = t, kept.Clone()
					requireEqual(t, "code", words(w.done(wrap(flags, s.record())).Output), []int32{want})
				}
			})
		}
	}
}
