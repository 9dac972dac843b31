package clientcmd

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/wire"
)

func contractABICommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "abi FILE", Short: "Show what a .contract file says of its contract", Args: cobra.ExactArgs(1),
		Long: `Show what a .contract file, or the metadata .json beside it, says of its contract: the constructors, messages and events,
with the types of their arguments and fields as in Rust, and the structs and enums among these. No network is needed.

[call] marks a message that changes state, [query] one that does not. A topic is a field that events can be found by.`,
		Example: "  phalanx contract abi counter.contract\n" +
			"  phalanx contract abi target/ink/auction.json -o json",
		RunE: o.run(func(_ context.Context, _ *session, args []string) (result, error) {
			_, c, err := readContract(args[0])
			if err != nil {
				return nil, err
			}
			return abiViewOf(c), nil
		}),
	}
}

// abiView is what a contract's file says.
type abiView struct {
	Name         string        `json:"name"`
	Version      string        `json:"version"`
	Language     string        `json:"language"`
	Compiler     string        `json:"compiler"`
	Metadata     int           `json:"metadata_version"`
	CodeHash     wire.CodeHash `json:"code_hash"`
	CodeSize     int           `json:"code_size"` // 0 for metadata alone
	Constructors []entryView   `json:"constructors"`
	Messages     []entryView   `json:"messages"`
	Events       []eventABI    `json:"events"`
	Types        []typeView    `json:"types"`
}

// entryView is a constructor or message.
type entryView struct {
	Name      string    `json:"name"`
	Selector  string    `json:"selector"`
	Signature string    `json:"signature"`
	Args      []argView `json:"args"`
	Returns   string    `json:"returns"`
	Mutates   bool      `json:"mutates"`
	Payable   bool      `json:"payable"`
	Default   bool      `json:"default"`
	Docs      string    `json:"docs,omitempty"`
}

type argView struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// eventABI is an event that a contract may emit.
type eventABI struct {
	Name      string      `json:"name"`
	Module    string      `json:"module,omitempty"`
	Signature string      `json:"signature_topic,omitempty"` // of ink! 5, unless the event is anonymous
	Fields    []fieldView `json:"fields"`
	Docs      string      `json:"docs,omitempty"`

	declaration string
}

type fieldView struct {
	argView
	Topic bool `json:"topic"`
}

type typeView struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

func abiViewOf(c *abi.Contract) abiView {
	v := abiView{
		Name: c.Name, Version: c.Version, Language: c.Language, Compiler: c.Compiler, Metadata: c.MetadataVersion,
		CodeHash: wire.CodeHash(c.CodeHash()), CodeSize: len(c.Wasm()),
		Constructors: entries(c.Constructors()), Messages: entries(c.Messages()), Events: []eventABI{}, Types: []typeView{},
	}
	for _, e := range c.Events() {
		event := eventABI{Name: e.Label, Module: e.Module, Fields: []fieldView{}, Docs: e.Docs, declaration: e.Text()}
		if e.Signature != nil {
			event.Signature = "0x" + hex.EncodeToString(e.Signature[:])
		}
		for _, f := range e.Fields {
			event.Fields = append(event.Fields, fieldView{argView{f.Label, f.Type}, f.Topic})
		}
		v.Events = append(v.Events, event)
	}
	for _, t := range c.Types() {
		v.Types = append(v.Types, typeView{t.Name, t.Text})
	}
	return v
}

func entries(list []*abi.Message) []entryView {
	out := []entryView{}
	for _, m := range list {
		e := entryView{
			Name: m.Label, Selector: "0x" + hex.EncodeToString(m.Selector[:]), Signature: m.Signature(), Args: []argView{},
			Returns: m.Returns, Mutates: m.Mutates, Payable: m.Payable, Default: m.Default, Docs: m.Docs,
		}
		for _, a := range m.Args {
			e.Args = append(e.Args, argView{a.Label, a.Type})
		}
		out = append(out, e)
	}
	return out
}

func (v abiView) text(w io.Writer) {
	fmt.Fprintf(w, "contract  %s %s\nmade with %s, %s (metadata %d)\ncode      %s", dash(v.Name), v.Version, dash(v.Language), dash(v.Compiler), v.Metadata, v.CodeHash)
	if v.CodeSize > 0 {
		fmt.Fprintf(w, " (%d bytes)\n", v.CodeSize)
	} else {
		fmt.Fprintln(w, " (the file holds no code)")
	}
	fmt.Fprintln(w, "\nconstructors")
	for _, e := range v.Constructors {
		e.text(w, "")
	}
	fmt.Fprintln(w, "\nmessages")
	for _, e := range v.Messages {
		e.text(w, map[bool]string{true: "call", false: "query"}[e.Mutates])
	}
	if len(v.Events) > 0 {
		fmt.Fprintln(w, "\nevents")
	}
	for _, e := range v.Events {
		fmt.Fprintf(w, "  %s\n", e.declaration)
		if e.Signature != "" {
			fmt.Fprintf(w, "      first topic %s\n", e.Signature)
		}
		writeDocs(w, e.Docs)
	}
	if len(v.Types) > 0 {
		fmt.Fprintln(w, "\ntypes")
	}
	for _, t := range v.Types {
		fmt.Fprintf(w, "  %s\n", t.Definition)
	}
}

// text writes one entry; how is what a message is for.
func (e entryView) text(w io.Writer, how string) {
	var marks []string
	for _, m := range []struct {
		is   bool
		word string
	}{{how != "", how}, {e.Payable, "takes value"}, {e.Default, "default"}} {
		if m.is {
			marks = append(marks, m.word)
		}
	}
	fmt.Fprintf(w, "  %s  %s", e.Selector, e.Signature)
	if len(marks) > 0 {
		fmt.Fprintf(w, "  [%s]", strings.Join(marks, ", "))
	}
	fmt.Fprintln(w)
	writeDocs(w, e.Docs)
}

// writeDocs writes an author's text below what it is about.
func writeDocs(w io.Writer, docs string) {
	if docs = strings.TrimSpace(printable([]byte(docs))); docs == "" {
		return
	}
	fmt.Fprintf(w, "      %s\n", strings.ReplaceAll(docs, "\n", "\n      "))
}
