package abi

import (
	"encoding/json"
	"fmt"
)

// event is one event of a contract.
type event struct {
	label     string
	fields    []field
	signature *[32]byte // its first topic; nil for an anonymous one and before version 5
}

func (c *Contract) parseEvents(list []eventJSON) ([]event, error) {
	if len(list) > maxMembers {
		return nil, fmt.Errorf("%w: %d events are over %d", ErrFile, len(list), maxMembers)
	}
	signatures := map[[32]byte]bool{}
	var out []event
	for i := range list {
		e, err := c.parseEvent(&list[i])
		if err != nil {
			return nil, fmt.Errorf("%w: event %d: %v", ErrFile, i, err)
		}
		if e.signature != nil {
			if signatures[*e.signature] {
				return nil, fmt.Errorf("%w: two events have the signature of %q", ErrFile, e.label)
			}
			signatures[*e.signature] = true
		}
		out = append(out, e)
	}
	return out, nil
}

func (c *Contract) parseEvent(in *eventJSON) (event, error) {
	if err := checkName(in.Label); err != nil {
		return event{}, err
	}
	args, err := c.parseArgs(in.Args)
	if err != nil {
		return event{}, err
	}
	e := event{label: in.Label}
	for _, a := range args {
		e.fields = append(e.fields, field{a.Label, a.id})
	}
	if c.MetadataVersion < 5 || in.SignatureTopic == nil {
		return e, nil
	}
	raw, err := fixedHex(*in.SignatureTopic, 32)
	if err != nil {
		return event{}, fmt.Errorf("signature topic: %v", err)
	}
	e.signature = (*[32]byte)(raw)
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
		for i := range c.events {
			e := &c.events[i]
			if e.signature != nil && *e.signature == topics[0] {
				fields, err := c.decodeFields(e, data, new(int))
				return e.label, fields, err
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
	e := &c.events[data[0]]
	fields, err := c.decodeFields(e, data[1:], new(int))
	return e.label, fields, err
}

func (c *Contract) decodeAnonymous(data []byte) (name string, fields json.RawMessage, err error) {
	fits, spent := 0, 0 // all attempts share one bound, however many events there are
	for i := range c.events {
		e := &c.events[i]
		if e.signature != nil {
			continue
		}
		if f, err := c.decodeFields(e, data, &spent); err == nil {
			name, fields = e.label, f
			fits++
		}
	}
	if fits != 1 {
		return "", nil, fmt.Errorf("%w: the event's topic names none, and %d anonymous ones fit it", ErrUnknown, fits)
	}
	return name, fields, nil
}

// decodeFields counts the values that it decodes on from spent.
func (c *Contract) decodeFields(e *event, data []byte, spent *int) (json.RawMessage, error) {
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
		return nil, fmt.Errorf("%w: event %s: %w", ErrData, e.label, err)
	}
	return d.out, nil
}
