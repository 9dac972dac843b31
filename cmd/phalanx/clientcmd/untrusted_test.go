package clientcmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/wire"
)

// hostile is text that would clear the screen, change the window's title, colour what follows, overwrite the line, turn the
// direction of the text, and pass for another line.
const hostile = "\x1b[2J\x1b]0;title\x07\u009b31m\r\b\x7f\u202Eevil\u2066\u2028\x00ok\nstatus    done"

func wantSafe(t *testing.T, what, out string, lines bool) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("%s is not UTF-8: %q", what, out)
	}
	for _, r := range out {
		if unsafe(r) && (r != '\n' || !lines) {
			t.Errorf("%s holds %U: %q", what, r, out)
		}
	}
	if !strings.Contains(out, "ok") || !strings.Contains(out, "evil") {
		t.Errorf("%s has lost its text: %q", what, out)
	}
}

func TestUntrustedText(t *testing.T) {
	wantSafe(t, "printable", printable([]byte(hostile)), true)
	wantSafe(t, "oneLine", oneLine(hostile), false)
	wantSafe(t, "an error", printableError{errors.New(hostile)}.Error(), true)
	if err := error(printableError{&client.OutcomeError{Fault: hostile}}); ExitCode(err) != exitRefused {
		t.Error("the error is not what it was")
	}
	raw, err := json.Marshal(map[string]string{"a": hostile, "b": "größer"})
	if err != nil {
		t.Fatal(err)
	}
	safe := escaped(raw)
	wantSafe(t, "JSON", string(safe), false)
	var back map[string]string
	if err := json.Unmarshal(safe, &back); err != nil || back["a"] != hostile || back["b"] != "größer" {
		t.Errorf("it is now %q, %v", back, err)
	}
	if out := escaped([]byte("\"ok evil \x9b\"")); !utf8.Valid(out) {
		t.Errorf("a stray byte stays: %q", out)
	}
}

// TestShownResults shows a result with hostile text both ways.
func TestShownResults(t *testing.T) {
	for _, how := range []string{"text", "json"} {
		var out bytes.Buffer
		s := &session{options: &options{output: how}, out: &out}
		if err := s.show(deployed{callResult: callResult{Message: hostile, execution: execution{
			Status: "done", Fault: oneLine(hostile), Output: json.RawMessage(`"` + "ok evil \u009b\u202e" + `"`),
			Events: []eventView{{Name: hostile, Fields: json.RawMessage(`{}`)}},
		}}}); err != nil {
			t.Fatal(err)
		}
		wantSafe(t, how, out.String(), true)
		if how == "json" && strings.Count(out.String(), "\n") != 1 {
			t.Errorf("it has more than a line: %q", out.String())
		}
	}
}

func TestLogLines(t *testing.T) {
	s := &session{options: &options{output: "text"}}
	e := &client.Log{LogBatch: wire.LogBatch{
		Sequence: 7, Command: true, Height: 57, Time: 1_767_225_600_123, Dropped: 3,
		Lines: []wire.LogLine{
			{Level: wire.LogError, Text: "bad"}, {Level: wire.LogDebug, Text: "one\ntwo\n"}, {Level: 0, Text: hostile}, {Level: 9, Text: "odd"},
		},
	}}
	for level, want := range map[uint8][]string{1: {"bad", hostile}, 3: {"bad", hostile}, 4: {"bad", "one\ntwo\n", hostile}, 5: {"bad", "one\ntwo\n", hostile, "odd"}} {
		v, some := s.viewOf(e, level)
		var got []string
		for _, l := range v.Lines {
			got = append(got, l.Text)
		}
		if !some || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("level %d shows %q", level, got)
		}
	}
	if _, some := s.viewOf(&client.Log{LogBatch: wire.LogBatch{Lines: e.Lines[1:2]}}, 3); some {
		t.Error("an entry without a line is shown")
	}
	v, _ := s.viewOf(e, 5)
	var out bytes.Buffer
	v.text(&out)
	wantSafe(t, "an entry", out.String(), true)
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	const head = "2026-01-01T00:00:00.123Z      57  command  "
	for i, want := range []string{
		head + "error  bad", head + "debug  one", "        | two", head + "level 0  ", "        | status    done", head + "level 9  odd",
		head + "(3 more lines of this call are over its bounds)",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d is not %q:\n%s", i, want, out.String())
		}
	}
}
