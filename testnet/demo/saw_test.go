package demo

import (
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

// TestSearchFindsWhatIsPlanted is the control of the demo's search: raw or in hex, a secret must be found.
func TestSearchFindsWhatIsPlanted(t *testing.T) {
	secret := []byte("0123456789abcdef")
	s := &stage{printer: newPrinter(io.Discard), secrets: [][]byte{[]byte("another"), secret}}
	for name, x := range map[string]struct {
		raw   string
		found bool
	}{
		"raw":     {"before" + string(secret) + "after", true},
		"in hex":  {"before" + hex.EncodeToString(secret), true},
		"nothing": {"0123456789abcde", false},
	} {
		if err := s.search([]byte(x.raw)); errors.Is(err, ErrWrong) != x.found {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExpect(t *testing.T) {
	if expect("x", []byte("1"), "1") != nil || !errors.Is(expect("x", []byte("1"), "2"), ErrWrong) {
		t.Error("expect does not compare")
	}
}
