package keys

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
)

func TestRotation(t *testing.T) {
	b, d := testBinding(t), newMemDisk()
	k := openOn(t, d, b)
	old, epoch, err := k.EcdhKey()
	check(t, err)
	if epoch != 0 {
		t.Fatalf("first epoch %d", epoch)
	}
	key, next, err := k.BeginRotation(ctx)
	check(t, err)
	if next != 1 || key == old {
		t.Fatalf("pending %s in epoch %d", key, next)
	}
	inFlight := send(t, old, 0, commkey.Query)
	early := send(t, key, 1, commkey.OnChain)
	must(k.OpenEnvelope(early))(t) // the chain may be ahead of us

	// A restart between the announcement and its acceptance announces the same key.
	k = openOn(t, d.after(false), b)
	again, next, err := k.BeginRotation(ctx)
	check(t, err)
	if again != key || next != 1 {
		t.Fatal("the restart lost the pending key")
	}
	check(t, k.AdoptEpoch(ctx, key, 1, 100))
	if now, epoch, _ := k.EcdhKey(); now != key || epoch != 1 {
		t.Fatalf("current is %s in epoch %d", now, epoch)
	}
	if _, _, ok := k.Pending(); ok {
		t.Fatal("still pending")
	}
	check(t, k.Expire(ctx, 100))
	must(k.OpenEnvelope(inFlight))(t)
	must(k.OpenEnvelope(early))(t)
	check(t, k.Expire(ctx, 101))
	if _, err := k.OpenEnvelope(inFlight); !errors.Is(err, ErrNoKey) {
		t.Fatalf("after the grace period: %v", err)
	}
	if _, ok := k.GraceEnds(); ok {
		t.Fatal("a key is still in grace")
	}
	_, next, err = k.BeginRotation(ctx)
	check(t, err)
	if next != 2 {
		t.Fatalf("epoch %d follows 1", next)
	}
}

// TestSelection: an epoch of one key with another key's name selects none.
func TestSelection(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	old, _, _ := k.EcdhKey()
	rotate(t, k, 100)
	current, _, _ := k.EcdhKey()
	stranger := must(ecdh.Generate(rand.Reader))(t).Public()
	for _, e := range []*envelope.Envelope{
		send(t, old, 1, commkey.OnChain), send(t, current, 0, commkey.OnChain),
		send(t, current, 2, commkey.OnChain), send(t, stranger, 1, commkey.OnChain),
	} {
		if _, err := k.OpenEnvelope(e); !errors.Is(err, ErrNoKey) {
			t.Fatalf("epoch %d: %v", e.Epoch, err)
		}
	}
	for _, p := range []commkey.Purpose{commkey.Reply, commkey.KeyDistribution, commkey.StateTransfer, commkey.Handover} {
		if _, err := k.OpenEnvelope(send(t, current, 1, p)); !errors.Is(err, ErrPurpose) {
			t.Fatalf("purpose %s: %v", p, err)
		}
	}
	changed := send(t, current, 1, commkey.OnChain)
	changed.Data[0] ^= 1
	if _, err := k.OpenEnvelope(changed); !errors.Is(err, envelope.ErrOpen) {
		t.Fatalf("changed: %v", err)
	}
	other := k.binding
	other.uid = uidTwo
	foreign := openOn(t, newMemDisk(), other)
	foreign.state = k.state
	if _, err := foreign.OpenEnvelope(send(t, current, 1, commkey.OnChain)); !errors.Is(err, envelope.ErrOpen) {
		t.Fatalf("an envelope of another chain: %v", err)
	}
}

func TestReplies(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	client := must(ecdh.Generate(rand.Reader))(t)
	old, _, _ := k.EcdhKey()
	question := must(envelope.Seal(rand.Reader, uidOne, client, old, 0, commkey.Query, []byte("?")))(t)
	rotate(t, k, 100)
	current, _, _ := k.EcdhKey()
	answer := must(k.SealReplyTo(question, client.Public(), []byte("!")))(t)
	if answer.Sender != old || answer.Purpose != commkey.Reply {
		t.Fatal("the answer does not come from the key that was asked")
	}
	if got := must(answer.Open(uidOne, client))(t); string(got) != "!" {
		t.Fatalf("%q", got)
	}
	receipt := must(k.SealReply(client.Public(), []byte("r")))(t)
	if receipt.Sender != current || receipt.Epoch != 0 {
		t.Fatal("a receipt does not come from the current key")
	}
	if msg := must(k.SealMessage(client.Public(), 5, []byte("m")))(t); msg.Epoch != 5 || msg.Purpose != commkey.OnChain {
		t.Fatal("a message has another header")
	}
	check(t, k.Expire(ctx, 101))
	if _, err := k.SealReplyTo(question, client.Public(), nil); !errors.Is(err, ErrNoKey) {
		t.Fatal(err)
	}
}

func TestOneTime(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	a, b := must(k.NewOneTime())(t), must(k.NewOneTime())(t)
	e := must(a.Seal(b.Public(), commkey.KeyDistribution, []byte("key")))(t)
	if got := must(b.Open(e, commkey.KeyDistribution))(t); string(got) != "key" {
		t.Fatalf("%q", got)
	}
	if _, err := b.Open(e, commkey.StateTransfer); !errors.Is(err, ErrPurpose) {
		t.Fatalf("another purpose: %v", err)
	}
	if _, err := a.Open(e, commkey.KeyDistribution); !errors.Is(err, ErrNoKey) {
		t.Fatalf("another recipient: %v", err)
	}
	if _, err := b.Open(send(t, b.Public(), 1, commkey.Handover), commkey.Handover); !errors.Is(err, ErrNoKey) {
		t.Fatalf("another epoch: %v", err)
	}
	for _, p := range []commkey.Purpose{commkey.OnChain, commkey.Query, commkey.Reply, 6} {
		if _, err := a.Seal(b.Public(), p, nil); !errors.Is(err, ErrPurpose) {
			t.Fatalf("sealed with purpose %s: %v", p, err)
		}
	}
	if _, err := b.Open(send(t, b.Public(), 0, commkey.OnChain), commkey.OnChain); !errors.Is(err, ErrPurpose) {
		t.Fatalf("opened purpose 0: %v", err)
	}
	b.Zero()
	if _, err := b.Open(e, commkey.KeyDistribution); !errors.Is(err, ecdh.ErrErased) {
		t.Fatalf("after Zero: %v", err)
	}
}

func TestAdoptEpochRefuses(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	first, _, _ := k.EcdhKey()
	rotate(t, k, 100)
	current, _, _ := k.EcdhKey()
	stranger := must(ecdh.Generate(rand.Reader))(t).Public()
	before := k.state.fingerprint()
	tests := []struct {
		key   ecdh.PublicKey
		epoch uint32
		want  error
	}{
		{current, 1, nil},
		{current, 0, ErrOldEpoch},
		{first, 0, ErrOldEpoch},
		{first, 9, ErrOldEpoch},
		{stranger, 2, ErrUnknownOwnKey},
		{current, commkey.MaxEpoch + 1, ErrEpochs},
	}
	for _, tt := range tests {
		if err := k.AdoptEpoch(ctx, tt.key, tt.epoch, 200); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("epoch %d: got %v, want %v", tt.epoch, err, tt.want)
		}
	}
	check(t, k.Expire(ctx, 101))
	pending, _, err := k.BeginRotation(ctx)
	check(t, err)
	if err := k.AdoptEpoch(ctx, pending, 1, 200); !errors.Is(err, ErrOldEpoch) {
		t.Fatalf("pending key in a used epoch: %v", err)
	}
	if before == k.state.fingerprint() {
		t.Fatal("fingerprint does not see the expiry")
	}
}

// TestRolledBackDisk: the host puts an older file in place, and the chain names the key that only the newer one held.
func TestRolledBackDisk(t *testing.T) {
	b, d := testBinding(t), newMemDisk()
	k := openOn(t, d, b)
	older := d.after(false)
	rotate(t, k, 10)
	onChain, epoch, _ := k.EcdhKey()

	k = openOn(t, older, b)
	if err := k.AdoptEpoch(ctx, onChain, epoch, 10); !errors.Is(err, ErrUnknownOwnKey) {
		t.Fatal(err)
	}
	fresh, next, err := k.ReplaceEcdhKey(ctx, epoch)
	check(t, err)
	if next != epoch+1 || fresh == onChain {
		t.Fatalf("fresh key in epoch %d", next)
	}
	// A crash before the registration lands: the next start is told the same and makes another key.
	k = openOn(t, older.after(false), b)
	if err := k.AdoptEpoch(ctx, onChain, epoch, 10); !errors.Is(err, ErrUnknownOwnKey) {
		t.Fatal(err)
	}
	fresh2, next, err := k.ReplaceEcdhKey(ctx, epoch)
	check(t, err)
	if fresh2 == fresh {
		t.Fatal("a key that the chain may have seen is used again")
	}
	check(t, k.AdoptEpoch(ctx, fresh2, next, 20))
	if key, e, _ := k.EcdhKey(); key != fresh2 || e != next {
		t.Fatal("the fresh key is not current")
	}
	if _, _, err := k.ReplaceEcdhKey(ctx, 0); !errors.Is(err, ErrOldEpoch) {
		t.Fatalf("replaced below the current epoch: %v", err)
	}
}

func TestRenumber(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	pending, _, err := k.BeginRotation(ctx)
	check(t, err)
	current, _, _ := k.EcdhKey()
	check(t, k.AdoptEpoch(ctx, current, 5, 0))
	if key, epoch, ok := k.Pending(); !ok || key != pending || epoch != 6 {
		t.Fatalf("pending in epoch %d", epoch)
	}
	check(t, k.AdoptEpoch(ctx, pending, 6, 0))
	check(t, k.Expire(ctx, 1))
	last, _, _ := k.EcdhKey()
	check(t, k.AdoptEpoch(ctx, last, commkey.MaxEpoch, 0))
	if _, _, err := k.BeginRotation(ctx); !errors.Is(err, ErrEpochs) {
		t.Fatalf("after the last epoch: %v", err)
	}
}

func TestTrustedHeader(t *testing.T) {
	b, d := testBinding(t), newMemDisk()
	k := openOn(t, d, b)
	public := must(k.GenerateMasterKey(ctx))(t)
	if again := must(k.GenerateMasterKey(ctx))(t); again != public {
		t.Fatal("a second master key")
	}
	header := []byte("header 1")
	check(t, k.SaveTrusted(ctx, header, 500))
	header[0] = 'X' // the caller's slice is the caller's
	check(t, k.SaveTrusted(ctx, []byte("header 2"), 400))
	if err := k.SaveTrusted(ctx, make([]byte, MaxTrusted+1), 600); !errors.Is(err, ErrTrusted) {
		t.Fatal(err)
	}
	k = openOn(t, d.after(false), b)
	got, floor, err := k.Trusted()
	if err != nil || string(got) != "header 2" || floor != 500 {
		t.Fatalf("%q, %d, %v", got, floor, err)
	}
	incarnation := k.Incarnation()
	check(t, k.ReplaceTrustRoot(ctx, []byte("given anew"), 100))
	if _, ok := k.MasterPublic(); ok || k.Incarnation() == incarnation {
		t.Fatal("a new trust root left the master key or the incarnation")
	}
	if _, err := k.ClusterKey([32]byte{1}, 0); !errors.Is(err, ErrNoMasterKey) {
		t.Fatal(err)
	}
	if _, floor, _ := k.Trusted(); floor != 500 {
		t.Fatalf("the clock's floor sank to %d", floor)
	}
}

// TestNothingInFlightIsLost plays rotations, crashes and restarts against a chain that lists a current and a previous
// key. Whatever a client encrypts to either, within grace, opens.
func TestNothingInFlightIsLost(t *testing.T) {
	b := testBinding(t)
	rapid.Check(t, func(r *rapid.T) {
		const grace = 5
		d := newMemDisk()
		k := openOn(t, d, b)
		type listed struct {
			key   ecdh.PublicKey
			epoch uint32
			until uint64
		}
		var height uint64
		key, epoch, _ := k.EcdhKey()
		current, previous := listed{key: key, epoch: epoch}, (*listed)(nil)
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"block", "begin", "accept", "crash", "see"}).Draw(r, "op") {
			case "block":
				height++
				check(t, k.Expire(ctx, height))
			case "begin":
				if _, _, err := k.BeginRotation(ctx); err != nil && !errors.Is(err, ErrGrace) {
					t.Fatal(err)
				}
			case "accept": // the chain takes what is announced; the enclave does not see it yet
				if key, epoch, ok := k.Pending(); ok && current.key != key {
					previous = &listed{current.key, current.epoch, height + grace}
					current = listed{key: key, epoch: epoch}
				}
			case "see":
				var ends uint64
				if previous != nil {
					ends = previous.until
				}
				check(t, k.AdoptEpoch(ctx, current.key, current.epoch, ends))
			case "crash":
				d = d.after(rapid.Bool().Draw(r, "names"))
				k = openOn(t, d, b)
			}
			if _, err := k.OpenEnvelope(send(t, current.key, current.epoch, commkey.Query)); err != nil {
				t.Fatalf("to the current key: %v", err)
			}
			if previous != nil && height <= previous.until {
				if _, err := k.OpenEnvelope(send(t, previous.key, previous.epoch, commkey.OnChain)); err != nil {
					t.Fatalf("to the previous key: %v", err)
				}
			}
		}
	})
}

// TestConcurrent has readers at work while keys rotate under them; -race watches.
func TestConcurrent(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				key, epoch, err := k.EcdhKey()
				if err != nil {
					t.Error(err)
					return
				}
				// Grace is long enough here for the key to be the one before, at most; two rotations on, it is gone.
				_, err = k.OpenEnvelope(send(t, key, epoch, commkey.Query))
				if err != nil && !errors.Is(err, ErrNoKey) {
					t.Error(err)
				}
				if _, err := k.Sign("message", []byte{byte(i)}); err != nil {
					t.Error(err)
				}
				_ = fmt.Sprintf("%v", k)
			}
		})
	}
	for height := range uint64(30) {
		rotate(t, k, height)
		check(t, k.Expire(ctx, height+1))
		must(k.GenerateMasterKey(ctx))(t)
		check(t, k.ReplaceTrustRoot(ctx, nil, height))
	}
	close(done)
	wg.Wait()
	check(t, k.Close())
}
