package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/wire"
)

// The people, and what they do.
const (
	auctioneer = 0
	alice      = 1
	bob        = 2

	title    = "A painting"
	aliceBid = 70_000_071
	bobBid   = 90_000_093
	killed   = "worker-1"
)

// catchUp bounds how long a restarted worker may take until it answers.
const catchUp = 45 * time.Second

func (s *stage) deploy(ctx context.Context) error {
	constructor, err := s.auction.Constructor("new")
	if err != nil {
		return err
	}
	input, err := s.auction.EncodeCall(constructor, []string{"10", strconv.Quote(title)})
	if err != nil {
		return err
	}
	d := client.Deployment{
		Cluster: s.where.Cluster, From: client.Of(s.people[auctioneer]), Code: s.auction.Wasm(), Input: input,
	}
	if _, err := rand.Read(d.Salt[:]); err != nil {
		return err
	}
	s.secrets = append(s.secrets, []byte(title), s.auction.Wasm()[:64])
	made, err := s.client.Deploy(ctx, s.payer, d)
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	s.id = made.Contract
	s.secrets = append(s.secrets, s.id[:])
	uploads := fmt.Sprintf("An auctioneer uploads a sealed-bid auction (%d bytes of code)", len(s.auction.Wasm()))
	opens := fmt.Sprintf("and opens it for %q, from 10 on: contract %.10s…", title, s.id)
	for i, p := range made.Sent {
		saw, err := s.saw(ctx, p)
		if err != nil {
			return err
		}
		if i == 0 {
			s.line(uploads, "%s", saw[0])
		} else {
			s.more(opens, "%s", saw[0])
		}
		s.more("", "%s", saw[1])
	}
	return nil
}

func (s *stage) aliceBids(ctx context.Context) error { return s.bid(ctx, alice, "Alice", aliceBid) }

func (s *stage) bobBids(ctx context.Context) error { return s.bid(ctx, bob, "Bob", bobBid) }

func (s *stage) bid(ctx context.Context, who int, name string, amount uint64) error {
	m, input, err := s.encode("bid", strconv.FormatUint(amount, 10))
	if err != nil {
		return err
	}
	s.secrets = append(s.secrets, input[4:]) // the amount, as the contract reads it
	r, value, err := s.command(ctx, who, m, input)
	if err != nil {
		return fmt.Errorf("%s bids: %w", name, err)
	}
	if err := expect(name+"'s bid", value, `{"Ok":null}`); err != nil {
		return err
	}
	saw, err := s.saw(ctx, r.Pending)
	if err != nil {
		return err
	}
	s.line(fmt.Sprintf("%s bids %d. Receipt: done.", name, amount), "%s", saw[0])
	s.more("", "%s", saw[1])
	return nil
}

func (s *stage) kill(context.Context) error {
	if err := s.net.Kill(killed); err != nil {
		return err
	}
	s.line(killed+" is killed by SIGKILL.", "nothing")
	return nil
}

func (s *stage) restart(ctx context.Context) error {
	began := time.Now()
	if err := s.net.Restart(ctx, killed); err != nil {
		return err
	}
	s.line(killed+" is started again. Its keys are gone with its memory:", "its new registration, and an encrypted")
	if err := s.untilItAnswers(ctx); err != nil {
		return err
	}
	s.more("a gatekeeper gives them anew; it reads what it missed", "grant of keys to its new incarnation")
	s.more(fmt.Sprintf("and answers after %.1f s.", time.Since(began).Seconds()), "")
	return nil
}

// untilItAnswers asks the restarted worker until it has caught up.
func (s *stage) untilItAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	for {
		_, _, err := s.ask(ctx, 1, bob, "bidders")
		if err == nil || errors.Is(err, ErrWrong) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not come back: %w", killed, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sealed shows that while the auction is open each sees its own bid only, on both workers.
func (s *stage) sealed(ctx context.Context) error {
	for worker := range s.workers {
		for _, q := range []struct {
			who          int
			message, say string
		}{
			{alice, "my_bid", quote(aliceBid)},
			{bob, "my_bid", quote(bobBid)},
			{auctioneer, "my_bid", "null"},
			{bob, "winner", `{"Err":"NotClosed"}`},
			{bob, "bidders", "2"},
		} {
			value, _, err := s.ask(ctx, worker, q.who, q.message)
			if err != nil {
				return err
			}
			if err := expect(fmt.Sprintf("%s on worker-%d", q.message, worker), value, q.say); err != nil {
				return err
			}
		}
	}
	s.line("Both workers, asked off chain: each bidder sees its own bid,", "nothing: queries leave no trace")
	s.more("nobody another's, and nobody the winner yet.", "")
	return nil
}

func (s *stage) closeAuction(ctx context.Context) error {
	m, input, err := s.encode("close")
	if err != nil {
		return err
	}
	r, value, err := s.command(ctx, auctioneer, m, input)
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := expect("close", value, s.bobWins("Ok")); err != nil {
		return err
	}
	s.last = r
	saw, err := s.saw(ctx, r.Pending)
	if err != nil {
		return err
	}
	s.line("The auctioneer closes the auction.", "%s", saw[0])
	s.more("", "%s", saw[1])
	return nil
}

// winner asks both workers who has won.
func (s *stage) winner(ctx context.Context) error {
	var roots [2]wire.Hash
	var counts [2]uint64
	for worker := range s.workers {
		value, a, err := s.ask(ctx, worker, alice, "winner")
		if err != nil {
			return err
		}
		if err := expect(fmt.Sprintf("winner on worker-%d", worker), value, s.bobWins("Ok")); err != nil {
			return err
		}
		roots[worker], counts[worker] = a.StateRoot, a.Count
		s.line(fmt.Sprintf("worker-%d, asked by Alice: Bob has won with %d.", worker, bobBid), "nothing")
	}
	if counts[0] == counts[1] && roots[0] != roots[1] {
		return fmt.Errorf("%w: after %d messages the workers' states differ", ErrWrong, counts[0])
	}
	return nil
}

// final waits until both workers have reported the state after the closing, and the chain has found that they agree.
func (s *stage) final(ctx context.Context) error {
	f, err := s.client.WaitFinal(ctx, s.last)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if f.Record.Reports < 2 {
		return fmt.Errorf("%w: only %d worker reported the final state", ErrWrong, f.Record.Reports)
	}
	s.line("The receipt of the closing is proven to be under the", "%d of %d workers reported the same hidden", f.Record.Reports, f.Record.Members)
	s.more("checkpoint that the chain has finalized.", "root %.18s… at mark %d", f.Record.StateRoot, f.Record.Mark)
	return nil
}

// bobWins is what the contract says of the winner.
func (s *stage) bobWins(as string) string {
	account, err := ss58.Encode(s.people[bob].PublicIdentity().Array(), ss58.Generic)
	if err != nil {
		return err.Error() // which no answer equals
	}
	return fmt.Sprintf(`{"%s":["%s","%d"]}`, as, account, bobBid)
}

func quote(n uint64) string { return strconv.Quote(strconv.FormatUint(n, 10)) }

func (s *stage) encode(message string, args ...string) (*abi.Message, []byte, error) {
	m, err := s.auction.Message(message)
	if err != nil {
		return nil, nil, err
	}
	input, err := s.auction.EncodeCall(m, args)
	return m, input, err
}

// command sends a message of the auction and returns what it returned.
func (s *stage) command(ctx context.Context, who int, m *abi.Message, input []byte) (*client.Receipt, json.RawMessage, error) {
	r, err := s.client.Command(ctx, s.payer, client.Request{
		Cluster: s.where.Cluster, From: s.signer(who), To: s.id, Input: input,
	})
	if err != nil {
		return nil, nil, err
	}
	if err := client.Check(r.Outcome()); err != nil {
		return nil, nil, err
	}
	value, _, err := s.auction.DecodeOutput(m, r.Outcome().Output)
	return r, value, err
}

// ask puts a question to one worker.
func (s *stage) ask(ctx context.Context, worker, who int, message string) (json.RawMessage, *client.Answer, error) {
	m, input, err := s.encode(message)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.client.Query(ctx, client.Query{
		Cluster: s.where.Cluster, Worker: s.workers[worker], From: s.signer(who), To: s.id, Input: input,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s on worker-%d: %w", message, worker, err)
	}
	value, _, err := s.auction.DecodeOutput(m, a.Outcome.Output)
	return value, a, err
}

func (s *stage) signer(who int) client.Signer { return client.Of(s.people[who]) }

// expect compares an answer with the only right one.
func expect(what string, got json.RawMessage, want string) error {
	if string(got) != want {
		return fmt.Errorf("%w: %s is %s, not %s", ErrWrong, what, got, want)
	}
	return nil
}
