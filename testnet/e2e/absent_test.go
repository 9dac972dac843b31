package e2e

import (
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// A member that is away for three checkpoint marks is removed, under a new key; the cluster goes on without it, down to
// one, and takes it back when it is there again and somebody adds it.
func TestAbsentMember(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	before, err := n.client.Cluster(limit(t), n.where.Cluster)
	must(t, err)
	n.kill(t, "worker-1")
	began := time.Now()
	for members := len(n.workers); members != 1; {
		if time.Since(began) > 2*stepLimit {
			t.Fatal("it is not removed")
		}
		c.add(t, 1)
		now, err := n.client.Cluster(limit(t), n.where.Cluster)
		must(t, err)
		members = len(now.Record.Members)
	}
	n.settled(t, c.add(t, 1), n.workers[0])
	c.exact(t, n.workers[0])
	after, err := n.client.Cluster(limit(t), n.where.Cluster)
	must(t, err)
	if after.Record.Fixed.Epoch <= before.Record.Fixed.Epoch || after.Record.Fixed.Key == before.Record.Fixed.Key {
		t.Fatalf("the key is of epoch %d, it was of %d", after.Record.Fixed.Epoch, before.Record.Fixed.Epoch)
	}
	n.restart(t, "worker-1")
	must(t, n.client.AddMembers(limit(t), n.payer, n.where.Cluster, []sr25519.PublicKey{n.workers[1]}))
	n.awaitRunning(t, n.workers[1])
	c.sound(t, n.workers...)
}
