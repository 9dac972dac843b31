package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// Collateral completes evidence; *collateral.Source is one.
type Collateral interface {
	Complete(ctx context.Context, ev tee.Evidence) (tee.Evidence, collateral.Expiry, error)
	Stats() collateral.Stats
}

const (
	reattestAgain    = 100                    // blocks between registrations that the enclave has not asked for
	completePatience = 500 * time.Millisecond // that a block waits for collateral; a later one takes what is ready then
	completeTimeout  = 5 * time.Minute        // of all requests for one piece of evidence
	lookEvery        = 10 * time.Minute       // between looks for newer collateral that is due
	expiryMargin     = 24 * time.Hour         // before its end, from which it is a warning that there is no newer
)

// attestation is how the enclave's evidence is completed, and what the chain was shown last.
type attestation struct {
	job      *completion
	failures int       // since the last success
	hold     time.Time // before which nothing is tried again
	look     time.Time // from which newer collateral is looked for
	digest   [32]byte  // of the collateral that was sent last; zero if this relay has sent none
}

// completion is a registration whose evidence is being completed, aside, for services may take long and the enclave must
// have its headers.
type completion struct {
	asked        bool // the enclave asks for the registration; else it is sent if there is newer collateral
	incarnation  string
	registration *pb.RegisterResponse
	done         chan struct{} // closed when what follows is set
	evidence     tee.Evidence
	expiry       collateral.Expiry
	err          error
}

// fromMaker are the platforms whose evidence needs what its maker publishes.
var fromMaker = map[string]bool{
	tee.KindSGX.String(): true, tee.KindTDX.String(): true, tee.KindSEVSNP.String(): true,
}

// register brings the enclave's registration to the chain when the enclave asks for it, or when what vouches for its
// platform was renewed.
func (s *session) register(ctx context.Context, height uint64) error {
	if s.attest.job == nil {
		asked, due := s.wantsRegistration(ctx, height)
		if !asked && !due || s.clock().Before(s.attest.hold) {
			return nil
		}
		job, err := s.startCompletion(ctx, asked)
		if err != nil || job == nil {
			return err
		}
		s.attest.job = job
	}
	job := s.attest.job
	patience := time.NewTimer(completePatience)
	defer patience.Stop()
	select {
	case <-job.done:
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	s.attest.job = nil
	return s.completed(ctx, height, job)
}

// wantsRegistration tells whether the enclave asks for a registration, and whether newer collateral is to be looked for.
func (s *session) wantsRegistration(ctx context.Context, height uint64) (asked, due bool) {
	st, o := s.status, &s.once
	if st.Height == 0 {
		return false, false
	}
	if st.NeedsRegistration {
		same := o.registered == string(st.Incarnation)
		if same && height < o.registeredAt+registerAgain {
			return false, false
		}
		if same {
			s.explain(ctx, "registration had no effect, sending again", o.hash)
		}
		return true, false
	}
	if !fromMaker[st.Platform] || o.self == nil || string(o.self.Incarnation[:]) != string(st.Incarnation) {
		return false, false
	}
	last := max(o.self.AttestedAt, o.registeredAt)
	return false, height >= last+reattestAgain && !s.clock().Before(s.attest.look)
}

// startCompletion takes a registration from the enclave and begins to complete its evidence. It returns nil where the
// registration must wait.
func (s *session) startCompletion(ctx context.Context, asked bool) (*completion, error) {
	operator := s.cfg.Account.Address()
	r, err := s.enclave.Register(ctx, connect.NewRequest(&pb.RegisterRequest{Operator: operator[:]}))
	if connect.CodeOf(err) == connect.CodeFailedPrecondition {
		s.cfg.Log.Debug("registration must wait", "reason", err)
		return nil, nil // its records are not proven yet; the next block brings them
	}
	if err != nil {
		return nil, atEnclave("register", err)
	}
	job := &completion{
		asked: asked, incarnation: string(s.status.Incarnation), registration: r.Msg, done: make(chan struct{}),
	}
	if err := scale.Unmarshal(r.Msg.Evidence, &job.evidence); err != nil {
		return nil, atEnclave("register", fmt.Errorf("evidence: %w", err))
	}
	s.transfers.Go(func() {
		defer close(job.done)
		ctx, cancel := context.WithTimeout(ctx, completeTimeout)
		defer cancel()
		job.evidence, job.expiry, job.err = s.collateral.Complete(ctx, job.evidence)
	})
	return job, nil
}

// completed sends the registration, or says why not.
func (s *session) completed(ctx context.Context, height uint64, job *completion) error {
	a, now := &s.attest, s.clock()
	s.metrics.collateral(s.collateral.Stats(), job.expiry)
	if job.incarnation != string(s.status.Incarnation) {
		return nil // the enclave was started anew meanwhile, and is asked again
	}
	if job.err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.failures++
		again := &a.hold
		*again = now.Add(collateral.Backoff(a.failures))
		if !job.asked { // what the enclave asks for, after a restart say, does not wait for the next look
			a.hold, again = time.Time{}, &a.look
			*again = now.Add(lookEvery)
		}
		s.cfg.Log.Warn("collateral for the enclave's evidence cannot be had, trying again", "kind", job.evidence.Kind,
			"times", a.failures, "again", again.UTC().Format(time.RFC3339), "reason", job.err)
		return nil
	}
	a.failures, a.hold = 0, time.Time{}
	a.look = now.Add(lookEvery)
	if !job.asked && s.newer(ctx, job) {
		// The next look is soon: it finds out whether the chain has taken this one.
		return s.checkAndSend(ctx, height, job)
	}
	if job.expiry.Renew.After(a.look) {
		a.look = job.expiry.Renew
	}
	if !job.asked {
		s.warnExpiry(now, job.expiry)
		return nil
	}
	return s.checkAndSend(ctx, height, job)
}

// checkAndSend sends a registration, with a warning where its evidence would not convince everybody.
func (s *session) checkAndSend(ctx context.Context, height uint64, job *completion) error {
	now := s.clock()
	if err := collateral.Check(job.evidence, now); err != nil {
		s.cfg.Log.Warn("a network that trusts the makers' own roots would refuse this evidence", "kind", job.evidence.Kind, "reason", err)
	}
	return s.sendRegistration(ctx, height, job)
}

// newer reports whether a registration with this collateral would show the chain what it was not shown yet.
func (s *session) newer(ctx context.Context, job *completion) bool {
	o := &s.once
	sent := s.attest.digest != [32]byte{}
	if sent && (o.self.AttestedAt >= o.registeredAt || job.expiry.Digest != s.attest.digest) {
		return job.expiry.Digest != s.attest.digest
	}
	// Another run of this relay has registered, or the last one sent had no effect. The record says when the chain took one:
	// what was fetched later was not in it.
	if job.expiry.Fetched.UnixMilli() <= int64(o.self.AttestedTime) {
		return false
	}
	if sent {
		s.explain(ctx, "registration with newer collateral had no effect, sending again", o.hash)
	}
	return true
}

func (s *session) warnExpiry(now time.Time, e collateral.Expiry) {
	if !e.Until.IsZero() && e.Until.Sub(now) < expiryMargin {
		s.cfg.Log.Warn("collateral ends soon and the service has none that is newer; registrations are refused after it",
			"until", e.Until.UTC().Format(time.RFC3339))
	}
}

func (s *session) sendRegistration(ctx context.Context, height uint64, job *completion) error {
	evidence, err := scale.Marshal(&job.evidence)
	if err != nil {
		return errors.Join(errEvidence, err)
	}
	r := job.registration
	msg := &registrytypes.MsgRegisterWorker{
		Operator: s.sender.Address(), Registration: r.Registration, Evidence: evidence, Signature: r.Signature,
	}
	hash, err := s.send(ctx, registrytypes.GasRegister, msg)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	o, st := &s.once, s.status
	o.registered, o.registeredAt, o.hash = job.incarnation, height, hash
	s.attest.digest = job.expiry.Digest
	until := "never"
	if !job.expiry.Until.IsZero() {
		until = job.expiry.Until.UTC().Format(time.RFC3339)
	}
	s.cfg.Log.Info("registration sent", "identity", short(st.Identity), "incarnation", short(st.Incarnation),
		"asked", job.asked, "evidence", job.evidence.Kind, "bytes", len(evidence), "collateral_until", until, "tx", short(hash))
	return nil
}

var errEvidence = errors.New("evidence cannot be encoded")
