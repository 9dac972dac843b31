package secrettest

import (
	"bytes"
	"fmt"
	"testing"
)

// TestLeaksFinds is the control: the search finds a secret that is printed in each form.
func TestLeaksFinds(t *testing.T) {
	raw := bytes.Repeat([]byte{0xa1, 0xb2, 0xc3, 0x04}, 8)
	for _, text := range []string{
		fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), fmt.Sprint(raw), string(raw), fmt.Sprint(struct{ b []byte }{raw}),
	} {
		probe := new(testing.T)
		done := make(chan struct{})
		go func() { // Fatal ends its goroutine
			defer close(done)
			leaks(probe, text, raw)
		}()
		<-done
		if !probe.Failed() {
			t.Errorf("not found in a text of %d bytes", len(text))
		}
	}
}
