package reason

import (
	"errors"
	"fmt"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
)

func TestWords(t *testing.T) {
	for word, refusal := range refusals {
		err := fmt.Errorf("while verifying: %w", New(word, "field %d", 7))
		if Of(err) != word || !errors.Is(err, refusal) {
			t.Errorf("%s: %q, wraps %v", word, Of(err), errors.Unwrap(errors.Unwrap(err)))
		}
	}
	if Word("unheard of").Known() || !Expired.Known() {
		t.Error("known words are not those of the table")
	}
	if !errors.Is(New("unheard of", ""), tee.ErrFormat) {
		t.Error("an unknown word wraps no refusal")
	}
	if got := New(Revoked, "serial %d", 5).Error(); got != "revoked: serial 5" {
		t.Error(got)
	}
	if Of(errors.New("other")) != "" || Of(nil) != "" {
		t.Error("a word out of nothing")
	}
}
