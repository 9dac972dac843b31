package abi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/crypto/blake2b"
)

// Parse reads a contract file: a bundle with code, whose hash must be the one that the file names, or its metadata
// alone. Errors are ErrFile and ErrUnsupported, with what is wrong.
func Parse(contractFile []byte) (*Contract, error) {
	if len(contractFile) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes are over %d", ErrFile, len(contractFile), MaxFile)
	}
	var file fileJSON
	if err := json.Unmarshal(contractFile, &file); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFile, err)
	}
	c := &Contract{
		Name: file.Contract.Name, Version: file.Contract.Version,
		Language: file.Source.Language, Compiler: file.Source.Compiler,
	}
	for _, text := range []string{c.Name, c.Version, c.Language, c.Compiler} {
		if text == "" {
			continue
		}
		if err := checkName(text); err != nil {
			return nil, fmt.Errorf("%w: its name, version, language or compiler: %v", ErrFile, err)
		}
	}
	if err := c.setCode(file.Source.Hash, file.Source.Wasm); err != nil {
		return nil, err
	}
	metadata, err := c.setVersion(&file)
	if err != nil {
		return nil, err
	}
	if c.types, err = parseTypes(metadata.Types); err != nil {
		return nil, err
	}
	if err := c.setSpec(&metadata.Spec); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Contract) setCode(hash, wasm string) error {
	claimed, err := fixedHex(hash, len(c.codeHash))
	if err != nil {
		return fmt.Errorf("%w: source.hash: %v", ErrFile, err)
	}
	copy(c.codeHash[:], claimed)
	if wasm == "" {
		return nil
	}
	if c.wasm, err = parseHex(wasm); err != nil {
		return fmt.Errorf("%w: source.wasm: %v", ErrFile, err)
	}
	if actual := blake2b.Sum256(c.wasm); actual != c.codeHash {
		return fmt.Errorf("%w: source.hash is not the hash of source.wasm", ErrFile)
	}
	return nil
}

func (c *Contract) setSpec(spec *specJSON) (err error) {
	if c.constructors, err = c.parseMessages("constructor", spec.Constructors); err != nil {
		return err
	}
	if c.messages, err = c.parseMessages("message", spec.Messages); err != nil {
		return err
	}
	for _, m := range c.constructors {
		m.Mutates, m.constructor = true, true
	}
	c.events, err = c.parseEvents(spec.Events)
	return err
}

func (c *Contract) parseMessages(what string, list []messageJSON) ([]*Message, error) {
	if len(list) > maxMembers {
		return nil, fmt.Errorf("%w: %d %ss are over %d", ErrFile, len(list), what, maxMembers)
	}
	labels, selectors := map[string]bool{}, map[[4]byte]bool{}
	out := make([]*Message, 0, len(list))
	for i := range list {
		m, err := c.parseMessage(&list[i])
		if err != nil {
			return nil, fmt.Errorf("%w: %s %d: %v", ErrFile, what, i, err)
		}
		if labels[m.Label] || selectors[m.Selector] {
			return nil, fmt.Errorf("%w: two %ss have the label or selector of %q", ErrFile, what, m.Label)
		}
		labels[m.Label], selectors[m.Selector] = true, true
		out = append(out, m)
	}
	return out, nil
}

func (c *Contract) parseMessage(in *messageJSON) (*Message, error) {
	label := in.label()
	if err := checkName(label); err != nil {
		return nil, err
	}
	docs, err := joinDocs(in.Docs)
	if err != nil {
		return nil, err
	}
	m := &Message{
		Label: label, Payable: in.Payable, Mutates: in.Mutates, Default: in.Default, Docs: docs, Returns: "()",
	}
	selector, err := fixedHex(in.Selector, len(m.Selector))
	if err != nil {
		return nil, fmt.Errorf("selector: %v", err)
	}
	copy(m.Selector[:], selector)
	if m.Args, err = c.parseArgs(in.Args); err != nil {
		return nil, err
	}
	if in.ReturnType == nil || in.ReturnType.Type == nil {
		return m, nil
	}
	m.returns = in.ReturnType.Type
	if err := c.types.check(*m.returns); err != nil {
		return nil, fmt.Errorf("return type: %v", err)
	}
	m.Returns = c.types.name(c.types.unwrapped(*m.returns))
	return m, nil
}

// joinDocs takes off the space that stands after each line's slashes.
func joinDocs(lines []string) (string, error) {
	trimmed := make([]string, len(lines))
	for i, line := range lines {
		trimmed[i] = strings.TrimPrefix(line, " ")
	}
	text := strings.Join(trimmed, "\n")
	if len(text) > maxDocs {
		return "", fmt.Errorf("its documentation has %d bytes, over %d", len(text), maxDocs)
	}
	return text, nil
}

func (c *Contract) parseArgs(list []argJSON) ([]Argument, error) {
	if len(list) > maxMembers {
		return nil, fmt.Errorf("%d arguments are over %d", len(list), maxMembers)
	}
	var out []Argument
	seen := map[string]bool{}
	for _, a := range list {
		label := a.label()
		if err := checkName(label); err != nil {
			return nil, err
		}
		if seen[label] {
			return nil, fmt.Errorf("two arguments are called %q", label)
		}
		seen[label] = true
		if a.Type.Type == nil {
			return nil, fmt.Errorf("argument %q has no type", label)
		}
		if err := c.types.check(*a.Type.Type); err != nil {
			return nil, fmt.Errorf("argument %q: %v", label, err)
		}
		out = append(out, Argument{Label: label, Type: c.types.name(*a.Type.Type), id: *a.Type.Type})
	}
	return out, nil
}

func checkName(s string) error {
	if s == "" {
		return fmt.Errorf("a name is empty")
	}
	if len(s) > maxName {
		return fmt.Errorf("a name has %d bytes, over %d", len(s), maxName)
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return fmt.Errorf("a name holds %U, which is not printable", c)
		}
	}
	return nil
}

// parseHex reads 0x-prefixed hex of any length.
func parseHex(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return nil, fmt.Errorf("expected hex with 0x before it")
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("expected 0x and an even number of hex digits")
	}
	return b, nil
}

// fixedHex reads 0x-prefixed hex of n bytes.
func fixedHex(s string, n int) ([]byte, error) {
	b, err := parseHex(s)
	if err != nil {
		return nil, err
	}
	if len(b) != n {
		return nil, fmt.Errorf("expected %d bytes of hex, got %d", n, len(b))
	}
	return b, nil
}
