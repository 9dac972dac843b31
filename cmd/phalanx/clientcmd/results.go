package clientcmd

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/wire"
)

// eventView is an event as the contract's metadata names it; one that it does not know is shown raw.
type eventView struct {
	Contract wire.ContractID `json:"contract"`
	Name     string          `json:"name,omitempty"`
	Fields   json.RawMessage `json:"fields,omitempty"`
	Topics   []string        `json:"topics,omitempty"`
	Data     string          `json:"data,omitempty"`
}

// execution is what is shown of an outcome.
type execution struct {
	Status  string          `json:"status"`
	Output  json.RawMessage `json:"output"` // null where there is none that the metadata can read
	Fault   string          `json:"fault,omitempty"`
	Events  []eventView     `json:"events"`
	GasUsed uint64          `json:"gas_used"`

	contract wire.ContractID // the called one
}

// metadataOf returns a contract's metadata, or nil where it is not known here.
type metadataOf func(wire.ContractID) *abi.Contract

// knowing returns the metadata of the called contract as given, and of others as deploy remembered it.
func (s *session) knowing(called wire.ContractID, c *abi.Contract) metadataOf {
	known := map[wire.ContractID]*abi.Contract{called: c}
	return func(id wire.ContractID) *abi.Contract {
		if _, asked := known[id]; !asked {
			other, err := s.metadata(id, "")
			if err != nil {
				other = nil // its events are shown raw
			}
			known[id] = other
		}
		return known[id]
	}
}

// executionOf reads the outcome of a message of a contract. An event is read by the metadata of whichever contract
// emitted it.
func executionOf(id wire.ContractID, known metadataOf, m *abi.Message, o wire.Outcome) execution {
	out := execution{
		contract: id, Status: o.Status.String(), Fault: printable([]byte(o.Fault)), GasUsed: o.GasUsed, Output: json.RawMessage("null"), Events: []eventView{},
	}
	if value, _, err := known(id).DecodeOutput(m, o.Output); err == nil {
		out.Output = value
	}
	for _, e := range o.Events {
		out.Events = append(out.Events, eventOf(known(e.Contract), e))
	}
	return out
}

// eventOf reads an event by the metadata of its contract, which is nil where it is not known.
func eventOf(c *abi.Contract, e wire.Event) eventView {
	v := eventView{Contract: e.Contract}
	if c != nil {
		topics := make([][32]byte, len(e.Topics))
		for i, t := range e.Topics {
			copy(topics[i][:], t)
		}
		name, fields, err := c.DecodeEvent(topics, e.Data)
		if err == nil {
			v.Name, v.Fields = name, fields
			return v
		}
	}
	for _, t := range e.Topics {
		v.Topics = append(v.Topics, "0x"+hex.EncodeToString(t))
	}
	v.Data = "0x" + hex.EncodeToString(e.Data)
	return v
}

func (e execution) text(w io.Writer) {
	fmt.Fprintf(w, "status    %s\n", e.Status)
	if e.Fault != "" && e.Fault != e.Status {
		fmt.Fprintf(w, "fault     %s\n", oneLine(strings.TrimPrefix(e.Fault, e.Status+": ")))
	}
	if string(e.Output) != "null" {
		fmt.Fprintf(w, "output    %s\n", printable(e.Output))
	}
	for _, v := range e.Events {
		words := append(slices.Clone(v.Topics), v.Data)
		if v.Name != "" {
			words = []string{v.Name, printable(v.Fields)}
		}
		if v.Contract != e.contract {
			words = append(words, "of contract", v.Contract.String())
		}
		fmt.Fprintf(w, "event     %s\n", strings.Join(words, " "))
	}
	fmt.Fprintf(w, "gas used  %d\n", e.GasUsed)
}

// callResult is a command's receipt.
type callResult struct {
	Contract wire.ContractID `json:"contract"`
	Message  string          `json:"message"`
	execution
	Height     uint64     `json:"height"`
	Index      uint64     `json:"index"`
	Invocation wire.Hash  `json:"invocation"`
	TxHash     string     `json:"tx_hash"`
	Payer      string     `json:"payer"`
	Worker     string     `json:"worker"`
	Final      *finalView `json:"final,omitempty"`
}

func (s *session) receipt(id wire.ContractID, c *abi.Contract, m *abi.Message, r *client.Receipt) callResult {
	return callResult{
		Contract: id, Message: m.Label, execution: executionOf(id, s.knowing(id, c), m, r.Outcome()),
		Height: r.Height(), Index: r.Pending.Index, Invocation: r.Pending.Invocation,
		TxHash: strings.ToUpper(hex.EncodeToString(r.Pending.TxHash)), Worker: r.Worker.String(),
	}
}

func (r callResult) text(w io.Writer) {
	fmt.Fprintf(w, "contract  %s\n", r.Contract)
	r.execution.text(w)
	fmt.Fprintf(w, "height    %d (message %d of the cluster, posted by %s)\nworker    %s\n", r.Height, r.Index, r.Payer, r.Worker)
	if r.Final != nil {
		r.Final.text(w)
	}
}

// deployed is a new contract.
type deployed struct {
	callResult
	CodeHash wire.CodeHash `json:"code_hash"`
	Uploaded bool          `json:"uploaded"`
}

func (d deployed) text(w io.Writer) {
	d.callResult.text(w)
	fmt.Fprintf(w, "code      %s (%s)\n", d.CodeHash, map[bool]string{true: "uploaded", false: "was there already"}[d.Uploaded])
}

// finalView is a finalized checkpoint.
type finalView struct {
	Mark         uint64    `json:"mark"`
	Count        uint64    `json:"count"`
	StateRoot    wire.Hash `json:"state_root"`
	ReceiptsRoot wire.Hash `json:"receipts_root"`
	Height       uint64    `json:"height"`
	Reports      uint16    `json:"reports"`
	Members      uint16    `json:"members"`
	Unchecked    bool      `json:"unchecked"`
}

func finalOf(p client.Proven[wire.Finalized]) *finalView { return finalRecord(&p.Record) }

func finalRecord(f *wire.Finalized) *finalView {
	return &finalView{f.Mark, f.Count, f.StateRoot, f.ReceiptsRoot, f.Height, f.Reports, f.Members, f.Unchecked()}
}

func (f *finalView) text(w io.Writer) {
	unchecked := ""
	if f.Unchecked {
		unchecked = "; unchecked: so few members cannot check each other"
	}
	fmt.Fprintf(w, "final     mark %d at height %d, reported by %d of %d members%s\nroot      %s over %d messages\n",
		f.Mark, f.Height, f.Reports, f.Members, unchecked, f.StateRoot, f.Count)
}

// queryResult is a checked reply.
type queryResult struct {
	Contract wire.ContractID `json:"contract"`
	Message  string          `json:"message"`
	execution
	Height    uint64    `json:"height"`
	BlockHash wire.Hash `json:"block_hash"`
	BlockTime string    `json:"block_time"`
	StateRoot wire.Hash `json:"state_root"`
	Count     uint64    `json:"count"`
	Worker    string    `json:"worker"`
	Debug     string    `json:"debug,omitempty"`
}

func (s *session) answer(t target, a *client.Answer) queryResult {
	return queryResult{
		Contract: t.id, Message: t.message.Label, execution: executionOf(t.id, s.knowing(t.id, t.contract), t.message, a.Outcome),
		Height: a.Height, BlockHash: a.BlockHash, BlockTime: a.Header.Time.UTC().Format(time.RFC3339Nano),
		StateRoot: a.StateRoot, Count: a.Count, Worker: a.Worker.String(), Debug: printable(a.Debug),
	}
}

func (r queryResult) text(w io.Writer) {
	r.execution.text(w)
	if r.Debug != "" {
		fmt.Fprintf(w, "debug     %s\n", strings.ReplaceAll(strings.TrimSpace(r.Debug), "\n", "\n          "))
	}
	fmt.Fprintf(w, "height    %d, block %s of %s\nroot      %s over %d messages\nworker    %s\n",
		r.Height, r.BlockHash, r.BlockTime, r.StateRoot, r.Count, r.Worker)
}

func randomSalt() (salt [32]byte, err error) {
	_, err = rand.Read(salt[:])
	return salt, err
}

const unitDigits = 6 // 1 phx is 10⁶ uphx

var errAmount = errors.New("an amount is a number of uphx such as 5 or 5uphx, or of phx such as 0.5phx")

// parseAmount reads an amount in uphx.
func parseAmount(text string) (uint128.Uint128, error) {
	digits, isMicro := strings.CutSuffix(text, "uphx")
	if !isMicro {
		var whole bool
		if digits, whole = strings.CutSuffix(text, "phx"); whole {
			before, after, _ := strings.Cut(digits, ".")
			if len(after) > unitDigits || before == "" {
				return uint128.Zero, errAmount
			}
			digits = before + after + strings.Repeat("0", unitDigits-len(after))
		}
	}
	if digits == "" || len(digits) > 39 || strings.Trim(digits, "0123456789") != "" {
		return uint128.Zero, errAmount
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok || n.BitLen() > 128 {
		return uint128.Zero, errAmount
	}
	return uint128.FromBig(n), nil
}
