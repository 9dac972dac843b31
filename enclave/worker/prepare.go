package worker

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/wire"
)

// aheadOf is how many messages are prepared ahead of the one that is executed.
const aheadOf = 128

// prepared is what can be known of a message before its turn: its body and, where that is a command to a key that is
// held, what the envelope holds and whether it is signed. It depends on the message and the key alone, so that nobody
// can tell in which order, or how often, it was computed.
type prepared struct {
	body    *wire.Body         // nil where the payload is none
	request *envelope.Envelope // of a command, nil where it is no envelope to a cluster
	key     *epochKeys         // that request was opened with, nil where none was held
	inv     *wire.Invocation   // nil where it does not open, is none or is not signed
	hash    wire.Hash          // of inv
}

// prepare does for a message what is expensive and needs no state.
func (x *executor) prepare(m *wire.Message) prepared {
	var p prepared
	var b wire.Body
	if unmarshal(m.Payload, &b) != nil {
		return p
	}
	p.body = &b
	if m.Sender.Variant != wire.SenderAccount || b.Command == nil {
		return p
	}
	e, err := envelope.Parse(b.Command.Envelope)
	if err != nil || e.Purpose != commkey.OnChain {
		return p
	}
	p.request = e
	x.unseal(&p)
	return p
}

// unseal opens a prepared command with the key that is held now, if one is.
func (x *executor) unseal(p *prepared) {
	k, ok := x.keys.epoch(p.request.Epoch)
	if !ok {
		return
	}
	p.key = k
	if k.ecdh.Public() != p.request.Recipient {
		return
	}
	plain, err := p.request.Open(x.uid, k.ecdh)
	if err != nil {
		return
	}
	var inv wire.Invocation
	err = unmarshal(plain, &inv)
	clear(plain)
	target := wire.Target{UID: x.uid, Cluster: x.cluster}
	if err != nil || inv.Verify(target) != nil {
		return
	}
	if p.hash, err = inv.Hash(target); err == nil {
		p.inv = &inv
	}
}

// ahead prepares messages beside their execution, in as many goroutines as there are processors.
type ahead struct {
	slots []prepared
	ready []chan struct{}
	room  chan struct{} // a token for each message that may be prepared before its turn
	next  atomic.Int64
	stop  chan struct{}
	group sync.WaitGroup
}

// prepareAll begins with the messages of a delivery. The caller calls close.
func (x *executor) prepareAll(messages []wire.Message) *ahead {
	a := &ahead{
		slots: make([]prepared, len(messages)), ready: make([]chan struct{}, len(messages)),
		room: make(chan struct{}, aheadOf), stop: make(chan struct{}),
	}
	for i := range a.ready {
		a.ready[i] = make(chan struct{})
	}
	for range min(runtime.GOMAXPROCS(0), len(messages)) {
		a.group.Go(func() { a.run(x, messages) })
	}
	return a
}

func (a *ahead) run(x *executor, messages []wire.Message) {
	for {
		select {
		case a.room <- struct{}{}:
		case <-a.stop:
			return
		}
		i := a.next.Add(1) - 1
		if i >= int64(len(messages)) {
			return
		}
		a.slots[i] = x.prepare(&messages[i])
		close(a.ready[i])
	}
}

// take returns message i, which is the one after the last that was taken.
func (a *ahead) take(i int) *prepared {
	<-a.ready[i]
	<-a.room
	return &a.slots[i]
}

// done forgets message i.
func (a *ahead) done(i int) { a.slots[i] = prepared{} }

// close waits for the goroutines: no key is used after it.
func (a *ahead) close() {
	close(a.stop)
	a.group.Wait()
}
