package dispatch

import (
	"context"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// Fact is a record that was proven, or its absence.
type Fact struct {
	Header uint64 // the height of the header that it was proven against; the state is the one of the height before
	Value  []byte // nil when the record was proven absent
}

// Chain is what a role may know of the chain, and do on it, at one verified header.
type Chain interface {
	// UID names the chain.
	UID() wire.ChainUID
	// Header is the newest verified header.
	Header() light.Header
	// Self is the enclave's own record; it is the record of this incarnation.
	Self() wire.WorkerState
	// Params are the network's rules.
	Params() wire.NetworkParams
	// Record returns a record that was proven against the newest verified header, and asks for it where that has not
	// happened yet. A role that still needs the record asks again at each step.
	Record(key wire.RecordKey) (Fact, bool)
	// Act signs an act and keeps it until the chain has accepted it.
	Act(act wire.Act) error
}

// Place is where a role stands in a topic.
type Place struct {
	Topic wire.Topic
	Head  wire.Head // over the messages that it has taken
}

// Delivery is verified messages that follow a role's place.
type Delivery struct {
	Place    Place          // as the role gave it
	Messages []wire.Message // in order, from index Place.Head.Count on; may be none
	Digests  []wire.Hash    // of the messages
	Head     wire.Head      // after the messages
	Proven   wire.Head      // the topic's head at the newest verified header; at or beyond Head
	// Pruned is the relay's word for the lowest index that the chain still keeps, 0 when it said nothing. Where it is above
	// the place there are no messages: the role decides whether to believe it, and where to go on.
	Pruned uint64
}

// Role is one of the enclave's jobs. Its methods are called one at a time.
type Role interface {
	// Step runs after records have been proven: the role asks for what it needs and acts on what it has.
	Step(ctx context.Context, c Chain) error
	// Places returns where the role stands in the topics that it follows, in an order that does not change without
	// reason.
	Places() []Place
	// Deliver takes messages. On an error the role stands where it stood, and the messages come again.
	Deliver(ctx context.Context, c Chain, d Delivery) error
	// Suspend erases what the role holds for others and forgets its places, for the enclave may not act in this role now.
	// Step takes up the work again.
	Suspend()
	// Stop erases what the role holds; it is not called again.
	Stop()
}
