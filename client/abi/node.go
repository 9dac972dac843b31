package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// nodeKind is what a JSON value is.
type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

// What an error says that it got; never the content.
var nodeNames = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

// node is a JSON value with the order of its objects and the digits of its numbers.
type node struct {
	kind  nodeKind
	text  string // of a number or string; of a boolean "true" or "false"
	items []node // of an array, or the values of an object
	names []string
}

func (n *node) String() string { return nodeNames[n.kind] }

// maxNodeDepth bounds the nesting of JSON: a value has at most two containers, as {"Variant": [ … ]}.
const maxNodeDepth = 2 * maxDepth

var errJSON = errors.New("not valid JSON")

// parseNode reads exactly one JSON value. Names of an object must differ.
func parseNode(text string) (node, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	n, err := readNode(d, maxNodeDepth)
	if err != nil {
		return node{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return node{}, errJSON
	}
	return n, nil
}

func readNode(d *json.Decoder, depth int) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, errJSON
	}
	switch t := token.(type) {
	case nil:
		return node{kind: nullNode}, nil
	case bool:
		return node{kind: boolNode, text: fmt.Sprint(t)}, nil
	case json.Number:
		return node{kind: numberNode, text: t.String()}, nil
	case string:
		return node{kind: stringNode, text: t}, nil
	case json.Delim:
		if depth == 0 {
			return node{}, fmt.Errorf("is nested deeper than %d", maxNodeDepth)
		}
		return readContainer(d, t, depth-1)
	}
	return node{}, errJSON
}

func readContainer(d *json.Decoder, open json.Delim, depth int) (node, error) {
	n := node{kind: arrayNode}
	if open == '{' {
		n.kind = objectNode
	}
	seen := map[string]bool{}
	for d.More() {
		if n.kind == objectNode {
			name, err := readNode(d, 0)
			if err != nil {
				return node{}, err
			}
			if seen[name.text] {
				return node{}, errors.New("an object has two fields of one name")
			}
			seen[name.text] = true
			n.names = append(n.names, name.text)
		}
		item, err := readNode(d, depth)
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	if _, err := d.Token(); err != nil {
		return node{}, errJSON
	}
	return n, nil
}

// only returns the value of an object's only field, of that name.
func (n *node) only(name string) (*node, bool) {
	if n.kind != objectNode || len(n.names) != 1 || n.names[0] != name {
		return nil, false
	}
	return &n.items[0], true
}

// quote returns s as JSON.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string always encodes, to a buffer that always takes it
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
