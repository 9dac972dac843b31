package keeper_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// TestMessages reads a topic back as a relay does and chains its head as an enclave does.
func TestMessages(t *testing.T) {
	f := setup(t)
	f.Registry.Params.GasPrice = 0
	for range 6 {
		if _, err := f.push(entry(t, one, 3)); err != nil {
			t.Fatal(err)
		}
		f.Next()
	}
	topic := wire.ClusterTopic(one)
	text := fmt.Sprintf("%x", topic.Bytes())
	r, err := f.query.Messages(f.Ctx, &types.QueryMessagesRequest{Topic: text, MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var head wire.Head
	for i, raw := range r.Messages {
		var m wire.Message
		if err := scale.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		same(t, "height", m.Height, uint64(i+1))
		same(t, "time", m.Time, uint64(1_700_000_000_000+500*(i+1)))
		same(t, "sender", m.Sender.Variant, wire.SenderAccount)
		var body wire.Body
		if err := scale.Unmarshal(m.Payload, &body); err != nil || body.Command.GasLog2 != 3 {
			t.Fatalf("body %+v: %v", body, err)
		}
		d, err := m.Digest()
		if err != nil {
			t.Fatal(err)
		}
		head = head.Next(d)
	}
	if len(r.Messages) == 0 || len(r.Messages) == 6 {
		t.Fatalf("%d bodies in 1000 bytes", len(r.Messages))
	}
	for d := r.Digests; len(d) > 0; d = d[32:] {
		head = head.Next(wire.Hash(d[:32]))
	}
	same(t, "head", head, wire.Head{Count: r.Count, Hash: wire.Hash(r.Hash)})
	var stored wire.Head
	if err := scale.Unmarshal(f.Raw(wire.KeyHead(topic)), &stored); err != nil {
		t.Fatal(err)
	}
	same(t, "proven head", stored, head)

	if err := f.Queue.Cover(f.Ctx, one, 4); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		f.Next()
		if err := f.Queue.EndBlock(f.Ctx); err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.query.Messages(f.Ctx, &types.QueryMessagesRequest{Topic: text, From: 3})
	if !errors.Is(err, types.ErrPruned) || !strings.Contains(err.Error(), "lowest kept is 4") {
		t.Fatalf("a pruned body: %v", err)
	}
	if r, err = f.query.Messages(f.Ctx, &types.QueryMessagesRequest{Topic: text, From: 4}); err != nil {
		t.Fatal(err)
	}
	same(t, "uncovered bodies", len(r.Messages), 2)
	if _, err = f.query.Messages(f.Ctx, &types.QueryMessagesRequest{Topic: text, From: 7}); !errors.Is(err, types.ErrRange) {
		t.Fatalf("beyond the head: %v", err)
	}
	if _, err = f.query.Messages(f.Ctx, &types.QueryMessagesRequest{Topic: "zz"}); !errors.Is(err, types.ErrMalformed) {
		t.Fatalf("no topic: %v", err)
	}
	h, err := f.query.Head(f.Ctx, &types.QueryHeadRequest{Topic: text})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "lowest", h.Lowest, 4)
}

func TestGenesis(t *testing.T) {
	f := setup(t)
	f.Registry.Params.GasPrice = 0
	if _, err := f.push(entry(t, one, 3), entry(t, two, 3)); err != nil {
		t.Fatal(err)
	}
	if err := f.Queue.Cover(f.Ctx, one, 1); err != nil {
		t.Fatal(err)
	}
	e := f.Enroll(t, 0)
	if _, err := f.submit(e.Sign(t, rotate(t, 0))); err != nil {
		t.Fatal(err)
	}
	g, err := f.Queue.ExportGenesis(f.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	again := setup(t)
	if err := again.Queue.InitGenesis(again.Ctx, g); err != nil {
		t.Fatal(err)
	}
	same(t, "store", again.Dump(wire.StoreQueue), f.Dump(wire.StoreQueue))
	g.Records[0].Value = append(g.Records[0].Value, 0)
	if g.Validate() == nil {
		t.Error("a damaged record is accepted")
	}
	g.Records = append(g.Records, types.GenesisRecord{Key: []byte("a")})
	if g.Validate() == nil {
		t.Error("records out of order are accepted")
	}
}

// TestDeterminism: the same operations give the same app hash.
func TestDeterminism(t *testing.T) {
	run := func() []byte {
		f := setup(t)
		f.Registry.Params.GasPrice = 0
		for i := range 40 {
			id := []wire.ClusterID{one, two}[i%2]
			if _, err := f.push(entry(t, id, uint32(i%5))); err != nil {
				t.Fatal(err)
			}
			if err := f.Queue.Cover(f.Ctx, id, uint64(i/4)); err != nil {
				t.Fatal(err)
			}
			if err := f.Queue.EndBlock(f.Ctx); err != nil {
				t.Fatal(err)
			}
			f.Next()
		}
		return f.Commit()
	}
	same(t, "app hash", string(run()), string(run()))
}
