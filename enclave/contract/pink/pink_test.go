package pink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/cache"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

const malformed = "arguments do not decode"

func TestIDs(t *testing.T) {
	if len(vectors.IDs) != 25 || len(functions) != 26 {
		t.Errorf("%d ids, %d functions", len(vectors.IDs), len(functions)-1)
	}
	for name, want := range vectors.IDs {
		if id(name) != want {
			t.Errorf("%s has id %d, want %d", name, id(name), want)
		}
	}
}

func TestUnknownFunctions(t *testing.T) {
	x, _ := worker(t)
	for _, id := range []uint32{0, 26, 27, 0xffff, 1 << 16, 1<<16 | 1, 0xffffffff} {
		modes(t, func(t *testing.T, env *environment) {
			_, _, err := x.Call(context.Background(), env, id, nil)
			var ended *contract.ExtensionError
			want := fmt.Sprintf("chain extension %d has no function %d", id>>16, id&0xffff)
			if !errors.As(err, &ended) || ended.Status != contract.Unsupported || ended.Reason != want || env.used == 0 {
				t.Errorf("%d: %v for %d gas", id, err, env.used)
			}
		})
	}
}

// TestArguments gives every function the arguments as the published crate encodes them, then less and more.
func TestArguments(t *testing.T) {
	x, _ := worker(t)
	inputs := map[string][]byte{}
	for name := range vectors.IDs {
		inputs[name] = nil
	}
	for name, b := range vectors.Args {
		inputs[name] = unhex(b)
	}
	for variant, input := range inputs {
		name, _, _ := strings.Cut(variant, "/")
		if name == "sign" && variant == name {
			continue // has one vector for each scheme
		}
		modes(t, func(t *testing.T, env *environment) {
			_, _, err := x.Call(context.Background(), env, id(name), input)
			if err != nil && strings.HasSuffix(err.Error(), malformed) {
				t.Errorf("%s: %v", variant, err)
			}
			for n := range input {
				traps(t, x, env, name, input[:n], malformed)
			}
			traps(t, x, env, name, append(input[:len(input):len(input)], 0), malformed)
			_, _, err = x.Call(context.Background(), env, id(name), make([]byte, MaxInput+1))
			var ended *contract.ExtensionError
			if !errors.As(err, &ended) || ended.Status != contract.LimitExceeded {
				t.Errorf("%s, too long: %v", variant, err)
			}
		})
	}
}

// TestArgumentsThatAreNotCanonical: each has another spelling that must not count.
func TestArgumentsThatAreNotCanonical(t *testing.T) {
	x, _ := worker(t)
	for name, input := range map[string]string{
		"get_public_key":                    "03" + "80" + strings.Repeat("07", 32), // no such scheme
		"sign":                              "ff" + "00" + "00",
		"derive_sr25519_key":                "0100",                          // length 0 in two bytes
		"cache_get":                         "fe",                            // a length cut short
		"cache_set":                         "03ffffffff" + "00",             // more than there is
		"log":                               "03" + "08" + "fffe",            // not UTF-8
		"code_exists":                       strings.Repeat("06", 32) + "02", // no bool
		"js_eval":                           "04" + "02" + "00" + "00",       // no such code
		"batch_http_request":                "04" + "00000000",               // a request cut short
		"http_request":                      "04ff" + "00" + "00" + "00",     // URL not UTF-8
		"is_in_transaction":                 "00",
		"current_event_chain_head":          "00",
		"import_latest_system_code":         "00",
		"untrusted_millis_since_unix_epoch": "00",
	} {
		modes(t, func(t *testing.T, env *environment) { traps(t, x, env, name, unhex(input), malformed) })
	}
}

// TestGasBeforeWork: whatever a function does, it is paid for first.
func TestGasBeforeWork(t *testing.T) {
	x, c := worker(t)
	c.HTTP = web(func(context.Context, [32]byte, fetch.Request) (fetch.Response, error) {
		t.Error("a request was made")
		return fetch.Response{}, nil
	})
	c.Quote = func(context.Context) ([]byte, error) {
		t.Error("a quote was made")
		return nil, nil
	}
	x = extension(t, *c)
	for name := range vectors.IDs {
		input := args(name)
		if name == "sign" {
			input = args("sign/0")
		}
		f := functions[id(name)]
		cost := priceDispatch + f.base + f.byte*uint64(len(input))
		modes(t, func(t *testing.T, env *environment) {
			env.limit = cost - 1
			defer func() {
				if recover() != errOutOfGas || len(env.logs)+len(env.commits)+int(env.draws) != 0 || c.Cache.Bytes() != 0 {
					t.Errorf("%s did something", name)
				}
			}()
			x.Call(context.Background(), env, id(name), input)
		})
	}
}

// TestLengthsArePaid: what cannot be priced by the input is charged when it is known.
func TestLengthsArePaid(t *testing.T) {
	x, c := worker(t)
	env := query()
	if err := c.Cache.Set(env.contract, []byte("key"), make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name  string
		input []byte
		extra uint64
	}{
		{"cache_get", args("cache_get"), 1000 * priceCachedByte},
		{"cache_remove", args("cache_remove"), 1000 * priceCachedByte},
		{"getrandom", []byte{255}, 255 * priceRandomByte},
		{"http_request", args("http_request"), (3 + 12 + 10 + 8) * priceResponseByte},
		{"batch_http_request", args("batch_http_request"), 2 * (3 + 12 + 10 + 8) * priceResponseByte},
	} {
		env.used = 0
		run(t, x, env, v.name, v.input)
		f := functions[id(v.name)]
		if want := priceDispatch + f.base + f.byte*uint64(len(v.input)) + v.extra; env.used != want {
			t.Errorf("%s: %d gas, want %d", v.name, env.used, want)
		}
	}
}

// TestCommandsAreTheSameEverywhere: two workers that differ in all that may differ give the same results for the same
// gas, and leave the same work for after the commit.
func TestCommandsAreTheSameEverywhere(t *testing.T) {
	one, c := worker(t)
	if err := c.Cache.Set([32]byte{1}, []byte("key"), []byte("held here")); err != nil {
		t.Fatal(err)
	}
	other := extension(t, Config{
		Cache: cache.New(cache.Limits{}, nil), Worker: [32]byte{0xbb}, Now: func() time.Time { return time.Unix(1, 0) },
	})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	a, b := command(), command()
	for round := range 2 {
		for variant, input := range vectors.Args {
			name, _, _ := strings.Cut(variant, "/")
			compareCommand(t, one, other, a, b, cancelled, name, unhex(input))
		}
		for name := range vectors.IDs {
			if _, has := vectors.Args[name]; !has {
				compareCommand(t, one, other, a, b, cancelled, name, nil)
			}
		}
		if round == 0 && a.draws == 0 {
			t.Error("no randomness was drawn: the signatures are not covered")
		}
	}
}

func compareCommand(t *testing.T, one, other *Extension, a, b *environment, cancelled context.Context, name string, input []byte) {
	t.Helper()
	s1, o1, e1 := one.Call(context.Background(), a, id(name), input)
	s2, o2, e2 := other.Call(cancelled, b, id(name), input)
	if s1 != s2 || !bytes.Equal(o1, o2) || fmt.Sprint(e1) != fmt.Sprint(e2) {
		t.Errorf("%s: %d %x %v, elsewhere %d %x %v", name, s1, o1, e1, s2, o2, e2)
	}
	if a.used != b.used || a.draws != b.draws || !slices.Equal(a.logs, b.logs) || len(a.commits) != len(b.commits) {
		t.Errorf("%s: the calls went different ways", name)
	}
}

func TestIsInTransaction(t *testing.T) {
	x, _ := worker(t)
	gives(t, x, query(), "is_in_transaction", nil, 0, []byte{0})
	gives(t, x, command(), "is_in_transaction", nil, 0, []byte{1})
}

func TestLog(t *testing.T) {
	x, _ := worker(t)
	modes(t, func(t *testing.T, env *environment) {
		gives(t, x, env, "log", args("log"), 0, nil)
		if len(env.logs) != 1 || env.logs[0] != "héllo" || env.levels[0] != 3 {
			t.Errorf("logged %d %q", env.levels, env.logs)
		}
	})
}

func TestGetrandom(t *testing.T) {
	x, _ := worker(t)
	env := query()
	_, a := run(t, x, env, "getrandom", args("getrandom"))
	_, b := run(t, x, env, "getrandom", args("getrandom"))
	if len(a) != 33 || a[0] != 32<<2 || bytes.Equal(a, b) {
		t.Errorf("got %x, then %x", a, b)
	}
	if _, long := run(t, x, env, "getrandom", []byte{255}); len(long) != 2+255 {
		t.Errorf("got %d bytes of 255", len(long))
	}
	gives(t, x, env, "getrandom", []byte{0}, 0, []byte{0})
	gives(t, x, command(), "getrandom", args("getrandom"), 0, []byte{0})
}

func TestBalanceOf(t *testing.T) {
	x, _ := worker(t)
	modes(t, func(t *testing.T, env *environment) {
		env.balances = map[[32]byte]uint128.Uint128{[32]byte(args("balance_of")): uint128.From64(1000)}
		gives(t, x, env, "balance_of", args("balance_of"), 0, wanted("balance_of"))
		gives(t, x, env, "balance_of", make([]byte, 32), 0, make([]byte, 32))
	})
}

func TestWorkerPubkey(t *testing.T) {
	x, c := worker(t)
	gives(t, x, query(), "worker_pubkey", nil, 0, c.Worker[:])
	gives(t, x, command(), "worker_pubkey", nil, 0, make([]byte, 32))
}

func TestUntrustedMillis(t *testing.T) {
	x, c := worker(t)
	gives(t, x, query(), "untrusted_millis_since_unix_epoch", nil, 0, []byte{0x7b, 0x68, 0xe5, 0xcf, 0x8b, 1, 0, 0})
	gives(t, x, command(), "untrusted_millis_since_unix_epoch", nil, 0, make([]byte, 8))
	c.Now = func() time.Time { return time.Unix(-5, 0) }
	gives(t, extension(t, *c), query(), "untrusted_millis_since_unix_epoch", nil, 0, make([]byte, 8))
}

func TestCodeExists(t *testing.T) {
	x, _ := worker(t)
	hash := args("code_exists")[:32]
	modes(t, func(t *testing.T, env *environment) {
		env.codes = map[[32]byte]bool{[32]byte(hash): true}
		gives(t, x, env, "code_exists", append(hash[:32:32], 0), 0, []byte{1})
		gives(t, x, env, "code_exists", append(hash[:32:32], 1), 0, []byte{0}) // no side programs
		gives(t, x, env, "code_exists", make([]byte, 33), 0, []byte{0})
	})
}

func TestSystemContract(t *testing.T) {
	x, _ := worker(t)
	modes(t, func(t *testing.T, env *environment) {
		traps(t, x, env, "system_contract_id", nil, "there is no system contract")
		traps(t, x, env, "import_latest_system_code", args("import_latest_system_code"), "only a system contract imports system code")
	})
}

func TestRuntimeVersion(t *testing.T) {
	x, _ := worker(t)
	modes(t, func(t *testing.T, env *environment) {
		gives(t, x, env, "runtime_version", nil, 0, wanted("runtime_version"))
	})
}

func TestCurrentEventChainHead(t *testing.T) {
	x, _ := worker(t)
	modes(t, func(t *testing.T, env *environment) {
		gives(t, x, env, "current_event_chain_head", nil, 0, make([]byte, 40))
		env.events = contract.EventHead{Count: 3, Hash: [32]byte(bytes.Repeat([]byte{8}, 32))}
		gives(t, x, env, "current_event_chain_head", nil, 0, wanted("event_head"))
	})
}

func TestJsEval(t *testing.T) {
	x, _ := worker(t)
	gives(t, x, query(), "js_eval", args("js_eval"), 0, wanted("js_eval/none"))
	gives(t, x, command(), "js_eval", args("js_eval"), 0, wanted("js_eval"))
}

func TestWorkerSgxQuote(t *testing.T) {
	x, c := worker(t)
	gives(t, x, query(), "worker_sgx_quote", nil, 0, wanted("quote"))
	gives(t, x, command(), "worker_sgx_quote", nil, 0, []byte{0})
	made := 0
	for name, quote := range map[string]func(context.Context) ([]byte, error){
		"none":     nil,
		"fails":    func(context.Context) ([]byte, error) { made++; return []byte{1}, errors.New("device") },
		"empty":    func(context.Context) ([]byte, error) { made++; return nil, nil },
		"too long": func(context.Context) ([]byte, error) { made++; return make([]byte, maxQuote+1), nil },
	} {
		c.Quote = quote
		x, env := extension(t, *c), query()
		made = 0
		for range 3 {
			gives(t, x, env, "worker_sgx_quote", nil, 0, []byte{0})
		}
		if quote != nil && made != 1 {
			t.Errorf("%s: made %d times in one query", name, made)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.Quote = func(ctx context.Context) ([]byte, error) { cancel(); return nil, ctx.Err() }
	if _, _, err := extension(t, *c).Call(ctx, query(), id("worker_sgx_quote"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestNew(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an extension without a cache")
	}
}

// FuzzCall: whatever a contract passes ends in a result or in the end of that contract's call, never in a fault of the
// host, and in a command always in the same.
func FuzzCall(f *testing.F) {
	for variant, input := range vectors.Args {
		name, _, _ := strings.Cut(variant, "/")
		f.Add(id(name), true, unhex(input))
		f.Add(id(name), false, unhex(input))
	}
	for name := range vectors.IDs {
		f.Add(id(name), true, []byte{})
	}
	x, _ := worker(f)
	f.Fuzz(func(t *testing.T, id uint32, inCommand bool, input []byte) {
		one := query()
		one.command = inCommand
		status, out, err := x.Call(context.Background(), one, id, input)
		var ended *contract.ExtensionError
		if err != nil && !errors.As(err, &ended) {
			t.Fatalf("%d: a fault of the host: %v", id, err)
		}
		if one.used < priceDispatch+uint64(len(input)) && ended == nil {
			t.Fatalf("%d: %d gas for %d bytes", id, one.used, len(input))
		}
		if !inCommand {
			return
		}
		status2, out2, err2 := x.Call(context.Background(), command(), id, input)
		if status != status2 || !bytes.Equal(out, out2) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("%d: not the same twice", id)
		}
	})
}
