package relay

import (
	"log/slog"

	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// repeatAfter is how often the same failure is counted before it is logged again.
const repeatAfter = 200

// said keeps the log short: what does not change is said once.
type said struct {
	failure string
	times   int

	incarnation string
	role        string
	problem     string
	phases      map[string]string // of clusters
}

// warn logs a failure the first time, and then every so often.
func (s *said) warn(log *slog.Logger, err error) {
	text := "session ended"
	if err != nil {
		text = err.Error()
	}
	if s.times++; text == s.failure && s.times%repeatAfter != 0 {
		return
	}
	if text != s.failure {
		s.times = 1
	}
	s.failure = text
	log.Warn("trying again", "error", text, "times", s.times)
}

// progress logs what has changed at the enclave.
func (s *said) progress(log *slog.Logger, st *pb.StatusResponse) {
	if s.failure != "" {
		log.Info("following again", "height", st.Height)
		s.failure, s.times = "", 0
	}
	if s.incarnation != string(st.Incarnation) {
		s.incarnation, s.role, s.phases = string(st.Incarnation), "", map[string]string{}
		log.Info("enclave", "identity", short(st.Identity), "incarnation", short(st.Incarnation),
			"platform", st.Platform, "software", st.Software, "height", st.Height)
	}
	if s.role != st.Role {
		s.role = st.Role
		log.Info("role", "role", st.Role, "height", st.Height)
		if st.Role == roleHandedOver {
			log.Info("the keys were handed over to a new release: this pruntime and its relay have nothing more to do")
		}
	}
	if s.problem != st.Problem {
		s.problem = st.Problem
		log.Warn("enclave's problem", "problem", st.Problem, "height", st.Height)
	}
	for _, c := range st.Clusters {
		phase := c.Phase
		if c.Problem != "" {
			phase += ": " + c.Problem
		}
		if s.phases[string(c.Cluster)] == phase {
			continue
		}
		s.phases[string(c.Cluster)] = phase
		log.Info("cluster", "cluster", short(c.Cluster), "phase", phase, "count", c.Count, "height", st.Height)
	}
}
