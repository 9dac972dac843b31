package contract

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lukechampine.com/uint128"
)

// inkContract is a deployed ink! contract that runs on both engines at once.
type inkContract struct {
	t         *testing.T
	selectors map[string][]byte
	engines   []*Engine
	modules   []*Module
	storage   *MapStorage
}

// bundle is the part of a .contract file that running it needs.
type bundle struct {
	Source struct{ Wasm string }
	Spec   struct {
		Constructors, Messages []struct{ Label, Selector string }
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openExample reads a built contract of the repository. A missing one is a failure: it is committed.
func openExample(t *testing.T, name string) *inkContract {
	t.Helper()
	return openBundle(t, filepath.Join("..", "..", "examples", name, name+".contract"))
}

// openBundle reads a .contract file.
func openBundle(t *testing.T, path string) *inkContract {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bundle
	if err := json.Unmarshal(file, &b); err != nil {
		t.Fatal(err)
	}
	c := &inkContract{t: t, selectors: map[string][]byte{}, storage: newStorage()}
	for _, m := range append(b.Spec.Constructors, b.Spec.Messages...) {
		c.selectors[m.Label] = unhex(t, m.Selector)
	}
	for _, kind := range engines {
		e := startEngine(t, DefaultLimits(), kind.config())
		c.engines = append(c.engines, e)
		c.modules = append(c.modules, prepare(t, e, unhex(t, b.Source.Wasm)))
	}
	return c
}

// send runs a constructor or message as a command would, keeping what it writes only if it is done.
func (c *inkContract) send(call Call, label string, args ...[]byte) Outcome {
	c.t.Helper()
	selector, ok := c.selectors[label]
	if !ok {
		c.t.Fatalf("no message %q", label)
	}
	call.Input = append(bytes.Clone(selector), bytes.Join(args, nil)...)
	var first Outcome
	var written *MapStorage
	for i, e := range c.engines {
		s := c.storage.Clone()
		if call.Value.Cmp(uint128.Zero) != 0 {
			if err := s.Transfer(call.Caller, call.Contract, call.Value); err != nil {
				c.t.Fatal(err)
			}
		}
		out, err := e.Execute(c.t.Context(), c.modules[i], call, s)
		if err != nil {
			c.t.Fatal(err)
		}
		if i == 0 {
			first, written = out, s
			continue
		}
		requireEqual(c.t, label+" on "+engines[i].name, out, first)
		requireEqual(c.t, label+" storage on "+engines[i].name, s, written)
	}
	if first.Status == Done {
		c.storage = written
	}
	c.t.Logf("%s: %s, %d gas, output %x", label, first.Status, first.GasUsed, first.Output)
	return first
}

// want demands a status and an output in hex, in which the first byte is ink!'s outer Ok.
func (c *inkContract) want(call Call, status Status, output, label string, args ...[]byte) Outcome {
	c.t.Helper()
	out := c.send(call, label, args...)
	if out.Status != status || hex.EncodeToString(out.Output) != output {
		c.t.Fatalf("%s: %s %x (%s), want %s %s", label, out.Status, out.Output, out.Reason, status, output)
	}
	return out
}

func as(caller byte) Call {
	c := sampleCall(plenty)
	c.Value = uint128.Zero
	c.Caller = [32]byte{caller}
	return c
}

func i32(v int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

func TestCounter(t *testing.T) {
	c := openExample(t, "counter")
	deploy := as(1)
	deploy.Deploy = true
	c.want(deploy, Done, "0000", "new", i32(5))
	c.want(as(1), Done, "00", "inc")
	c.want(as(1), Done, "0006000000", "get")
	out := c.want(as(2), Done, "0000fe030000", "inc_by", i32(1016))
	if len(out.Events) != 1 || len(out.Events[0].Topics) != 2 {
		t.Fatalf("events %+v", out.Events)
	}
	requireEqual(t, "event data", out.Events[0].Data, append(i32(1016), i32(1022)...))
	requireEqual(t, "topic of the event", hex.EncodeToString(out.Events[0].Topics[0]),
		"488c402557cfc0ee7db6a38b3952dbfc30eb22c6edff59bf6c06934da3a18b6b")
	c.want(as(1), Reverted, "000100", "inc_by", i32(1<<31-1))
	c.want(as(1), Done, "00fe030000", "get")
	c.want(as(1), Done, "0000ffffff7f", "inc_by", i32(1<<31-1-1022))
	if out := c.send(as(1), "inc"); out.Status != Unreachable {
		t.Fatalf("increment above the maximum: %+v", out)
	}
	c.want(as(1), Done, "00ffffff7f", "get")
}

func TestCounterDeposits(t *testing.T) {
	c := openExample(t, "counter")
	alice := as(1)
	c.storage.balances[alice.Caller] = uint128.From64(1000)
	deploy := as(9)
	deploy.Deploy = true
	c.want(deploy, Done, "0000", "default")
	pay := alice
	pay.Value = uint128.From64(300)
	c.want(pay, Done, "0000"+"2c01"+strings.Repeat("00", 14), "deposit")
	c.want(alice, Done, "00"+"2c01"+strings.Repeat("00", 14), "balance")
	if out := c.send(pay, "inc"); out.Status == Done {
		t.Fatalf("a message that takes no payment took it: %+v", out)
	}
	amount := func(v byte) []byte { return append([]byte{v}, make([]byte, 15)...) }
	c.want(as(2), Reverted, "000101", "withdraw", amount(1))
	c.want(alice, Done, "0000"+"c800"+strings.Repeat("00", 14), "withdraw", amount(100))
	requireEqual(t, "balance", c.storage.balances[alice.Caller], uint128.From64(800))
	// A ledger that has lost the contract's money: the transfer fails, and so does all of the message.
	c.storage.balances[alice.Contract] = uint128.Zero
	c.want(alice, Reverted, "000102", "withdraw", amount(100))
	c.want(alice, Done, "00"+"c800"+strings.Repeat("00", 14), "deposited")
}

// TestInkMisuse sends what is not a message of the contract.
func TestInkMisuse(t *testing.T) {
	c := openExample(t, "counter")
	for _, input := range [][]byte{nil, {1}, {1, 2, 3, 4}, c.selectors["new"], make([]byte, 17<<10)} {
		for _, deploy := range []bool{true, false} {
			for i, e := range c.engines {
				call := as(1)
				call.Deploy, call.Input = deploy, input
				out, err := e.Execute(t.Context(), c.modules[i], call, newStorage())
				if err != nil || out.Status == Done {
					t.Fatalf("input %x: %+v, %v", input[:min(len(input), 8)], out, err)
				}
			}
		}
	}
}

func TestAuction(t *testing.T) {
	c := openExample(t, "auction")
	amount := func(v byte) []byte { return append([]byte{v}, make([]byte, 15)...) }
	money := func(v byte) string { return hex.EncodeToString(amount(v)) }
	account := func(v byte) string { return hex.EncodeToString(append([]byte{v}, make([]byte, 31)...)) }
	title := append([]byte{4 << 2}, "Lamp"...)
	owner, alice, bob := as(9), as(1), as(2)
	deploy := owner
	deploy.Deploy = true
	c.want(deploy, Done, "0000", "new", amount(10), title)
	c.want(alice, Reverted, "000103", "bid", amount(9))
	if out := c.want(alice, Done, "0000", "bid", amount(50)); len(out.Events) != 1 {
		t.Fatalf("events %+v", out.Events)
	}
	c.want(bob, Done, "0000", "bid", amount(70))
	c.want(alice, Done, "0001"+money(50), "my_bid")
	c.want(as(3), Done, "0000", "my_bid")
	c.want(alice, Reverted, "000101", "winner")
	c.want(alice, Reverted, "000102", "close")
	c.want(owner, Done, "000001"+account(2)+money(70), "close")
	c.want(alice, Done, "000001"+account(2)+money(70), "winner")
	c.want(alice, Reverted, "000100", "bid", amount(90))
	c.want(alice, Done, "00"+hex.EncodeToString(title), "title")
}
