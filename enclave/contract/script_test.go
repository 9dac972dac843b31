package contract

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"lukechampine.com/uint128"
)

// openScript reads the contract that embeds a JavaScript interpreter.
func openScript(t *testing.T) *inkContract {
	t.Helper()
	return openBundle(t, filepath.Join("..", "..", "tests", "contracts", "script", "script.contract"))
}

// scaleText encodes a string for a contract: a compact length and the bytes.
func scaleText(s string) []byte {
	n := len(s)
	switch {
	case n < 1<<6:
		return append([]byte{byte(n << 2)}, s...)
	case n < 1<<14:
		return append([]byte{byte(n<<2 | 1), byte(n >> 6)}, s...)
	default:
		return append([]byte{byte(n<<2 | 2), byte(n >> 6), byte(n >> 14), byte(n >> 22)}, s...)
	}
}

// wantText runs a message and demands its Result<String, String>: Ok from a call that is done, Err from one that reverts.
func (c *inkContract) wantText(call Call, status Status, text, label string, args ...[]byte) {
	c.t.Helper()
	variant := byte(0)
	if status == Reverted {
		variant = 1
	}
	output := append([]byte{0, variant}, scaleText(text)...)
	c.want(call, status, hex.EncodeToString(output), label, args...)
}

func withGas(gas uint64) Call {
	call := as(1)
	call.GasLimit = gas
	return call
}

func TestScriptEvaluates(t *testing.T) {
	c := openScript(t)
	deploy := as(1)
	deploy.Deploy = true
	c.want(deploy, Done, "0000", "new")
	cases := []struct {
		code   string
		status Status
		text   string
	}{
		{"1+1", Done, "2"},
		{"", Done, "undefined"},
		{"[0.1+0.2, 1e21, 1/3, -0, 5e-324, 0/0].join()", Done, "0.30000000000000004,1e+21,0.3333333333333333,0,5e-324,NaN"},
		{"[Math.sin(1), Math.pow(2, 0.5), Math.exp(1), Math.log(10)].join()", Done,
			"0.8414709848078965,1.4142135623730951,2.718281828459045,2.302585092994046"},
		{"2n ** 100n", Done, "1267650600228229401496703205376"},
		{"'ab'.repeat(3).toUpperCase() + 'é€😀'.length", Done, "ABABAB4"},
		{"'é€😀'", Done, "é€😀"},
		{`'\ud800x'`, Done, "�x"}, // a lone surrogate has no UTF-8
		{`JSON.stringify({a: [1, {b: null}]}) + JSON.parse('{"c":"d"}').c`, Done, `{"a":[1,{"b":null}]}d`},
		{"const add = a => b => a + b; add(3)(4)", Done, "7"},
		{`'2024-05-06'.replace(/(\d+)-(\d+)-(?<d>\d+)/u, '$<d>.$2.$1')`, Done, "06.05.2024"},
		{"[5, 3, 11].sort().join() + [5, 3, 11].sort((a, b) => a - b)", Done, "11,3,53,5,11"},
		{"Array.from({length: 1000}, (_, i) => i * 7919 % 1000).sort((a, b) => a - b).every((v, i) => v === i)", Done, "true"},
		{"(async () => { await 1; return 'later' })()", Done, "later"},
		{"new Date().toISOString() + new Date(0).getTimezoneOffset()", Done, "2023-11-14T22:13:20.123Z0"},
		{"Math.random() === Math.random()", Done, "false"},
		{"[typeof std, typeof os, typeof print, typeof Atomics, scriptArgs.length].join()", Done,
			"undefined,undefined,undefined,undefined,0"},
		{"let n = 0; const f = () => { n++; f() }; try { f() } catch { n > 60 }", Done, "true"},

		{"throw new TypeError('no')", Reverted, "TypeError: no"},
		{"throw {toString() { throw 1 }}", Reverted, "Error"},
		{"x.y", Reverted, "ReferenceError: 'x' is not defined"},
		{"1 +", Reverted, "SyntaxError: unexpected token in expression: ''"},
		{"Symbol()", Reverted, "TypeError: cannot convert symbol to string"},
		{"Promise.reject(new RangeError('far'))", Reverted, "RangeError: far"},
		{"new Promise(() => {})", Reverted, "TypeError: the promise is never settled"},
		{"import('x')", Reverted, "ReferenceError: could not load module 'x'"},
		{"'x'.repeat(65529)", Done, strings.Repeat("x", 65529)},
		{"'x'.repeat(65531)", Reverted, "RangeError: the result is too long"},
	}
	for _, tc := range cases {
		c.wantText(as(1), tc.status, tc.text, "eval", scaleText(tc.code))
	}
	args := bytes.Join([][]byte{{2 << 2}, scaleText("a b"), scaleText("ü")}, nil)
	c.wantText(as(1), Done, `["a b","ü"]`, "run", scaleText("JSON.stringify(scriptArgs)"), args)
}

// TestScriptIsBounded runs scripts that use up what a contract may use. What a script can catch, the contract survives.
func TestScriptIsBounded(t *testing.T) {
	c := openScript(t)
	const caught = "try { %; 'not caught' } catch (e) { String(e) }"
	for code, text := range map[string]string{
		"(function f() { f() })()":                        "InternalError: stack overflow",
		"(function f() { [1].map(f) })()":                 "InternalError: stack overflow",
		"new (class A { constructor() { new A() } })()":   "InternalError: stack overflow",
		"`${{toString() { return `${this}` }}}`":          "InternalError: stack overflow",
		"JSON.parse('['.repeat(1e4))":                     "SyntaxError: stack overflow",
		"new RegExp('(?:'.repeat(3e3) + ')'.repeat(3e3))": "SyntaxError: stack overflow",
		"new ArrayBuffer(1e9)":                            "InternalError: out of memory",
		"'x'.repeat(1e8)":                                 "InternalError: out of memory",
		"'x'.repeat(2 ** 30)":                             "RangeError: invalid string length",
		"for (let a = [];;) a.push(new ArrayBuffer(1e6))": "InternalError: out of memory",
	} {
		c.wantText(withGas(1<<26), Done, text, "eval", scaleText(strings.Replace(caught, "%", code, 1)))
	}
	for _, code := range []string{"for (;;);", "(async () => { for (;;) await 1 })()", "/(a*)*b/.test('a'.repeat(30))"} {
		if out := c.send(withGas(1<<23), "eval", scaleText(code)); out.Status != OutOfGas || out.GasUsed != 1<<23 {
			t.Errorf("%s: %+v", code, out)
		}
	}
	many := append([]byte{2, 0, 1, 0}, make([]byte, 1<<14)...)
	c.wantText(withGas(1<<28), Done, "16384", "run", scaleText("scriptArgs.length"), many)
	nested := strings.Repeat("(", 1e4) + strings.Repeat(")", 1e4)
	if out := c.send(as(1), "eval", scaleText(nested)); out.Status != DepthExceeded {
		t.Errorf("nested source: %+v", out)
	}
}

// TestScriptRefuses sends what is not a message of the contract, for which ink! has one answer.
func TestScriptRefuses(t *testing.T) {
	c := openScript(t)
	for _, args := range [][]byte{
		nil, {3}, {4 << 2, 'a'}, {1 << 2, 0xff}, {3 << 2, 0xed, 0xa0, 0x80}, {0xfe, 0xff, 0xff, 0xff},
		{1<<2 | 1, 0, 'a'}, {1<<2 | 2, 0, 0, 0, 'a'}, // lengths that are not in their shortest form
	} {
		c.want(as(1), Reverted, "0101", "eval", args)
	}
	c.want(as(1), Reverted, "0101", "run", scaleText("1"), []byte{2 << 2}, scaleText("one of two"))
	c.want(as(1), Reverted, "0101", "run", scaleText("1"), []byte{0xfe, 0xff, 0xff, 0xff})
	c.want(as(1), Reverted, "0101", "new")
	deploy := as(1)
	deploy.Deploy = true
	c.want(deploy, Reverted, "0101", "eval", scaleText("1"))
	paid := as(1)
	paid.Value = uint128.From64(1)
	c.storage.balances[paid.Caller] = paid.Value
	if out := c.send(paid, "eval", scaleText("1")); out.Status != Unreachable {
		t.Errorf("a payment was taken: %+v", out)
	}
}
