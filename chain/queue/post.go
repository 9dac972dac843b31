package queue

import (
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// Errors about what is posted.
var (
	// ErrPost says that an enclave may not post this body in this topic.
	ErrPost = errors.New("post is not allowed")
	// ErrEnvelope says that an envelope is malformed or not of purpose 0.
	ErrEnvelope = errors.New("not an envelope for the chain")
)

// CheckPost says whether an active enclave may post: a worker a KeyRequest to the gatekeepers, a gatekeeper a KeyGrant
// to an entity, nobody anything else. The payload must be the SCALE of that body. It returns [ErrPost].
func CheckPost(gatekeeper bool, p *wire.Post) error {
	var body wire.Body
	if err := scale.Unmarshal(p.Payload, &body); err != nil {
		return fmt.Errorf("%w: payload: %w", ErrPost, err)
	}
	switch {
	case p.Topic.Variant == wire.TopicGatekeepers && body.Kind == wire.BodyKeyRequest:
		return checkKeyRequest(gatekeeper, body.KeyRequest)
	case p.Topic.Variant == wire.TopicEntity && body.Kind == wire.BodyKeyGrant:
		return checkKeyGrant(gatekeeper, body.KeyGrant)
	}
	return fmt.Errorf("%w: body %d in topic kind %d", ErrPost, body.Kind, p.Topic.Variant)
}

func checkKeyRequest(gatekeeper bool, r *wire.KeyRequest) error {
	if gatekeeper {
		return fmt.Errorf("%w: a gatekeeper asks for no cluster's keys", ErrPost)
	}
	if r.First > r.Last || r.Last-r.First >= wire.MaxKeyEpochs {
		return fmt.Errorf("%w: key epochs %d to %d", ErrPost, r.First, r.Last)
	}
	return nil
}

func checkKeyGrant(gatekeeper bool, g *wire.KeyGrant) error {
	if !gatekeeper {
		return fmt.Errorf("%w: only a gatekeeper grants keys", ErrPost)
	}
	e, err := envelope.Parse(g.Envelope)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPost, err)
	}
	if e.Purpose != commkey.KeyDistribution {
		return fmt.Errorf("%w: envelope of purpose %s", ErrPost, e.Purpose)
	}
	return nil
}

// CheckEnvelope returns [ErrEnvelope] unless raw is the SCALE of an envelope of purpose 0.
func CheckEnvelope(raw []byte) error {
	e, err := envelope.Parse(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	if e.Purpose != commkey.OnChain {
		return fmt.Errorf("%w: its purpose is %s", ErrEnvelope, e.Purpose)
	}
	return nil
}
