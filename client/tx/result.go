package tx

import (
	"encoding/json"
	"fmt"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/client/node"
)

// Result is a transaction in a block.
type Result struct {
	Height uint64
	Hash   []byte

	responses []response
	events    []abci.Event
}

type response struct {
	name string
	data []byte
}

func newResult(r node.TxResult) (Result, error) {
	var data sdk.TxMsgData
	if err := proto.Unmarshal(r.Data, &data); err != nil {
		return Result{}, fmt.Errorf("result of transaction %X: %w", r.Hash, err)
	}
	out := Result{Height: r.Height, Hash: r.Hash, events: r.Events}
	for _, m := range data.MsgResponses {
		out.responses = append(out.responses, response{strings.TrimPrefix(m.TypeUrl, "/"), m.Value})
	}
	return out, nil
}

// Response decodes what the i-th message answered, from 0.
func (r Result) Response(i int, into proto.Message) error {
	if i < 0 || i >= len(r.responses) {
		return fmt.Errorf("transaction has %d responses, not %d", len(r.responses), i+1)
	}
	if want := proto.MessageName(into); r.responses[i].name != want {
		return fmt.Errorf("response %d is a %s, not a %s", i, r.responses[i].name, want)
	}
	if err := proto.Unmarshal(r.responses[i].data, into); err != nil {
		return fmt.Errorf("response %d: %w", i, err)
	}
	return nil
}

// Event is an event of the transaction; its attributes' values are as the chain wrote them: JSON, in typed events.
type Event struct {
	Type       string
	Attributes map[string]string
}

// Text returns an attribute that is a JSON string, such as a u64 or an id; empty where there is none.
func (e Event) Text(name string) string {
	var s string
	if json.Unmarshal([]byte(e.Attributes[name]), &s) != nil {
		return ""
	}
	return s
}

// Events returns the events of a type, such as phalanx.mq.v1.EventMessage, in their order.
func (r Result) Events(kind string) []Event {
	var out []Event
	for _, e := range r.events {
		if e.Type != kind {
			continue
		}
		attributes := make(map[string]string, len(e.Attributes))
		for _, a := range e.Attributes {
			attributes[a.Key] = a.Value
		}
		out = append(out, Event{Type: e.Type, Attributes: attributes})
	}
	return out
}
