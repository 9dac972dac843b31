package abi

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
)

const (
	counterFile = "../../examples/counter/counter.contract"
	auctionFile = "../../examples/auction/auction.contract"
)

func signatures(list []*Message) (out []string) {
	for _, m := range list {
		text := m.Signature()
		if m.Payable {
			text += " payable"
		}
		if m.Mutates {
			text += " mutates"
		}
		out = append(out, text)
	}
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCounterIsAsItsSource(t *testing.T) {
	c := load(t, counterFile)
	if c.Name != "counter" || c.MetadataVersion != 5 || c.Language != "ink! 5.1.1" || blake2b.Sum256(c.Wasm()) != c.CodeHash() {
		t.Errorf("%s, metadata %d, %s", c.Name, c.MetadataVersion, c.Language)
	}
	same(t, "constructors", signatures(c.Constructors()), []string{"new(init: i32) mutates", "default() mutates"})
	same(t, "messages", signatures(c.Messages()), []string{
		"inc() mutates",
		"inc_by(by: i32) -> Result<i32, Error> mutates",
		"get() -> i32",
		"deposit() -> Result<u128, Error> payable mutates",
		"deposited() -> u128",
		"withdraw(amount: u128) -> Result<u128, Error> mutates",
		"balance() -> u128",
	})
	golden(t, c, []call{
		{"new", []string{"-1"}, "9bae9d5effffffff", "00", `null`},
		{"default", nil, "ed4b9d1b", "0000", `null`}, // as ink!'s code writes it
		{"get", nil, "2f865bd9", "002a000000", `42`},
		{"inc_by", []string{"5"}, "", "000007000000", `{"Ok":7}`},
		{"inc_by", []string{"5"}, "", "000100", `{"Err":"Overflow"}`},
		{"withdraw", []string{"1000000000000"}, "", "000102", `{"Err":"TransferFailed"}`},
	})
	goldenEvents(t, c, []emitted{{"Incremented(i32,i32)", "05000000f9ffffff", "Incremented", `{"by":5,"value":-7}`}})
}

func TestAuctionIsAsItsSource(t *testing.T) {
	c := load(t, auctionFile)
	if c.Name != "auction" || blake2b.Sum256(c.Wasm()) != c.CodeHash() {
		t.Errorf("%s", c.Name)
	}
	same(t, "constructors", signatures(c.Constructors()), []string{"new(reserve: u128, title: String) -> Result<(), Error> mutates"})
	same(t, "messages", signatures(c.Messages()), []string{
		"bid(amount: u128) -> Result<(), Error> mutates",
		"close() -> Result<Option<(AccountId, u128)>, Error> mutates",
		"my_bid() -> Option<u128>",
		"winner() -> Result<Option<(AccountId, u128)>, Error>",
		"bidders() -> u32",
		"is_open() -> bool",
		"reserve() -> u128",
		"title() -> String",
		"owner() -> AccountId",
	})
	won := aliceHex + "46000000000000000000000000000000"
	golden(t, c, []call{
		{"new", []string{"10", "A painting"}, "9bae9d5e" + "0a000000000000000000000000000000" + "2841207061696e74696e67", "0000", `{"Ok":null}`},
		{"new", []string{"10", "A painting"}, "", "000105", `{"Err":"TitleTooLong"}`},
		{"bid", []string{"70"}, "", "0000", `{"Ok":null}`},
		{"bid", []string{"70"}, "", "000103", `{"Err":"TooLow"}`},
		{"close", nil, "", "000102", `{"Err":"NotOwner"}`},
		{"close", nil, "", "000001" + won, `{"Ok":["` + alice + `","70"]}`},
		{"winner", nil, "", "000000", `{"Ok":null}`},
		{"winner", nil, "", "0101", `{"LangError":"CouldNotReadInput"}`},
		{"my_bid", nil, "", "0000", `null`},
		{"my_bid", nil, "", "000146000000000000000000000000000000", `"70"`},
		{"is_open", nil, "", "0001", `true`},
	})
	goldenEvents(t, c, []emitted{
		{"BidPlaced(u32)", "02000000", "BidPlaced", `{"bidders":2}`},
		{"Closed(Option<AccountId>,Option<Balance>)", "01" + aliceHex + "01" + won[64:], "Closed", `{"winner":"` + alice + `","amount":"70"}`},
		{"Closed(Option<AccountId>,Option<Balance>)", "0000", "Closed", `{"winner":null,"amount":null}`},
	})
}

// emitted is an event: its declaration, whose hash is its first topic, and its data in hex.
type emitted struct{ declaration, data, name, json string }

func goldenEvents(t *testing.T, c *Contract, events []emitted) {
	t.Helper()
	for _, e := range events {
		raw, err := hex.DecodeString(e.data)
		if err != nil {
			t.Fatal(err)
		}
		topics := [][32]byte{blake2b.Sum256([]byte(e.declaration)), {1, 2, 3}}
		name, fields, err := c.DecodeEvent(topics, raw)
		if err != nil || name != e.name || string(fields) != e.json {
			t.Errorf("%s: decoded %s %s, %v; want %s", e.declaration, name, fields, err, e.json)
		}
	}
}

// A selector is the beginning of the hash of the message's name, whoever computes it.
func TestSelectors(t *testing.T) {
	for _, path := range []string{counterFile, auctionFile} {
		c := load(t, path)
		for _, m := range append(c.Constructors(), c.Messages()...) {
			if hash := blake2b.Sum256([]byte(m.Label)); m.Selector != [4]byte(hash[:4]) {
				t.Errorf("%s: selector %x", m.Label, m.Selector)
			}
		}
	}
}

// call is an exchange with a contract: input and output in hex, where an empty input is not compared.
type call struct {
	message string
	args    []string
	input   string
	output  string
	json    string
}

func golden(t *testing.T, c *Contract, calls []call) {
	t.Helper()
	for _, e := range calls {
		m, err := c.Message(e.message)
		if err != nil {
			m, err = c.Constructor(e.message)
		}
		if err != nil {
			t.Error(err)
			continue
		}
		input, err := c.EncodeCall(m, e.args)
		if got := hex.EncodeToString(input); err != nil || (e.input != "" && got != e.input) {
			t.Errorf("%s %v: encoded %s, %v; want %s", e.message, e.args, got, err, e.input)
		}
		raw, err := hex.DecodeString(e.output)
		if err != nil {
			t.Fatal(err)
		}
		out, isErr, err := c.DecodeOutput(m, raw)
		wantErr := strings.HasPrefix(e.json, `{"Err"`) || strings.HasPrefix(e.json, `{"LangError"`)
		if err != nil || string(out) != e.json || isErr != wantErr || !json.Valid(out) {
			t.Errorf("%s: %s decoded to %s, %v, %v; want %s", e.message, e.output, out, isErr, err, e.json)
		}
	}
}
