package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/wire"
)

// A relay may bring any first part of the truth, and nothing else.
func TestMessages(t *testing.T) {
	lies := map[string]func(r *rig, b *dispatch.Batch){
		"one is left out":         func(_ *rig, b *dispatch.Batch) { b.Messages = append(b.Messages[:3:3], b.Messages[4:]...) },
		"the last is left out":    func(_ *rig, b *dispatch.Batch) { b.Digests = b.Digests[:len(b.Digests)-1] },
		"nothing":                 func(_ *rig, b *dispatch.Batch) { b.Messages, b.Digests = nil, nil },
		"two are swapped":         func(_ *rig, b *dispatch.Batch) { b.Messages[0], b.Messages[1] = b.Messages[1], b.Messages[0] },
		"two digests are swapped": func(_ *rig, b *dispatch.Batch) { b.Digests[0], b.Digests[1] = b.Digests[1], b.Digests[0] },
		"one comes twice":         func(_ *rig, b *dispatch.Batch) { b.Messages = append(b.Messages[:1:1], b.Messages...) },
		"one is forged": func(r *rig, b *dispatch.Batch) {
			m := r.list[2]
			m.Payload = []byte("forged")
			b.Messages[2] = enclavetest.Must(scale.Marshal(&m))
		},
		"a sender is forged": func(r *rig, b *dispatch.Batch) {
			m := r.list[2]
			m.Sender = wire.Sender{Variant: wire.SenderAccount}
			b.Messages[2] = enclavetest.Must(scale.Marshal(&m))
		},
		"one more":             func(_ *rig, b *dispatch.Batch) { b.Digests = append(b.Digests, wire.Hash{1}) },
		"a byte more":          func(_ *rig, b *dispatch.Batch) { b.Messages[1] = append(bytes.Clone(b.Messages[1]), 0) },
		"garbage":              func(_ *rig, b *dispatch.Batch) { b.Messages[0] = []byte("garbage") },
		"too many digests":     func(_ *rig, b *dispatch.Batch) { b.Digests = make([]wire.Hash, dispatch.MaxDigests+1) },
		"too many messages":    func(_ *rig, b *dispatch.Batch) { b.Messages = make([][]byte, dispatch.MaxMessages+1) },
		"a message for digest": func(_ *rig, b *dispatch.Batch) { b.Messages = append(b.Messages, b.Digests[0][:]) },
	}
	for what, lie := range lies {
		r := following(t)
		b := r.batch(7)
		lie(r, &b)
		if err := r.bring(b); !errors.Is(err, dispatch.ErrBatch) && !errors.Is(err, dispatch.ErrRequest) {
			t.Errorf("%s: %v", what, err)
		}
		if len(r.worker.taken) != 0 {
			t.Errorf("%s: %d messages were delivered", what, len(r.worker.taken))
		}
	}
	r := following(t)
	for _, n := range []int{0, 3, 3, 7, 10, 10} {
		if err := r.bring(r.batch(n)); err != nil {
			t.Fatal(n, err)
		}
		if len(r.worker.taken) != n {
			t.Fatalf("%d are taken, want %d", len(r.worker.taken), n)
		}
	}
	old := r.batch(10)
	old.From = 3
	if err := r.bring(old); err != nil || len(r.worker.taken) != 10 {
		t.Fatalf("a repetition: %v, %d messages", err, len(r.worker.taken))
	}
	// What was true before a new header is not enough after it, until the head is proven anew.
	r.push("eleven")
	if err := r.block(); err != nil {
		t.Fatal(err)
	}
	if err := r.bring(r.batch(11)); !errors.Is(err, dispatch.ErrBatch) {
		t.Fatalf("the head is not proven at the newest header: %v", err)
	}
	if err := r.prove(); err != nil {
		t.Fatal(err)
	}
	if err := r.bring(r.batch(11)); err != nil || len(r.worker.taken) != 11 {
		t.Fatal(err)
	}
	other := r.batch(11)
	other.Topic = wire.ClusterTopic(wire.ClusterID{2})
	if err := r.bring(other); err != nil || len(r.worker.taken) != 11 {
		t.Fatalf("another topic: %v", err)
	}
	if err := r.bring(dispatch.Batch{Topic: r.topic, From: 11, Pruned: 50}); err != nil || r.worker.pruned != 50 || len(r.worker.taken) != 11 {
		t.Fatalf("pruned: %v", err)
	}
	// A role that fails stands where it stood.
	r.push("twelve")
	r.next()
	r.worker.fail = errors.New("disk")
	if err := r.bring(r.batch(12)); !errors.Is(err, r.worker.fail) || r.d.Status().Problem == "" {
		t.Fatal(err)
	}
	r.worker.fail = nil
	if err := r.bring(r.batch(12)); err != nil || len(r.worker.taken) != 12 {
		t.Fatal(err)
	}
}

// A record is believed only with a proof of it, at the newest header.
func TestProofs(t *testing.T) {
	key, other := wire.KeyCluster(wire.ClusterID{5}), wire.KeyCluster(wire.ClusterID{6})
	setup := func() *rig {
		r := newRig(t)
		r.worker.want = []wire.RecordKey{key}
		r.records[key], r.records[other] = []byte("truth"), []byte("another")
		r.records[wire.RecordKey{Store: wire.StoreQueue, Key: key.Key}] = []byte("another store's")
		r.worker.want = nil
		r.next()
		r.worker.want = []wire.RecordKey{key}
		if err := r.block(); err != nil {
			t.Fatal(err)
		}
		for _, k := range []wire.RecordKey{wire.KeyChainUID(), wire.KeyNetworkParams(), wire.KeyWorker(r.keys.Identity()), wire.KeyGatekeepers()} {
			if err := r.d.Advance(t.Context(), nil, []dispatch.Proof{r.chain.Proof(r.height, k)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	for what, lie := range map[string]func(r *rig) dispatch.Proof{
		"another key's": func(r *rig) dispatch.Proof {
			p := r.chain.Proof(r.height, other)
			p.Key = key
			return p
		},
		"another store's": func(r *rig) dispatch.Proof {
			p := r.chain.Proof(r.height, wire.RecordKey{Store: wire.StoreQueue, Key: key.Key})
			p.Key = key
			return p
		},
		"another value": func(r *rig) dispatch.Proof {
			p := r.chain.Proof(r.height, key)
			p.Value = []byte("lie")
			return p
		},
		"said to be absent": func(r *rig) dispatch.Proof {
			p := r.chain.Proof(r.height, key)
			p.Value, p.Absent = nil, true
			return p
		},
		"absence of another": func(r *rig) dispatch.Proof {
			p := r.chain.Proof(r.height, wire.KeyCluster(wire.ClusterID{9}))
			p.Key = key
			return p
		},
		"an older header's": func(r *rig) dispatch.Proof { return r.chain.Proof(r.height-1, key) },
		"an older header's state, renamed": func(r *rig) dispatch.Proof {
			r.chain.Set(r.height-1, map[wire.RecordKey][]byte{key: []byte("old")})
			p := r.chain.Proof(r.height-1, key)
			p.Header = r.height
			return p
		},
		"no proof": func(r *rig) dispatch.Proof { return dispatch.Proof{Key: key, Header: r.height, Value: []byte("lie")} },
	} {
		r := setup()
		err := r.d.Advance(t.Context(), nil, []dispatch.Proof{lie(r)}, nil)
		if !errors.Is(err, light.ErrProof) && !errors.Is(err, dispatch.ErrStaleProof) && !errors.Is(err, light.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
		if _, known := r.worker.facts[key]; known {
			t.Errorf("%s: it is believed", what)
		}
		if err := r.d.Advance(t.Context(), nil, []dispatch.Proof{r.chain.Proof(r.height, key)}, nil); err != nil {
			t.Errorf("%s: the truth afterwards: %v", what, err)
		}
		if f := r.worker.facts[key]; string(f.Value) != "truth" || f.Header != r.height {
			t.Errorf("%s: fact %+v", what, f)
		}
	}
	r := setup()
	// What nobody wants is dropped unread; too much is refused before anything is looked at.
	if err := r.d.Advance(t.Context(), nil, []dispatch.Proof{{Key: other, Value: []byte("lie"), Ops: make([]byte, 1<<20)}}, nil); err != nil {
		t.Error(err)
	}
	for _, err := range []error{
		r.d.Advance(t.Context(), make([][]byte, dispatch.MaxLightBlocks+1), nil, nil),
		r.d.Advance(t.Context(), nil, make([]dispatch.Proof, dispatch.MaxProofs+1), nil),
		r.d.Advance(t.Context(), nil, nil, make([]dispatch.Batch, dispatch.MaxBatches+1)),
	} {
		if !errors.Is(err, dispatch.ErrRequest) {
			t.Error(err)
		}
	}
}

// Headers are those of the light client; a chain that names itself otherwise than this enclave's keys is refused.
func TestHeaders(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	if err := r.d.Advance(ctx, nil, nil, nil); !errors.Is(err, dispatch.ErrNoHeader) {
		t.Fatal(err)
	}
	if err := r.d.Advance(ctx, [][]byte{lighttest.New(lighttest.Config{Seed: 5}).Block(1)}, nil, nil); err == nil {
		t.Fatal("another chain's first header")
	}
	if _, _, ok := r.d.Header(); ok {
		t.Fatal("a header was believed")
	}
	r.next()
	r.now = r.chain.Time(50)
	for _, f := range []lighttest.Forgery{{WrongSigner: true}, {AppHashAfterSigning: true}, {SwapSet: true}} {
		if err := r.d.Advance(ctx, [][]byte{r.chain.Forge(10, f)}, nil, nil); err == nil {
			t.Errorf("forgery %+v", f)
		}
	}
	if h, _, _ := r.d.Header(); h.Height != r.height {
		t.Fatalf("it stands at %d", h.Height)
	}
	before := r.worker.steps
	if err := r.d.Advance(ctx, [][]byte{r.chain.Block(1), r.chain.Block(r.height)}, nil, nil); err != nil || r.worker.steps == before {
		t.Fatalf("a repetition: %v", err)
	}
	if h, age, _ := r.d.Header(); h.Height != r.height || age < 40*time.Second {
		t.Fatalf("a repetition counts as new: %d, %s", h.Height, age)
	}
	if r.keys.saved == 0 {
		t.Fatal("the trusted header was not sealed")
	}
	r.now = r.chain.Time(1)
	if r.d.Now().Before(r.chain.Time(50)) {
		t.Fatal("the clock went back")
	}
	alien := newRig(t)
	alien.records[wire.KeyChainUID()] = bytes.Repeat([]byte{9}, 32)
	if err := alien.block(); err != nil {
		t.Fatal(err)
	}
	if err := alien.prove(); !errors.Is(err, dispatch.ErrOtherChain) {
		t.Fatalf("a chain of another uid: %v", err)
	}
	if alien.worker.steps != 0 {
		t.Fatal("the role ran on it")
	}
}

// The own record says whether this life may act, and as what.
func TestOwnRecord(t *testing.T) {
	r := following(t)
	status := func() dispatch.Status { return r.d.Status() }
	if s := status(); s.Role != dispatch.RoleWorker || s.NeedsRegistration || len(s.Places) != 1 {
		t.Fatalf("%+v", s)
	}
	change := func(f func(w *wire.WorkerState)) {
		t.Helper()
		w := r.self
		f(&w)
		r.put(wire.KeyWorker(r.keys.Identity()), &w)
		r.next()
	}
	idle := func(what string, needs bool) {
		t.Helper()
		steps, taken, suspended := r.worker.steps, len(r.worker.taken), r.worker.suspended
		r.next()
		if err := r.bring(r.batch(10)); err != nil {
			t.Fatal(err)
		}
		if r.worker.steps != steps || len(r.worker.taken) != taken || r.worker.suspended == suspended {
			t.Fatalf("%s: the role works on", what)
		}
		if s := status(); s.NeedsRegistration != needs || len(s.Places) != 0 {
			t.Fatalf("%s: %+v", what, s)
		}
	}
	change(func(w *wire.WorkerState) { w.Status = wire.WorkerSuspended })
	idle("suspended", false)
	if status().Problem == "" {
		t.Fatal("no word of it")
	}
	change(func(w *wire.WorkerState) { w.Status = wire.WorkerExpired })
	idle("expired", true)
	change(func(w *wire.WorkerState) { w.Incarnation[0] ^= 1 })
	idle("superseded", true)
	delete(r.records, wire.KeyWorker(r.keys.Identity()))
	r.next()
	idle("not registered", true)
	change(func(*wire.WorkerState) {})
	if err := r.bring(r.batch(10)); err != nil || len(r.worker.taken) != 10 {
		t.Fatal("it does not work again", err)
	}
	change(func(w *wire.WorkerState) { w.AttestedAt = 0 })
	r.height = 499
	r.next()
	if s := status(); !s.NeedsRegistration || len(s.Places) != 1 {
		t.Fatalf("half of its time is over: %+v", s)
	}
	r.put(wire.KeyGatekeepers(), &wire.Gatekeepers{Members: []sr25519.PublicKey{r.keys.Identity()}})
	r.next()
	steps := r.worker.steps
	r.next()
	if s := status(); s.Role != dispatch.RoleGatekeeper || r.keeper.steps == 0 || r.worker.steps != steps {
		t.Fatalf("%+v", s)
	}
}

// Acts are kept, in order and signed for this life, until the chain is proven to have accepted them.
func TestOutbox(t *testing.T) {
	r := newRig(t)
	r.next()
	act := wire.Act{Kind: wire.ActKeyReport, KeyReport: &wire.KeyReport{Key: someEcdh().Key}}
	r.worker.act = &act
	if err := r.block(); err != nil {
		t.Fatal(err)
	}
	r.worker.act = nil
	s := r.d.Status()
	if s.OutboxNext == 0 {
		t.Fatal("nothing was said")
	}
	n := s.OutboxNext
	for i, raw := range r.d.Outbox(0, 1<<20) {
		var m wire.SignedMessage
		if err := scale.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if m.Message.Sequence != uint64(i) || m.Message.Incarnation != r.keys.incarnation || m.Verify(r.keys.uid) != nil {
			t.Fatalf("message %d: %+v", i, m.Message)
		}
	}
	if got := r.d.Outbox(0, 1); len(got) != 1 {
		t.Fatalf("%d messages under a bound of one byte", len(got))
	}
	if got := r.d.Outbox(n, 100); len(got) != 0 {
		t.Fatal("more than there is")
	}
	seq := wire.KeySequence(r.keys.Identity())
	for _, c := range []struct {
		seq   wire.Sequence
		first uint64
	}{
		{wire.Sequence{Incarnation: wire.Incarnation{1}, Next: n}, 0},      // another life's
		{wire.Sequence{Incarnation: r.keys.incarnation, Next: n + 50}, 0},  // more than was said
		{wire.Sequence{Incarnation: r.keys.incarnation, Next: n}, n},       // all
		{wire.Sequence{Incarnation: r.keys.incarnation, Next: n - n/2}, n}, // less again
	} {
		r.put(seq, &c.seq)
		r.next()
		if s := r.d.Status(); s.OutboxFirst != c.first || s.OutboxNext != n {
			t.Fatalf("after %+v: %d to %d", c.seq, s.OutboxFirst, s.OutboxNext)
		}
	}
	r.worker.act = &act
	var err error
	for err == nil {
		err = r.d.Advance(t.Context(), nil, nil, nil)
		if r.d.Status().OutboxNext-n > 5000 {
			t.Fatal("the outbox has no bound")
		}
	}
	if !errors.Is(err, dispatch.ErrOutboxFull) {
		t.Fatal(err)
	}
	r.worker.act = nil
	r.put(seq, &wire.Sequence{Incarnation: r.keys.incarnation, Next: r.d.Status().OutboxNext})
	r.next()
	if s := r.d.Status(); s.OutboxFirst != s.OutboxNext || s.Problem != "" {
		t.Fatalf("it does not recover: %+v", s)
	}
}

// A relay that goes away in the middle stops nothing, and the newest header is known while messages are executed.
func TestHeaderDuringDelivery(t *testing.T) {
	r := following(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r.worker.during = func() {
		done := make(chan uint64)
		go func() {
			h, _, _ := r.d.Header()
			done <- h.Height
		}()
		select {
		case h := <-done:
			if h != r.height {
				t.Errorf("height %d, want %d", h, r.height)
			}
		case <-time.After(5 * time.Second):
			t.Error("Header waits for the delivery")
		}
	}
	if err := r.d.Advance(gone, nil, nil, []dispatch.Batch{r.batch(10)}); err != nil || len(r.worker.taken) != 10 {
		t.Fatal(err)
	}
}
