package enclavetest_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

// The whole way: light blocks and proofs in, messages executed, a query answered for the newest header.
func TestNode(t *testing.T) {
	code, err := enclavetest.ReadContract(filepath.Join("..", "..", "examples", "counter", "counter.contract"))
	if err != nil {
		t.Fatal(err)
	}
	n := enclavetest.NewNode(t.TempDir(), lighttest.Config{Validators: 4})
	defer n.Worker.Stop()
	w := n.Worker.World
	alice := enclavetest.NewClient(w)
	id, at := alice.Instantiate(alice.Upload(code.Wasm, 4000), 1, code.Input("new", enclavetest.I32(3)))
	w.Blocks(1)
	if err := n.Sync(); err != nil {
		t.Fatal(err)
	}
	if r, err := alice.Receipt(n.Worker, at); err != nil || r.Receipt.Outcome.Status != 0 {
		t.Fatal(r, err)
	}
	c, err := n.PrepareCatchUp(5_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	reply, err := alice.Query(n.Worker, id, code.Input("get"))
	if err != nil {
		t.Fatal(err)
	}
	if want := append([]byte{0}, enclavetest.I32(3)...); !bytes.Equal(reply.Outcome.Output, want) || reply.Height != w.Height {
		t.Fatalf("%+v", reply)
	}
}
