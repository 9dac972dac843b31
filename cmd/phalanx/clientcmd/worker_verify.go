package clientcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

// showFlags are the flags of worker show and gatekeeper show.
type showFlags struct {
	*options
	verify, simulated bool
	policy, at        string
}

func showWorkerCommand(o *options, arg, short string) *cobra.Command {
	f := &showFlags{options: o}
	cmd := &cobra.Command{
		Use: "show " + arg, Short: short, Args: cobra.ExactArgs(1),
		Long: short + `.

With --verify its attestation evidence is fetched from the block of its registration and judged here, whatever the chain
made of it: under the makers' roots that are built in, for a platform that is UpToDate and a program that is not in debug mode,
whatever its measurement; or under a policy of your own, as for ` + "`phalanx attestation verify`" + `. Name the measurement of the release that
you trust in it: without one, any program on genuine hardware is accepted.

It ends with 0 for evidence that is accepted, with 1 where it is refused, with 2 where it could not be judged.`,
		Example: "  phalanx worker show worker-0\n" +
			"  phalanx worker show 0x9c01… --verify --policy policy.json\n" +
			"  phalanx worker show 0x9c01… --verify --at 2026-06-01T00:00:00Z -o json",
		RunE: o.online(f.show),
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.verify, "verify", false, "fetch the evidence and judge it here")
	flags.StringVar(&f.policy, "policy", "", "with --verify: a file of JSON that says what is accepted")
	flags.StringVar(&f.at, "at", "", "with --verify: the time, as RFC 3339, at which everything must hold (default: now)")
	flags.BoolVar(&f.simulated, "allow-simulated", false, "with --verify: end with 0 also for the simulated platform, which proves nothing")
	return cmd
}

func (f *showFlags) show(ctx context.Context, s *session, args []string) (result, error) {
	judging, err := f.judging()
	if err != nil {
		return nil, err
	}
	id, err := s.worker(ctx, args[0])
	if err != nil {
		return nil, err
	}
	w, err := s.client.Worker(ctx, id)
	if err != nil {
		return nil, err
	}
	named, err := s.gatekeepers(ctx)
	if err != nil {
		return nil, err
	}
	shown := s.workerOf(w, named.Has(id))
	if !f.verify {
		return shown, nil
	}
	e, err := s.client.VerifyWorker(ctx, id, judging)
	if err != nil {
		return shown, fmt.Errorf("%w: %w", errUndecided, err)
	}
	if e.Evidence.Kind == tee.KindSimulated {
		s.note(red, "%s", simulated.Banner)
	}
	return evidenceOf(s.workerOf(e.Worker, named.Has(id)), e), verdictError(e.Report)
}

// judging reads the flags that belong to --verify.
func (f *showFlags) judging() (client.Judging, error) {
	j := client.Judging{}
	if !f.verify && (f.policy != "" || f.at != "" || f.simulated) {
		return j, usage("--policy, --at and --allow-simulated belong to --verify")
	}
	var err error
	if j.Policy, err = readPolicy(f.policy); err != nil {
		return j, err
	}
	j.Policy.AllowSimulated = j.Policy.AllowSimulated || f.simulated
	j.At, err = readTime(f.at)
	return j, err
}

// verdictError is what a command ends with after a judgement.
func verdictError(r *attestation.Report) error {
	err := r.Err()
	switch {
	case errors.Is(err, attestation.ErrRefused):
		return fmt.Errorf("%w: %s", errEvidence, r.Reason)
	case err != nil:
		return fmt.Errorf("%w: %s", errUndecided, r.Detail)
	}
	return nil
}

// evidenceView is a worker with the judgement of its evidence.
type evidenceView struct {
	workerView
	Evidence       *attestation.Report `json:"evidence"`
	AtRegistration *attestation.Report `json:"evidence_at_registration"`
	JudgedFor      string              `json:"judged_for"`
	RegisteredAt   string              `json:"registered_at"`
	BlockProven    bool                `json:"block_proven"`
	BoundKey       string              `json:"bound_ecdh_key"`
	Bound          client.BoundKey     `json:"bound"`

	age time.Duration
}

func evidenceOf(v workerView, e *client.WorkerEvidence) evidenceView {
	registered := e.RegisteredAt()
	return evidenceView{
		workerView: v, Evidence: e.Report, AtRegistration: e.Then, JudgedFor: e.At.UTC().Format(time.RFC3339),
		RegisteredAt: registered.Format(time.RFC3339), BlockProven: e.BlockProven, BoundKey: e.Registration.Ecdh.String(),
		Bound: e.Bound, age: e.At.Sub(registered).Round(time.Second),
	}
}

// boundWords say which key evidence vouches for.
var boundWords = map[client.BoundKey]string{
	client.BoundCurrent:  "the current one",
	client.BoundPrevious: "the previous one, which vouched for by its IdentityKey the worker has replaced",
	client.BoundReplaced: "which the worker has replaced more than once since, each vouched for by its IdentityKey",
}

func (v evidenceView) text(w io.Writer) {
	v.workerView.text(w)
	fmt.Fprintf(w, "\nregistered   in block %d of %s, %s before the time judged for, %s\n", v.AttestedAt, v.RegisteredAt, v.age, v.JudgedFor)
	block := "verified by this machine's light client"
	if !v.BlockProven {
		block = "not verified, for it lies before what this machine trusts; the evidence vouches for itself"
	}
	fmt.Fprintf(w, "block        %s\nbound to     identity %s\n             ecdh key %s, %s\n", block, v.Worker, v.BoundKey, boundWords[v.Bound])
	v.Evidence.Text(w)
	if v.Evidence.Err() == nil {
		return
	}
	then := "refused too (" + v.AtRegistration.Reason + ")"
	if v.AtRegistration.Err() == nil {
		then = "accepted, " + v.RegisteredAt
		if v.Evidence.Reason == "expired" {
			then += "; what it rests on has ended since, and the worker has not been attested anew"
		}
	}
	fmt.Fprintf(w, "at that time %s\n", then)
}
