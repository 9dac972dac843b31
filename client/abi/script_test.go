package abi

import "testing"

// TestScriptIsDescribed checks metadata that no ink! macro wrote: the contract is C, with the ABI of an ink! 5 contract.
func TestScriptIsDescribed(t *testing.T) {
	c := load(t, "../../tests/contracts/script/script.contract")
	same(t, "constructors", signatures(c.Constructors()), []string{"new() mutates"})
	same(t, "messages", signatures(c.Messages()), []string{
		"eval(code: String) -> Result<String, String>",
		"run(code: String, args: Vec<String>) -> Result<String, String>",
	})
	golden(t, c, []call{
		{"new", nil, "9bae9d5e", "0000", `null`},
		{"eval", []string{"1+1"}, "49bfcd240c312b31", "00000432", `{"Ok":"2"}`},
		{"eval", []string{"x"}, "", "00010478", `{"Err":"x"}`},
		{"run", []string{"1", `["a","bc"]`}, "b95b5eb30431080461086263", "00000431", `{"Ok":"1"}`},
	})
}
