package contract

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"
)

// The vectors of testdata/oracle.json say what pallet-contracts does; tests/oracle writes them and explains the format.
type oracleFile struct {
	Oracle         string            `json:"oracle"`
	Block          uint64            `json:"block"`
	TimeMillis     uint64            `json:"time_millis"`
	FeePerGas      uint64            `json:"fee_per_gas"`
	MinimumBalance uint64            `json:"minimum_balance"`
	Depth          int               `json:"depth"`
	Codes          map[string]string `json:"codes"`
	Cases          []oracleCase      `json:"cases"`
}

type oracleCase struct {
	Name  string       `json:"name"`
	Steps []oracleStep `json:"steps"`
}

type oracleStep struct {
	Deploy, Replace, Caller, Contract, Input string
	Value                                    uint64
	Result                                   oracleOutcome
}

type oracleOutcome struct {
	Status    string
	Output    string
	Debug     string
	Events    []oracleEvent
	Created   []string
	Contracts map[string]oracleState
	Balances  map[string]int64
}

type oracleEvent struct {
	Contract string
	Topics   []string
	Data     string
}

type oracleState struct {
	Code    string
	Storage map[string]string
}

// oracleFunds is what each account holds when a case begins; balances in vectors are relative to it.
const oracleFunds = 1_000_000_000_000

// oracleUsers are the accounts of people; the hashes of their names are their ids.
var oracleUsers = []string{"alice", "bob", "carol", "dave"}

// oracleGas is enough to pay even for lengths of 4 GiB, which must be refused for what they are. A callee that never
// ends is given little by its caller.
const oracleGas = 1 << 50

// oracleStatuses are the ways in which calls may end here for each error of the pallet.
var oracleStatuses = map[string][]Status{
	"done":     {Done},
	"reverted": {Reverted},
	"ContractTrapped": {
		Unreachable, DivisionByZero, IntegerOverflow, BadMemoryAccess, BadIndirectCall, DepthExceeded,
	},
	"OutOfBounds":                       {BadMemoryAccess},
	"DecodingFailed":                    {BadMemoryAccess, LimitExceeded, Trapped},
	"ValueTooLarge":                     {LimitExceeded},
	"TooManyTopics":                     {LimitExceeded},
	"RandomSubjectTooLong":              {LimitExceeded},
	"OutOfTransientStorage":             {LimitExceeded},
	"OutputBufferTooSmall":              {Trapped},
	"InputForwarded":                    {Trapped},
	"InvalidCallFlags":                  {Trapped},
	"ReentranceDenied":                  {Trapped},
	"StateChangeDenied":                 {Trapped},
	"DuplicateContract":                 {Trapped},
	"TerminatedInConstructor":           {Trapped},
	"CodeNotFound":                      {Trapped},
	"CannotAddSelfAsDelegateDependency": {Trapped},
	"DelegateDependencyAlreadyExists":   {Trapped},
	"DelegateDependencyNotFound":        {Trapped},
	"CodeRejected":                      {Unsupported}, // a chain extension where there is none
}

// oracleDifferences are the cases that end otherwise here: what this engine does instead, and why.
var oracleDifferences = map[string]struct{ here, why string }{
	"context: return of 4 GiB": {
		"step 1: status: got limit exceeded", "output has a bound of its own, which is looked at before the memory",
	},
	"machine: start function": {
		"a start function is not allowed", "no compiler of contracts makes one, and what it may do would be a rule of its own",
	},
	"instantiate: instantiation_nonce after a call that made one reverted": {
		"got 020000000100000000000000", "the pallet counts what a reverted call made; here nothing is left of it",
	},
	"call_runtime: not a call": {
		"step 1: status: got done", "there is no runtime beside contracts, so that no call of one is decoded: every one fails",
	},
	"xcm_execute: not a message": {
		"step 1: status: got done", "there is no XCM, so that no message is decoded: every one fails",
	},
	"xcm_send: not a message": {
		"step 1: status: got done", "there is no XCM, so that no message is decoded: every one fails",
	},
	"xcm_send: a good message": {
		"got 0e000000", "the oracle's runtime drops messages and reports success; here each fails",
	},
}

// oracleUnchecked are functions that pallet-contracts 51 has no more, so that it cannot say what they do. Of the module
// of functions that were not final it has none.
var oracleUnchecked = map[hostName]bool{
	{"seal0", "add_delegate_dependency"}:    true,
	{"seal0", "remove_delegate_dependency"}: true,
	{"seal0", "gas_price"}:                  true,
	{"seal0", "seal_gas_price"}:             true,
}

func readOracle(t *testing.T) oracleFile {
	t.Helper()
	text, err := os.ReadFile("testdata/oracle.json")
	if err != nil {
		t.Fatal(err)
	}
	var file oracleFile
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOracle replays every case of the pallet on both engines of wazero. A case that is listed as different must differ
// as the list says.
func TestOracle(t *testing.T) {
	file := readOracle(t)
	limits := DefaultLimits()
	limits.ValueBytes = 16 << 10 // as the pallet's; ours are those of Phala's pink runtime
	limits.CallDepth = file.Depth
	limits.FeePerGas = file.FeePerGas
	limits.MinimumBalance = uint128.From64(file.MinimumBalance)
	for _, kind := range engines {
		t.Run(kind.name, func(t *testing.T) {
			e := startEngine(t, limits, kind.config())
			listed := maps.Clone(oracleDifferences)
			for _, c := range file.Cases {
				got, known := replayOracle(t, e, &file, c), oracleDifferences[c.Name]
				delete(listed, c.Name)
				if known.here == "" && got != "" || !strings.Contains(got, known.here) {
					t.Errorf("%s: %s\nlisted difference: %q", c.Name, cmp.Or(got, "as the pallet has it"), known.here)
				}
			}
			for name := range listed {
				t.Errorf("%s is listed as different and is no case", name)
			}
		})
	}
}

// TestOracleKnowsEveryFunction: the vectors' contracts import every function that the engine offers, under each of its
// names, but those that are listed as unknown to the pallet. That all that is imported is called the oracle sees to.
func TestOracleKnowsEveryFunction(t *testing.T) {
	file := readOracle(t)
	imported := map[hostName]bool{}
	runtime := wazero.NewRuntime(t.Context())
	defer runtime.Close(t.Context())
	for name, text := range file.Codes {
		code, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(name, err)
		}
		m, err := runtime.CompileModule(t.Context(), code)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, f := range m.ImportedFunctions() {
			module, function, _ := f.Import()
			imported[hostName{module, function}] = true
		}
	}
	for name := range offered() {
		unchecked := oracleUnchecked[name] || name.module == unstableModule
		if imported[name] == unchecked {
			t.Errorf("%s %s: imported by a contract of the oracle %v, listed as unchecked %v", name.module, name.name,
				imported[name], unchecked)
		}
	}
}

// oracleRun is a case under way: its storage and the names of what is in it.
type oracleRun struct {
	t       *testing.T
	file    *oracleFile
	storage *MapStorage
	ids     map[string][32]byte // of accounts and contracts
	hashes  map[string][32]byte // of code
}

// replayOracle runs a case and says what is not as the pallet has it.
func replayOracle(t *testing.T, e *Engine, file *oracleFile, c oracleCase) string {
	t.Helper()
	r := &oracleRun{
		t: t, file: file, storage: NewMapStorage(), ids: map[string][32]byte{}, hashes: map[string][32]byte{},
	}
	for _, name := range oracleUsers {
		r.ids[name] = blake2b.Sum256([]byte(name))
		r.storage.Fund(r.ids[name], uint128.From64(oracleFunds))
	}
	r.hashes["unknown"] = [32]byte(slices.Repeat([]byte{0xdd}, 32))
	for _, s := range c.Steps {
		r.upload(s)
	}
	for i, s := range c.Steps {
		if differs := r.step(e, s); differs != "" {
			return "step " + strconv.Itoa(i) + ": " + differs
		}
	}
	return ""
}

// upload makes the code that a step names known.
func (r *oracleRun) upload(s oracleStep) {
	r.t.Helper()
	names := []string{s.Deploy, s.Replace}
	for _, part := range strings.Split(s.Input, "${code:")[1:] {
		name, _, _ := strings.Cut(part, "}")
		names = append(names, name)
	}
	for _, name := range names {
		if name != "" && name != "unknown" {
			r.hashes[name] = r.storage.Upload(r.bytes(r.file.Codes[name]))
		}
	}
}

// bytes decodes hex in which ${name} stands for 32 bytes.
func (r *oracleRun) bytes(text string) []byte {
	r.t.Helper()
	var out []byte
	for rest := text; ; {
		plain, after, more := strings.Cut(rest, "${")
		b, err := hex.DecodeString(plain)
		if err != nil {
			r.t.Fatalf("%q: %v", text, err)
		}
		out = append(out, b...)
		if !more {
			return out
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		id := r.id(name)
		out = append(out, id[:]...)
	}
}

func (r *oracleRun) id(name string) [32]byte {
	r.t.Helper()
	known, name2 := r.ids, name
	if code, ok := strings.CutPrefix(name, "code:"); ok {
		known, name2 = r.hashes, code
	}
	id, ok := known[name2]
	if !ok {
		r.t.Fatalf("nothing is called %q", name)
	}
	return id
}

// step runs one transaction and says what differs.
func (r *oracleRun) step(e *Engine, s oracleStep) string {
	r.t.Helper()
	want := s.Result
	storage, input := r.storage.Clone(), r.bytes(s.Input)
	caller, value := r.id(s.Caller), uint128.From64(s.Value)
	if s.Deploy != "" {
		id, err := storage.Create(caller, r.hashes[s.Deploy], input, []byte(s.Contract))
		if err != nil {
			r.t.Fatal(err)
		}
		r.ids[s.Contract] = id
	}
	id := r.id(s.Contract)
	hash, alive := storage.CodeHash(id)
	if !alive {
		return differ("status", "ContractNotFound", want.Status)
	}
	if err := storage.Transfer(caller, id, value); err != nil {
		r.t.Fatal(err)
	}
	call := Call{
		Deploy: s.Deploy != "", Contract: id, Caller: caller, Input: input, Value: value, GasLimit: oracleGas,
		Height: r.file.Block, TimeMillis: r.file.TimeMillis,
	}
	m, err := e.Prepare(r.t.Context(), storage.Code(hash))
	if err != nil {
		return err.Error()
	}
	out, err := e.Execute(r.t.Context(), m, call, storage)
	if err != nil {
		return err.Error()
	}
	if out.Status == Done {
		r.storage = storage
	}
	if s.Replace != "" {
		r.hashes[s.Deploy] = r.hashes[s.Replace] // the pallet still counts it as the code that was deployed
		delete(r.hashes, s.Replace)
		r.storage.SetCodeHash(id, r.hashes[s.Deploy])
	}
	r.name(out.Created)
	return cmp.Or(r.compareOutcome(want, out), r.compareContracts(want), r.compareBalances(want))
}

// name calls the contracts that contracts made after their code.
func (r *oracleRun) name(created []Created) {
	for _, c := range created {
		n := 1
		for code := r.codeName(c.CodeHash); ; n++ {
			name := code + "#" + strconv.Itoa(n)
			if _, taken := r.ids[name]; !taken {
				r.ids[name] = c.Contract
				break
			}
		}
	}
}

func (r *oracleRun) codeName(hash [32]byte) string {
	for name, h := range r.hashes {
		if h == hash {
			return name
		}
	}
	return "?"
}

func differ(what string, got, want any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	return fmt.Sprintf("%s:\n got %v\nwant %v", what, got, want)
}

// compareOutcome looks at how the call ended, what it returned and said, and what it emitted and made.
func (r *oracleRun) compareOutcome(want oracleOutcome, out Outcome) string {
	statuses, known := oracleStatuses[want.Status]
	if !known {
		r.t.Fatalf("no status is listed for %s", want.Status)
	}
	if !slices.Contains(statuses, out.Status) {
		return fmt.Sprintf("status: got %s (%s), want %s", out.Status, out.Reason, want.Status)
	}
	var events []string
	for _, e := range out.Events {
		events = append(events, fmt.Sprintf("%x %x %x", e.Contract, e.Topics, e.Data))
	}
	var wanted []string
	for _, e := range want.Events {
		topics := [][]byte{}
		for _, topic := range e.Topics {
			topics = append(topics, r.bytes(topic))
		}
		wanted = append(wanted, fmt.Sprintf("%x %x %x", r.id(e.Contract), topics, r.bytes(e.Data)))
	}
	var created []string
	for _, c := range out.Created {
		for name, id := range r.ids {
			if id == c.Contract {
				created = append(created, name)
			}
		}
	}
	slices.Sort(created)
	return cmp.Or(
		differ("created", created, want.Created),
		differ("output", hex.EncodeToString(out.Output), hex.EncodeToString(r.bytes(want.Output))),
		differ("debug", hex.EncodeToString(out.Debug), want.Debug),
		differ("events", events, wanted),
	)
}

// compareContracts looks at the code and the storage of all contracts.
func (r *oracleRun) compareContracts(want oracleOutcome) string {
	got, wanted := map[string]string{}, map[string]string{}
	for name, id := range r.ids {
		hash, alive := r.storage.CodeHash(id)
		if !alive {
			continue
		}
		got[name] = r.codeName(hash)
		for key, value := range r.storage.Stored(id) {
			if key[0] != keyDependencies { // the pallet does not keep them in the contract's storage
				got[fmt.Sprintf("%s %c %x", name, key[0], key[1:])] = hex.EncodeToString([]byte(value))
			}
		}
	}
	for name, state := range want.Contracts {
		wanted[name] = state.Code
		for text, value := range state.Storage {
			kind := byte(keyVariable)
			key, fixed := strings.CutPrefix(text, "fixed:")
			if fixed {
				kind = keyFixed
			}
			wanted[fmt.Sprintf("%s %c %x", name, kind, r.bytes(key))] = hex.EncodeToString(r.bytes(value))
		}
	}
	return differ("contracts", got, wanted)
}

// compareBalances looks at what every account gained.
func (r *oracleRun) compareBalances(want oracleOutcome) string {
	got, wanted := map[string]int64{}, map[string]int64{}
	for name, id := range r.ids {
		gained := int64(r.storage.Balance(id).Lo)
		if slices.Contains(oracleUsers, name) {
			gained -= oracleFunds
		}
		if gained != 0 {
			got[name] = gained
		}
	}
	maps.Copy(wanted, want.Balances)
	return differ("balances", got, wanted)
}
