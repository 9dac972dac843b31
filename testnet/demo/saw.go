package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// saw reads a command back from the chain and says what is to be seen of it, in two lines. It fails if there is more.
func (s *stage) saw(ctx context.Context, p *client.Pending) ([2]string, error) {
	raw, err := s.message(ctx, p.Index)
	if err != nil {
		return [2]string{}, err
	}
	if err := s.search(raw); err != nil {
		return [2]string{}, err
	}
	var m wire.Message
	var b wire.Body
	if err := scale.Unmarshal(raw, &m); err != nil {
		return [2]string{}, err
	}
	if err := scale.Unmarshal(m.Payload, &b); err != nil {
		return [2]string{}, err
	}
	if b.Command == nil {
		return [2]string{}, fmt.Errorf("%w: message %d is no command", ErrWrong, p.Index)
	}
	e, err := envelope.Parse(b.Command.Envelope)
	if err != nil {
		return [2]string{}, err
	}
	return [2]string{
		fmt.Sprintf("block %d: %.12s… posts %d bytes, gas 2^%d,", m.Height, account.Bech32(m.Sender.Account), len(e.Data), b.Command.GasLog2),
		fmt.Sprintf("sealed from a key used once: %s…", hex.EncodeToString(e.Data[:12])),
	}, nil
}

// message returns the bytes of a message of the cluster's topic, as the chain holds them.
func (s *stage) message(ctx context.Context, index uint64) ([]byte, error) {
	topic := wire.ClusterTopic(s.where.Cluster)
	request := &mqtypes.QueryMessagesRequest{Topic: hex.EncodeToString(topic.Bytes()), From: index, Until: index + 1}
	var page mqtypes.QueryMessagesResponse
	if err := s.node.Query(ctx, "/phalanx.mq.v1.Query/Messages", request, &page); err != nil {
		return nil, err
	}
	if len(page.Messages) != 1 {
		return nil, fmt.Errorf("%w: the chain gives %d messages for one", ErrWrong, len(page.Messages))
	}
	return page.Messages[0], nil
}

// search looks for secrets in what the chain holds.
func (s *stage) search(raw []byte) error {
	for _, secret := range s.secrets {
		if bytes.Contains(raw, secret) || bytes.Contains(bytes.ToLower(raw), []byte(hex.EncodeToString(secret))) {
			return fmt.Errorf("%w: the chain holds a secret of %d bytes in the clear", ErrWrong, len(secret))
		}
	}
	return nil
}

// printer writes two columns: what users see, and what the chain saw.
type printer struct {
	w     io.Writer
	began time.Time
}

func newPrinter(w io.Writer) *printer { return &printer{w, time.Now()} }

const left = 62 // width of the first column

func (p *printer) banner() {
	fmt.Fprintf(p.w, "A sealed-bid auction. The platform is simulated: no confidentiality on this machine, the same steps as on real ones.\n\n")
	p.row("", "WHAT THE USERS SEE", "WHAT THE CHAIN SAW")
}

// line begins a step.
func (p *printer) line(users, chain string, args ...any) {
	p.row(fmt.Sprintf("%5.1f s", time.Since(p.began).Seconds()), users, fmt.Sprintf(chain, args...))
}

// more goes on with it.
func (p *printer) more(users, chain string, args ...any) {
	p.row("", users, fmt.Sprintf(chain, args...))
}

func (p *printer) row(at, users, chain string) {
	fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf("%7s  %-*s  %s", at, left, users, chain), " "))
}

func (p *printer) done() {
	fmt.Fprintf(p.w, "\nEvery answer was right on both workers. %.1f s.\n", time.Since(p.began).Seconds())
}
