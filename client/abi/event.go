package abi

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Event is an event that a contract may emit.
type Event struct {
	Label     string
	Module    string // where it is declared, as `crate::module`; empty before version 5
	Fields    []EventField
	Signature *[32]byte // its first topic; nil for an anonymous event and before version 5
	Docs      string    // the author's text, lines joined by newlines

	fields []field
}

// EventField is a field of an event.
type EventField struct {
	Label string
	Type  string // as in Rust, for people
	Topic bool   // it is a topic too
}

// Text returns the event as in Rust, for help texts: `Closed { #[topic] winner: Option<AccountId>, amount: u128 }`.
func (e *Event) Text() string {
	if len(e.Fields) == 0 {
		return e.Label
	}
	fields := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		fields[i] = f.Label + ": " + f.Type
		if f.Topic {
			fields[i] = "#[topic] " + fields[i]
		}
	}
	return e.Label + " { " + strings.Join(fields, ", ") + " }"
}

func (c *Contract) parseEvents(list []eventJSON) ([]*Event, error) {
	if len(list) > maxMembers {
		return nil, fmt.Errorf("%w: %d events are over %d", ErrFile, len(list), maxMembers)
	}
	signatures := map[[32]byte]bool{}
	var out []*Event
	for i := range list {
		e, err := c.parseEvent(&list[i])
		if err != nil {
			return nil, fmt.Errorf("%w: event %d: %v", ErrFile, i, err)
		}
		if e.Signature != nil {
			if signatures[*e.Signature] {
				return nil, fmt.Errorf("%w: two events have the signature of %q", ErrFile, e.Label)
			}
			signatures[*e.Signature] = true
		}
		out = append(out, e)
	}
	return out, nil
}

func (c *Contract) parseEvent(in *eventJSON) (*Event, error) {
	e := &Event{Label: in.label(), Module: in.Module}
	if err := checkName(e.Label); err != nil {
		return nil, err
	}
	if e.Module != "" {
		if err := checkName(e.Module); err != nil {
			return nil, err
		}
	}
	args, err := c.parseArgs(in.Args)
	if err != nil {
		return nil, err
	}
	for i, a := range args {
		e.fields = append(e.fields, field{a.Label, a.id})
		e.Fields = append(e.Fields, EventField{Label: a.Label, Type: a.Type, Topic: in.Args[i].Indexed})
	}
	if e.Docs, err = joinDocs(in.Docs); err != nil {
		return nil, err
	}
	if c.MetadataVersion < 5 || in.SignatureTopic == nil {
		return e, nil
	}
	raw, err := fixedHex(*in.SignatureTopic, 32)
	if err != nil {
		return nil, fmt.Errorf("signature topic: %v", err)
	}
	e.Signature = (*[32]byte)(raw)
	return e, nil
}

// DecodeEvent returns the name of an event and its fields as a JSON object. The data holds every field, those that
// are topics too, so that of the topics only the first is read: from ink! 5 on it names the event. Before, the first
// byte of the data is the event's place. An anonymous event is the one whose type the data fits; where it fits several
// the event is refused as unknown. Errors are ErrUnknown and ErrData.
func (c *Contract) DecodeEvent(topics [][32]byte, data []byte) (name string, fields json.RawMessage, err error) {
	if c.MetadataVersion < 5 {
		return c.decodeIndexed(data)
	}
	if len(topics) > 0 {
		for _, e := range c.events {
			if e.Signature != nil && *e.Signature == topics[0] {
				fields, err := c.decodeFields(e, data, new(int))
				return e.Label, fields, err
			}
		}
	}
	return c.decodeAnonymous(data)
}

func (c *Contract) decodeIndexed(data []byte) (string, json.RawMessage, error) {
	if len(data) == 0 {
		return "", nil, fmt.Errorf("%w: an event is empty", ErrData)
	}
	if int(data[0]) >= len(c.events) {
		return "", nil, fmt.Errorf("%w: no event %d", ErrUnknown, data[0])
	}
	e := c.events[data[0]]
	fields, err := c.decodeFields(e, data[1:], new(int))
	return e.Label, fields, err
}

func (c *Contract) decodeAnonymous(data []byte) (name string, fields json.RawMessage, err error) {
	fits, spent := 0, 0 // all attempts share one bound, however many events there are
	for _, e := range c.events {
		if e.Signature != nil {
			continue
		}
		if f, err := c.decodeFields(e, data, &spent); err == nil {
			name, fields = e.Label, f
			fits++
		}
	}
	if fits != 1 {
		return "", nil, fmt.Errorf("%w: the event's topic names none, and %d anonymous ones fit it", ErrUnknown, fits)
	}
	return name, fields, nil
}

// decodeFields counts the values that it decodes on from spent.
func (c *Contract) decodeFields(e *Event, data []byte, spent *int) (json.RawMessage, error) {
	d := &decoding{types: c.types, values: *spent}
	defer func() { *spent = d.values }()
	err := d.run(data, func() {
		if len(e.fields) == 0 {
			d.write("{}")
			return
		}
		d.fields(e.fields, maxDepth)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: event %s: %w", ErrData, e.Label, err)
	}
	return d.out, nil
}
