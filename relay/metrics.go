package relay

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/phalanx-network/phalanx/relay/collateral"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// unhealthyAfter is how long the enclave may see no new header before /healthz says so; it refuses queries at 60 s.
const unhealthyAfter = 30 * time.Second

// metrics are the relay's figures, in Prometheus's text format.
type metrics struct {
	start         time.Time
	last          atomic.Int64 // Unix nanoseconds of the last block that was brought
	blocks        atomic.Uint64
	busy          atomic.Uint64 // nanoseconds spent on blocks
	height        atomic.Uint64 // of the node
	header        atomic.Uint64 // of the enclave
	pending       atomic.Uint64 // messages in the outbox
	headers       atomic.Uint64
	proofs        atomic.Uint64
	messages      atomic.Uint64
	bytes         atomic.Uint64
	submitted     atomic.Uint64
	resubmissions atomic.Uint64
	failures      atomic.Uint64
	states        atomic.Uint64

	collateralFetches  atomic.Uint64
	collateralFailures atomic.Uint64
	collateralUntil    atomic.Int64 // Unix seconds; 0 for none
	collateralFetched  atomic.Int64 // Unix seconds; 0 for none
}

func newMetrics() *metrics { return &metrics{start: time.Now()} }

func (m *metrics) synced(took time.Duration, height uint64, st *pb.StatusResponse) {
	m.last.Store(time.Now().UnixNano())
	m.blocks.Add(1)
	m.busy.Add(uint64(took))
	m.height.Store(height)
	m.header.Store(st.Height)
	m.pending.Store(st.OutboxNext - st.OutboxFirst)
}

func (m *metrics) brought(r *pb.AdvanceRequest) {
	m.headers.Add(uint64(len(r.LightBlocks)))
	m.proofs.Add(uint64(len(r.Proofs)))
	for _, b := range r.Batches {
		m.messages.Add(uint64(len(b.Messages)))
		for _, x := range b.Messages {
			m.bytes.Add(uint64(len(x)))
		}
	}
}

// collateral takes a source's figures, and how long what it gave last serves.
func (m *metrics) collateral(st collateral.Stats, e collateral.Expiry) {
	m.collateralFetches.Store(st.Fetches)
	m.collateralFailures.Store(st.Failures)
	if !e.Until.IsZero() {
		m.collateralUntil.Store(e.Until.Unix())
	}
	if !e.Fetched.IsZero() {
		m.collateralFetched.Store(e.Fetched.Unix())
	}
}

// collateralAge is the time since the newest part of what was used was fetched, in seconds; 0 without one.
func (m *metrics) collateralAge() float64 {
	at := m.collateralFetched.Load()
	if at == 0 {
		return 0
	}
	return max(time.Since(time.Unix(at, 0)).Seconds(), 0)
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", m.health)
	mux.HandleFunc("GET /metrics", m.text)
	return mux
}

func (m *metrics) health(w http.ResponseWriter, _ *http.Request) {
	since := m.start
	if last := m.last.Load(); last != 0 {
		since = time.Unix(0, last)
	}
	if idle := time.Since(since); idle > unhealthyAfter {
		http.Error(w, fmt.Sprintf("no block was brought for %s", idle.Round(time.Second)), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (m *metrics) text(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, x := range []struct {
		name, kind, help string
		value            float64
	}{
		{"node_height", "gauge", "Height of the node.", float64(m.height.Load())},
		{"enclave_height", "gauge", "Height of the enclave's newest verified header.", float64(m.header.Load())},
		{"outbox_pending", "gauge", "Messages that the chain has not accepted yet.", float64(m.pending.Load())},
		{"blocks_total", "counter", "Blocks at which the enclave was brought up to date.", float64(m.blocks.Load())},
		{"block_seconds_total", "counter", "Time that this took.", time.Duration(m.busy.Load()).Seconds()},
		{"headers_total", "counter", "Light blocks brought.", float64(m.headers.Load())},
		{"proofs_total", "counter", "Proofs brought.", float64(m.proofs.Load())},
		{"messages_total", "counter", "Messages brought.", float64(m.messages.Load())},
		{"message_bytes_total", "counter", "Bytes of messages brought.", float64(m.bytes.Load())},
		{"submitted_total", "counter", "Messages of the enclave sent.", float64(m.submitted.Load())},
		{"resubmissions_total", "counter", "Times that messages were sent again.", float64(m.resubmissions.Load())},
		{"failures_total", "counter", "Sessions that ended with an error.", float64(m.failures.Load())},
		{"collateral_fetches_total", "counter", "Answers of the makers' services that were used.", float64(m.collateralFetches.Load())},
		{"collateral_failures_total", "counter", "Requests to the makers' services that failed.", float64(m.collateralFailures.Load())},
		{"collateral_expiry_seconds", "gauge", "Unix time at which the collateral used last ends; 0 for none.", float64(m.collateralUntil.Load())},
		{"collateral_age_seconds", "gauge", "Time since its newest part was fetched.", m.collateralAge()},
		{"states_fetched_total", "counter", "Snapshots fetched from other members.", float64(m.states.Load())},
	} {
		name := "phalanx_relay_" + x.name
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %g\n", name, x.help, name, x.kind, name, x.value)
	}
}
