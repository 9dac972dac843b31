package client

import (
	"bytes"
	"context"
	"encoding/hex"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	copyReach = 512     // messages before a command among which copies are looked for
	copyBytes = 4 << 20 // of their bodies, at most
)

// move makes the command's place that of an earlier copy of its envelope; false means that there is none. Whoever sees a
// transaction before it is in a block can post the same envelope first. The command is then executed there, once, and
// its receipt is there; who did not look would take it for not executed, and send it again.
func (p *Pending) move(ctx context.Context) (bool, error) {
	if !p.searched {
		if err := p.search(ctx); err != nil {
			return false, err
		}
		p.searched = true
	}
	if len(p.copies) == 0 {
		return false, nil
	}
	p.Index, p.copies = p.copies[0], p.copies[1:]
	return true, nil
}

// search finds the copies before the command. They are the node's word: the receipt shows whether it was true.
func (p *Pending) search(ctx context.Context) error {
	place := wire.ClusterTopic(p.Cluster)
	topic := hex.EncodeToString(place.Bytes())
	var head mqtypes.QueryHeadResponse
	if err := p.client.ask(ctx, "/phalanx.mq.v1.Query/Head", &mqtypes.QueryHeadRequest{Topic: topic}, &head); err != nil {
		return err
	}
	from := max(p.Index-min(p.Index, copyReach), head.Lowest) // the bodies before it are gone
	for from < p.Index {
		request := &mqtypes.QueryMessagesRequest{
			Topic: topic, From: from, Until: p.Index, MaxBytes: copyBytes,
		}
		var page mqtypes.QueryMessagesResponse
		if err := p.client.ask(ctx, "/phalanx.mq.v1.Query/Messages", request, &page); err != nil {
			return err
		}
		if len(page.Messages) == 0 {
			return nil
		}
		for i, raw := range page.Messages {
			if bytes.Equal(envelopeOf(raw), p.envelope) {
				p.copies = append(p.copies, from+uint64(i))
			}
		}
		from += uint64(len(page.Messages))
	}
	return nil
}

// envelopeOf returns the envelope of a message that is a command, or nil.
func envelopeOf(raw []byte) []byte {
	var m wire.Message
	var b wire.Body
	if scale.Unmarshal(raw, &m) != nil || scale.Unmarshal(m.Payload, &b) != nil || b.Command == nil {
		return nil
	}
	return b.Command.Envelope
}
