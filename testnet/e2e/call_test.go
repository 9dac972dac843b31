package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/examples"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// The auction, with every kind of answer: values, errors of the contract, events, and what is whose secret.
func TestAuction(t *testing.T) {
	n := sharedNetwork(t)
	owner, alice, bob := person(t), person(t), person(t)
	const title = "A painting"
	x := n.deploy(t, examples.Auction, client.Of(owner), "new", "10", `"`+title+`"`)
	_, err := n.client.WaitContract(limit(t), x.id)
	must(t, err)

	r, value := x.call(t, client.Of(alice), "bid", "70")
	same(t, "Alice's bid", value, `{"Ok":null}`)
	same(t, "its events", x.events(t, r), []string{`BidPlaced{"bidders":1}`})
	_, value = x.call(t, client.Of(bob), "bid", "90")
	same(t, "Bob's bid", value, `{"Ok":null}`)
	for _, id := range n.workers {
		x.want(t, client.Of(alice), "my_bid", `"70"`, id)
		x.want(t, client.Of(bob), "my_bid", `"90"`, id)
		x.want(t, client.Of(owner), "my_bid", `null`, id)
		x.want(t, client.Of(bob), "winner", `{"Err":"NotClosed"}`, id)
		x.want(t, client.Of(bob), "title", `"`+title+`"`, id)
	}
	for _, c := range []struct{ who, say, arg string }{{"bid", `{"Err":"TooLow"}`, "9"}, {"close", `{"Err":"NotOwner"}`, ""}} {
		request := x.request(t, client.Of(alice), c.who, strings.Fields(c.arg)...)
		r, err := n.client.Command(limit(t), n.payer, request)
		must(t, err)
		if r.Outcome().Status != wire.StatusReverted {
			t.Fatalf("%s: %s", c.who, r.Outcome().Status)
		}
		same(t, c.who, x.output(t, c.who, r.Outcome().Output), c.say)
	}
	bobs, err := ss58.Encode(bob.PublicIdentity().Array(), ss58.Generic)
	must(t, err)
	won := fmt.Sprintf(`["%s","90"]`, bobs)
	r, value = x.call(t, client.Of(owner), "close")
	same(t, "closing", value, `{"Ok":`+won+`}`)
	same(t, "its events", x.events(t, r), []string{fmt.Sprintf(`Closed{"winner":"%s","amount":"90"}`, bobs)})
	x.want(t, client.Of(alice), "winner", `{"Ok":`+won+`}`, n.workers...)
	n.settled(t, r, n.workers...)
}

// Money goes in by a deposit on the chain, moves inside with a call, and leaves once by a withdrawal; the escrow is the
// sum of what is inside at every step.
func TestMoney(t *testing.T) {
	n := sharedNetwork(t)
	ctx := limit(t)
	owner := person(t)
	who := client.Of(owner)
	c := n.counter(t)
	escrow := func() uint64 {
		t.Helper()
		x, err := n.client.Cluster(limit(t), n.where.Cluster)
		must(t, err)
		return x.Record.Escrow.Lo
	}
	began, before := escrow(), n.bank(t, n.payer.Address())
	_, err := n.client.Deposit(ctx, n.payer, n.where.Cluster, owner.Identity(), units(1_000))
	must(t, err)
	balance := func(want uint64) {
		t.Helper()
		for _, id := range n.workers {
			eventually(t, func(ctx context.Context) error {
				got, _, err := n.client.Balance(ctx, n.where.Cluster, id, who)
				if err == nil && got != units(want) {
					err = fmt.Errorf("the balance on worker %s is %s, not %d", id, got, want)
				}
				return err
			})
		}
	}
	balance(1_000)
	same(t, "escrow after the deposit", escrow()-began, 1_000)

	request := c.request(t, who, "deposit")
	request.Value = units(300)
	r, err := n.client.Command(ctx, n.payer, request)
	must(t, err)
	must(t, client.Check(r.Outcome()))
	same(t, "deposit", c.output(t, "deposit", r.Outcome().Output), `{"Ok":"300"}`)
	balance(700)
	c.want(t, who, "balance", `"300"`, n.workers...)
	_, left := c.call(t, who, "withdraw", "100")
	same(t, "withdraw", left, `{"Ok":"200"}`)
	balance(800)
	request.Value = units(801) // more than there is
	r, err = n.client.Command(ctx, n.payer, request)
	must(t, err)
	if r.Outcome().Status == wire.StatusDone {
		t.Fatal("a value that nobody has was paid")
	}
	balance(800)

	to, _ := n.account(t, "bob")
	had := n.bank(t, to.Bech32())
	r, err = n.client.Withdraw(ctx, n.payer, n.where.Cluster, who, to.Address(), units(500))
	must(t, err)
	must(t, client.Check(r.Outcome()))
	balance(300)
	_, err = n.client.WaitFinal(limit(t), r)
	must(t, err)
	eventually(t, func(context.Context) error {
		if got := n.bank(t, to.Bech32()) - had; got != 500 {
			return fmt.Errorf("Bob got %d", got)
		}
		return nil
	})
	last := c.add(t, 1) // two more marks, at which it must not be paid again
	n.settled(t, last, n.workers...)
	last = c.add(t, 1)
	n.settled(t, last, n.workers...)
	same(t, "Bob's coins at last", n.bank(t, to.Bech32())-had, 500)
	same(t, "escrow at last", escrow()-began, 500)
	if spent := before - n.bank(t, n.payer.Address()); spent < 1_000 {
		t.Fatalf("the payer spent %d", spent)
	}
	c.exact(t, n.workers...)
}

// Nothing that the relay's door does is done at the client port.
func TestRelayServiceIsNotOnTheClientPort(t *testing.T) {
	n := sharedNetwork(t)
	service := pb.File_enclave_proto.Services().ByName("RelayService")
	if service == nil || service.Methods().Len() < 7 {
		t.Fatal("the service has other methods than expected")
	}
	post := func(endpoint, procedure string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(limit(t), http.MethodPost, endpoint+procedure, strings.NewReader("{}"))
		must(t, err)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		must(t, answer.Body.Close())
		return answer.StatusCode
	}
	for _, w := range n.where.Workers {
		for i := range service.Methods().Len() {
			method := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(i).Name())
			if got := post(w.Endpoint, method); got != http.StatusNotFound {
				t.Errorf("%s on the client port of %s answers %d", method, w.ID, got)
			}
		}
		if got := post(w.Endpoint, "/phalanx.enclave.v1.ClientService/Info"); got != http.StatusOK { // the control
			t.Errorf("Info of %s answers %d", w.ID, got)
		}
	}
	for _, g := range n.where.Gatekeepers {
		if g.Endpoint != "" {
			t.Errorf("gatekeeper %s has a client port", g.ID)
		}
	}
}
