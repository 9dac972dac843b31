package abi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// The bundle as JSON, as far as it is read. Up to version 3, and in the first builds of version 4, the metadata lies one
// level down under its version's name; later it lies beside the rest, with the version as a string (4) or number (5).
type (
	fileJSON struct {
		Source struct {
			Hash     string `json:"hash"`
			Language string `json:"language"`
			Compiler string `json:"compiler"`
			Wasm     string `json:"wasm"`
		} `json:"source"`
		Contract struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"contract"`
		metadataJSON
		MetadataVersion json.RawMessage `json:"metadataVersion"` // before version 1
		V1              *metadataJSON   `json:"V1"`
		V2              *metadataJSON   `json:"V2"`
		V3              *metadataJSON   `json:"V3"`
		V4              *metadataJSON   `json:"V4"`
	}
	metadataJSON struct {
		Version json.RawMessage `json:"version"`
		Types   []typeEntryJSON `json:"types"`
		Spec    specJSON        `json:"spec"`
	}
	specJSON struct {
		Constructors []messageJSON `json:"constructors"`
		Messages     []messageJSON `json:"messages"`
		Events       []eventJSON   `json:"events"`
	}
	messageJSON struct {
		labelled
		Selector   string       `json:"selector"`
		Args       []argJSON    `json:"args"`
		ReturnType *typeRefJSON `json:"returnType"` // of constructors from version 4 on
		Payable    bool         `json:"payable"`
		Mutates    bool         `json:"mutates"`
		Default    bool         `json:"default"`
		Docs       []string     `json:"docs"`
	}
	eventJSON struct {
		labelled
		Args           []argJSON `json:"args"`
		Module         string    `json:"module_path"`     // from version 5 on
		SignatureTopic *string   `json:"signature_topic"` // from version 5 on; null for an anonymous event
		Docs           []string  `json:"docs"`
	}
	argJSON struct {
		labelled
		Type    typeRefJSON `json:"type"`
		Indexed bool        `json:"indexed"` // of an event's fields
		Docs    []string    `json:"docs"`
	}
	typeRefJSON struct {
		Type *uint32 `json:"type"`
	}
)

// labelled is what has a label, which version 1 calls its name.
type labelled struct {
	Label labelJSON `json:"label"`
	Name  labelJSON `json:"name"`
}

func (l *labelled) label() string {
	if l.Label != "" {
		return string(l.Label)
	}
	return string(l.Name)
}

// labelJSON is a label: a string, or, in version 1, the trait's and the message's names as an array.
type labelJSON string

// UnmarshalJSON reads both forms; an array becomes Trait::message.
func (l *labelJSON) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*l = labelJSON(one)
		return nil
	}
	var segments []string
	if err := json.Unmarshal(b, &segments); err != nil {
		return fmt.Errorf("a label is neither text nor an array of it")
	}
	*l = labelJSON(strings.Join(segments, "::"))
	return nil
}

// setVersion returns the part of the file that is metadata.
func (c *Contract) setVersion(file *fileJSON) (*metadataJSON, error) {
	for i, metadata := range []*metadataJSON{file.V1, file.V2, file.V3, file.V4} {
		if metadata != nil {
			c.MetadataVersion = i + 1
			return metadata, nil
		}
	}
	if file.MetadataVersion != nil {
		return nil, fmt.Errorf("%w: metadata of an early release candidate of ink! 3; build the contract with ink! 3.0 or later", ErrUnsupported)
	}
	text := strings.Trim(string(file.Version), `"`)
	if text == "" || text == "null" {
		return nil, fmt.Errorf("%w: it has no ink! metadata version", ErrFile)
	}
	version, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the metadata version is not a number", ErrFile)
	}
	if version != 4 && version != 5 {
		return nil, fmt.Errorf("%w: ink! metadata version %d; versions 1 to 5 (ink! 3 to 5) are read", ErrUnsupported, version)
	}
	c.MetadataVersion = version
	return &file.metadataJSON, nil
}
