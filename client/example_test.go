package client_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/wire"
)

// Example deploys the counter of the examples on a devnet, counts, and asks for the result.
func Example() {
	if os.Getenv("PHALANX_EXAMPLE_RPC") == "" {
		return // there is no network to speak to
	}
	if err := count(context.Background(), os.Getenv("PHALANX_EXAMPLE_RPC"), os.Getenv("PHALANX_EXAMPLE_UID"),
		os.Getenv("PHALANX_EXAMPLE_CLUSTER"), os.Getenv("PHALANX_EXAMPLE_MNEMONIC")); err != nil {
		log.Fatal(err)
	}
}

func count(ctx context.Context, rpc, uidText, clusterText, mnemonic string) error {
	uid, err := wire.ParseDigest[wire.ChainUID](uidText)
	if err != nil {
		return err
	}
	cluster, err := wire.ParseDigest[wire.ClusterID](clusterText)
	if err != nil {
		return err
	}
	alice, err := account.FromMnemonic(mnemonic)
	if err != nil {
		return err
	}
	defer alice.Zero()
	at, err := node.Dial(rpc)
	if err != nil {
		return err
	}
	defer at.Close()
	payer, err := tx.New(at, alice, tx.Config{ChainID: "phalanx-devnet"})
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, client.Config{ChainID: "phalanx-devnet", UID: uid, Node: at, TrustingPeriod: 10 * 365 * 24 * time.Hour})
	if err != nil {
		return err
	}
	defer c.Close()

	file, err := os.ReadFile("../examples/counter/counter.contract")
	if err != nil {
		return err
	}
	counter, err := abi.Parse(file)
	if err != nil {
		return err
	}
	constructor, err := counter.Constructor("")
	if err != nil {
		return err
	}
	input, err := counter.EncodeCall(constructor, []string{"5"})
	if err != nil {
		return err
	}
	d := client.Deployment{Cluster: cluster, From: client.Of(alice), Code: counter.Wasm(), Input: input}
	if _, err := rand.Read(d.Salt[:]); err != nil {
		return err
	}
	made, err := c.Deploy(ctx, payer, d)
	if err != nil {
		return err
	}

	return incAndGet(ctx, c, payer, counter, client.Request{Cluster: cluster, From: client.Of(alice), To: made.Contract})
}

func incAndGet(ctx context.Context, c *client.Client, payer client.Payer, counter *abi.Contract, r client.Request) error {
	inc, err := counter.Message("inc")
	if err != nil {
		return err
	}
	if r.Input, err = counter.EncodeCall(inc, nil); err != nil {
		return err
	}
	receipt, err := c.Command(ctx, payer, r)
	if err != nil {
		return err
	}
	if err := client.Check(receipt.Outcome()); err != nil {
		return err
	}

	get, err := counter.Message("get")
	if err != nil {
		return err
	}
	input, err := counter.EncodeCall(get, nil)
	if err != nil {
		return err
	}
	answer, err := c.Query(ctx, client.Query{Cluster: r.Cluster, From: r.From, To: r.To, Input: input})
	if err != nil {
		return err
	}
	value, _, err := counter.DecodeOutput(get, answer.Outcome.Output)
	fmt.Printf("%s at block %d\n", value, answer.Height)
	return err
}
