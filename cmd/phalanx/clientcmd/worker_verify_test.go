package clientcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/wire"
)

// judged is a worker that registered at noon, judged three hours and five minutes later.
func judged(now, then *attestation.Report) evidenceView {
	registered := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	e := &client.WorkerEvidence{
		At: registered.Add(3*time.Hour + 5*time.Minute), Report: now, Then: then, Bound: client.BoundPrevious,
		Worker: client.Proven[wire.WorkerState]{Record: wire.WorkerState{AttestedAt: 40, AttestedTime: uint64(registered.UnixMilli())}},
	}
	s := &session{options: &options{}}
	return evidenceOf(s.workerOf(e.Worker, false), e)
}

func TestEvidenceInWords(t *testing.T) {
	accepted := &attestation.Report{Kind: "nitro", Verdict: attestation.Accepted, TCBStatus: "UpToDate", Confidence: 1, ValidUntil: "2026-06-01T15:00:00Z"}
	expired := &attestation.Report{Kind: "nitro", Verdict: attestation.Refused, Reason: "expired", Detail: "certificate holds until 15:00"}
	debug := &attestation.Report{Kind: "nitro", Verdict: attestation.Refused, Reason: "debug", TCBStatus: "UpToDate", Debug: true, Confidence: 1}
	for name, tt := range map[string]struct {
		now, then *attestation.Report
		want      []string
		not       string
		code      int
	}{
		"accepted": {accepted, accepted, []string{"in block 40 of 2026-06-01T12:00:00Z, 3h5m0s before the time judged for, 2026-06-01T15:05:00Z",
			"not verified, for it lies before", "the previous one", "confidence   1, the best", "good until   2026-06-01T15:00:00Z", "verdict      accepted\n"}, "at that time", exitDone},
		"expired since": {expired, accepted, []string{"verdict      refused (expired)", "at that time accepted, 2026-06-01T12:00:00Z; what it rests on has ended since"}, "platform ", exitRefused},
		"never good":    {debug, debug, []string{"debug        ON", "verdict      refused (debug)", "at that time refused too (debug)"}, "time accepted", exitRefused},
	} {
		v := judged(tt.now, tt.then)
		var b strings.Builder
		v.text(&b)
		for _, want := range tt.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: %q is not in\n%s", name, want, b.String())
			}
		}
		if strings.Contains(b.String(), tt.not) {
			t.Errorf("%s: %q is in\n%s", name, tt.not, b.String())
		}
		if code := ExitCode(verdictError(tt.now)); code != tt.code {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
}

// TestEvidenceAsJSON pins the names that scripts read, among which two must not be one.
func TestEvidenceAsJSON(t *testing.T) {
	r := &attestation.Report{Kind: "tdx", Verdict: attestation.Accepted, Confidence: 2}
	raw, err := json.Marshal(judged(r, r))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"worker", "status", "ecdh_key", "incarnation", "confidence", "measurement", "attested_at", "evidence",
		"evidence_at_registration", "judged_for", "registered_at", "block_proven", "bound_ecdh_key", "bound"} {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing in %s", name, raw)
		}
	}
}

// TestUndecidedEndsWithTwo keeps evidence that could not be judged apart from evidence that is bad.
func TestUndecidedEndsWithTwo(t *testing.T) {
	for _, cause := range []error{client.ErrNoEvidence, client.ErrNodeLied, client.ErrUnreachable, client.ErrStaleChain} {
		err := fmt.Errorf("%w: %w", errUndecided, cause)
		if code := ExitCode(err); code != exitUsage {
			t.Errorf("%v: %d", cause, code)
		}
		if told := advise(err); !strings.Contains(told.Error(), "--node") || !errors.Is(told, cause) {
			t.Errorf("%v: no advice", told)
		}
	}
	undecided := &attestation.Report{Verdict: attestation.Undecided, Reason: "missing", Detail: "a certificate"}
	if code := ExitCode(verdictError(undecided)); code != exitUsage {
		t.Errorf("undecided: %d", code)
	}
}
