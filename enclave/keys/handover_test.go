package keys

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

var program = wire.Hash{9}

// pair is an old release with everything that it can hold, and a new one that waits for it on another machine.
type pair struct {
	old, fresh         *Keyring
	oldDisk, freshDisk *memDisk
	request            wire.HandoverRequest
}

func newPair(t testing.TB) *pair {
	t.Helper()
	old, oldDisk := full(t)
	p := &pair{old: old, oldDisk: oldDisk, freshDisk: newMemDisk()}
	p.fresh = receiverOn(t, p.freshDisk, binding{machine(t, t.TempDir(), "release 2"), uidOne, testKind}, old.Identity())
	p.request = requestOf(t, p.fresh)
	return p
}

func receiverOn(t testing.TB, d disk, b binding, identity sr25519.PublicKey) *Keyring {
	t.Helper()
	return must(openFirst(ctx, d, noLock{}, b, rand.Reader, waiting(identity)))(t)
}

func requestOf(t testing.TB, k *Keyring) wire.HandoverRequest {
	t.Helper()
	return wire.HandoverRequest{
		Version: wire.HandoverVersion, UID: uidOne, Identity: k.Identity(), OneTime: must(k.PrepareHandover(ctx))(t), HeaderHeight: 7,
	}
}

func (p *pair) handOver(t testing.TB) []byte {
	t.Helper()
	check(t, p.old.HandOver(ctx, &p.request, program, 8))
	return must(p.old.Handed())(t)
}

// TestHandover moves every key, leaves none behind, and is the same when it is done again, also after restarts.
func TestHandover(t *testing.T) {
	p := newPair(t)
	check(t, p.old.SaveTrusted(ctx, []byte("old header"), 500))
	check(t, p.fresh.SaveTrusted(ctx, []byte("new header"), 400))
	keys := p.old.state.keysPrint()
	local := must(p.old.LocalKey("code"))(t)
	var secrets []needle
	for _, k := range []interface{ ExposeMiniSecret() []byte }{
		p.old.state.identity, p.old.state.current.key, p.old.state.previous.key, p.old.state.next.key,
	} {
		secrets = append(secrets, mark(k.ExposeMiniSecret()))
	}
	secrets = append(secrets, mark(p.old.state.master.ExposeBytes()))
	if !secrets[0].inMemory(t) || !secrets[0].inFile(t, p.oldDisk, p.old.binding) {
		t.Fatal("control: the identity key is not found before the handover")
	}
	if _, err := p.old.Handed(); !errors.Is(err, ErrNotHandedOver) {
		t.Fatal(err)
	}
	offer := p.handOver(t)
	for i, s := range secrets {
		if s.inMemory(t) || s.inFile(t, p.oldDisk, p.old.binding) || s.in(offer) {
			t.Errorf("secret %d of the old release is still there", i)
		}
	}
	check(t, p.old.HandOver(ctx, &p.request, program, 8))
	restarted := openOn(t, p.oldDisk.after(false), p.old.binding)
	check(t, restarted.HandOver(ctx, &p.request, program, 8))
	for _, k := range []*Keyring{p.old, restarted} {
		if !bytes.Equal(must(k.Handed())(t), offer) || k.Standing() != HandedOver || k.Identity() != p.fresh.Identity() {
			t.Fatal("the offer changes when it is asked for again")
		}
		check(t, k.SaveTrusted(ctx, []byte("later"), 501))
	}
	dead(t, restarted, ErrHandedOver)
	dead(t, p.fresh, ErrReceiving)

	check(t, p.fresh.Receive(ctx, offer))
	check(t, p.fresh.Receive(ctx, offer))
	again := openOn(t, p.freshDisk.after(false), p.fresh.binding)
	check(t, again.Receive(ctx, offer))
	for _, k := range []*Keyring{p.fresh, again} {
		header, blockTime, err := k.Trusted()
		check(t, err)
		if k.Standing() != Holding || k.state.keysPrint() != keys || string(header) != "new header" || blockTime != 500 {
			t.Fatalf("the new release holds %s", k.state.fingerprint())
		}
		if k.state.receive != nil {
			t.Fatal("the one-time key outlives its use")
		}
		must(k.Sign("message", nil))(t)
		if !bytes.Equal(must(k.LocalKey("code"))(t), local) {
			t.Fatal("what the identity kept on its own disk is lost")
		}
	}
	runtime.KeepAlive(p.old)
}

// dead checks that a keyring without the identity's keys does nothing that needs them.
func dead(t *testing.T, k *Keyring, want error) {
	t.Helper()
	_, sign := k.Sign("message", nil)
	_, local := k.LocalKey("code")
	_, _, ecdhErr := k.EcdhKey()
	_, master := k.GenerateMasterKey(ctx)
	_, cluster := k.ClusterKey([32]byte{1}, 0)
	_, _, begin := k.BeginRotation(ctx)
	_, _, replace := k.ReplaceEcdhKey(ctx, 1)
	adopt := k.AdoptEpoch(ctx, ecdh.PublicKey{}, 0, 0)
	_, open := k.OpenEnvelope(&envelope.Envelope{Purpose: commkey.OnChain})
	for i, err := range []error{sign, local, ecdhErr, master, cluster, begin, replace, adopt, k.Expire(ctx, 1), open} {
		if !errors.Is(err, want) {
			t.Errorf("operation %d: %v, want %v", i, err, want)
		}
	}
	if _, _, ok := k.Pending(); ok {
		t.Error("a pending key without keys")
	}
}

// TestHandoverPowerCut cuts the power at each step of the old release's one write. Whatever the disk kept: either the old
// release holds every key as before, and no offer was ever seen; or it holds none, and the offer opens at the new one.
func TestHandoverPowerCut(t *testing.T) {
	for at := 1; at <= stepsOfAWrite+1; at++ {
		for _, newNames := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/%v", at, newNames), func(t *testing.T) {
				p := newPair(t)
				before := p.old.state.keysPrint()
				p.oldDisk.arm(at, false)
				err := p.old.HandOver(ctx, &p.request, program, 8)
				if (err == nil) != (at > stepsOfAWrite) {
					t.Fatal(err)
				}
				if _, handed := p.old.Handed(); (handed == nil) != (err == nil) {
					t.Fatal("an offer was given although the write is not known to have succeeded")
				}
				found := openOn(t, p.oldDisk.after(newNames), p.old.binding)
				oneHolder(t, found, p.fresh, before)
				if err == nil && found.Standing() != HandedOver {
					t.Fatal("a handover that was reported is not on disk")
				}
			})
		}
	}
}

// oneHolder checks that the keys are in one place and reach the new release from there.
func oneHolder(t *testing.T, old, fresh *Keyring, keys string) {
	t.Helper()
	if old.Standing() == Holding {
		if old.state.keysPrint() != keys {
			t.Fatal("the old release holds other keys")
		}
		r := requestOf(t, fresh)
		check(t, old.HandOver(ctx, &r, program, 9))
	}
	if old.Standing() != HandedOver || len(old.state.secrets()) != 0 {
		t.Fatal("the old release still holds a secret")
	}
	check(t, fresh.Receive(ctx, must(old.Handed())(t)))
	if fresh.state.keysPrint() != keys {
		t.Fatal("the new release holds other keys")
	}
}

// TestHandoverFullDisk lets one step of the old release's write fail and nothing after it: it goes on as the holder.
func TestHandoverFullDisk(t *testing.T) {
	for at := 1; at <= stepsOfAWrite; at++ {
		p := newPair(t)
		before := p.old.state.fingerprint()
		keys := p.old.state.keysPrint()
		p.oldDisk.arm(at, true)
		if err := p.old.HandOver(ctx, &p.request, program, 8); !errors.Is(err, errCut) || p.old.state.fingerprint() != before {
			t.Fatalf("step %d: %v", at, err)
		}
		must(p.old.Sign("message", nil))(t)
		check(t, p.old.SaveTrusted(ctx, []byte("still the holder"), 9))
		oneHolder(t, p.old, p.fresh, keys)
	}
}

// TestPreparePowerCut: a one-time key that was shown is the one that the next start has.
func TestPreparePowerCut(t *testing.T) {
	for at := 1; at <= stepsOfAWrite+1; at++ {
		for _, newNames := range []bool{false, true} {
			d, b := newMemDisk(), testBinding(t)
			whose := must(sr25519.Generate(rand.Reader))(t).Public()
			k := receiverOn(t, d, b, whose)
			d.arm(at, false)
			shown, err := k.PrepareHandover(ctx)
			again := must(receiverOn(t, d.after(newNames), b, whose).PrepareHandover(ctx))(t)
			if err == nil && again != shown {
				t.Fatalf("step %d: the key of a request that is under way is lost", at)
			}
			if err != nil && shown != (ecdh.PublicKey{}) {
				t.Fatalf("step %d: a key was shown that is not sealed", at)
			}
		}
	}
}

// TestReceivePowerCut: after a crash at any step the new release holds the keys, or takes them again.
func TestReceivePowerCut(t *testing.T) {
	for at := 1; at <= stepsOfAWrite+1; at++ {
		for _, newNames := range []bool{false, true} {
			p := newPair(t)
			keys := p.old.state.keysPrint()
			offer := p.handOver(t)
			p.freshDisk.arm(at, false)
			err := p.fresh.Receive(ctx, offer)
			again := openOn(t, p.freshDisk.after(newNames), p.fresh.binding)
			if err == nil && again.Standing() != Holding {
				t.Fatalf("step %d: keys that were received are lost", at)
			}
			check(t, again.Receive(ctx, offer))
			if again.state.keysPrint() != keys || again.state.receive != nil {
				t.Fatalf("step %d: %s", at, again.state.fingerprint())
			}
		}
	}
}

// TestHandoverTwice: the first request takes the keys, whoever asks later gets nothing.
func TestHandoverTwice(t *testing.T) {
	p := newPair(t)
	other := receiverOn(t, newMemDisk(), testBinding(t), p.old.Identity())
	late := requestOf(t, other)
	offer := p.handOver(t)
	if err := p.old.HandOver(ctx, &late, program, 9); !errors.Is(err, ErrHandedOver) {
		t.Fatal(err)
	}
	if err := other.Receive(ctx, offer); !errors.Is(err, ErrOffer) {
		t.Fatal(err)
	}
	before := p.freshDisk.after(false)
	check(t, p.fresh.Receive(ctx, offer))
	// The receiver's disk as it was before: it takes the same offer again, being the one release and machine that it is for.
	check(t, openOn(t, before, p.fresh.binding).Receive(ctx, offer))
	rolled := receiverOn(t, newMemDisk(), p.fresh.binding, p.old.Identity())
	if err := rolled.Receive(ctx, offer); !errors.Is(err, ErrNotReceiver) {
		t.Fatal("a disk from before the one-time key took the keys:", err)
	}
}

// TestForeignOffers has a host that changes what it carries.
func TestForeignOffers(t *testing.T) {
	p := newPair(t)
	offer := p.handOver(t)
	stranger, _ := full(t)
	mine := p.request
	mine.Identity = stranger.Identity()
	check(t, stranger.HandOver(ctx, &mine, program, 8))
	edit := func(f func(*wire.SignedHandoverOffer)) []byte {
		var o wire.SignedHandoverOffer
		check(t, scale.Unmarshal(offer, &o))
		f(&o)
		return must(scale.Marshal(&o))(t)
	}
	host := must(ecdh.Generate(rand.Reader))(t)
	attacks := map[string][]byte{
		"of another identity": must(stranger.Handed())(t),
		"another one-time key": edit(func(o *wire.SignedHandoverOffer) {
			o.Request.OneTime = host.Public()
			o.Offer.Request = must(o.Request.Hash())(t)
		}),
		"another sender":    edit(func(o *wire.SignedHandoverOffer) { o.Offer.OneTime = host.Public() }),
		"another program":   edit(func(o *wire.SignedHandoverOffer) { o.Offer.Program = wire.Hash{8} }),
		"another height":    edit(func(o *wire.SignedHandoverOffer) { o.Offer.Height++ }),
		"another envelope":  edit(func(o *wire.SignedHandoverOffer) { o.Envelope[len(o.Envelope)-1] ^= 1 }),
		"another request":   edit(func(o *wire.SignedHandoverOffer) { o.Request.HeaderHeight++ }),
		"another operator":  edit(func(o *wire.SignedHandoverOffer) { o.Request.Operator[0]++ }),
		"another network":   edit(func(o *wire.SignedHandoverOffer) { o.Request.UID = uidTwo }),
		"another signature": edit(func(o *wire.SignedHandoverOffer) { o.Signature[3] ^= 1 }),
		"made by the host": edit(func(o *wire.SignedHandoverOffer) {
			env := must(envelope.Seal(rand.Reader, uidOne, host, o.Request.OneTime, 0, commkey.Handover, []byte("keys of the host")))(t)
			o.Envelope, o.Offer.OneTime = env.Marshal(), host.Public()
		}),
		"cut off":  offer[:len(offer)-1],
		"trailing": append(bytes.Clone(offer), 0),
		"empty":    nil,
		"too long": make([]byte, MaxOffer+1),
	}
	before := p.fresh.state.fingerprint()
	for name, raw := range attacks {
		if err := p.fresh.Receive(ctx, raw); !errors.Is(err, ErrOffer) {
			t.Errorf("%s: %v", name, err)
		}
		if p.fresh.state.fingerprint() != before {
			t.Fatalf("%s changed the keyring", name)
		}
	}
	check(t, p.fresh.Receive(ctx, offer))
	if err := p.fresh.Receive(ctx, must(stranger.Handed())(t)); !errors.Is(err, ErrNotReceiver) {
		t.Fatal(err)
	}
	foreign := p.request
	foreign.UID = uidTwo
	if err := p.fresh.HandOver(ctx, &foreign, program, 8); !errors.Is(err, ErrOffer) {
		t.Fatal(err)
	}
}

// TestSignedByItself: an old release whose keys are not those that it signs for, which is one that was broken, hands over
// nothing that is taken for the identity's.
func TestSignedByItself(t *testing.T) {
	p := newPair(t)
	stranger, _ := full(t)
	forged := *p.old.state
	forged.current, forged.master = stranger.state.current, nil
	forged.identity = stranger.state.identity
	forged.whose = p.old.Identity()
	offer := must(p.old.offer(&forged, &p.request, wire.HandoverOffer{
		Identity: p.old.Identity(), Request: must(p.request.Hash())(t), Program: program, Height: 8,
	}))(t)
	var o wire.SignedHandoverOffer
	check(t, scale.Unmarshal(offer, &o))
	o.Signature = must(p.old.state.identity.Sign(rand.Reader, must(p.old.offerText(&o.Offer))(t)))(t)
	if err := p.fresh.Receive(ctx, must(scale.Marshal(&o))(t)); !errors.Is(err, ErrOffer) || !strings.Contains(err.Error(), "not the identity's") {
		t.Fatal(err)
	}
}

// TestReceiverAndTrustRoot: a new trust root erases the one-time key, for on a false chain the keys would serve false members.
func TestReceiverAndTrustRoot(t *testing.T) {
	p := newPair(t)
	one := p.fresh.state.receive
	offer := p.handOver(t)
	check(t, p.fresh.ReplaceTrustRoot(ctx, []byte("false root"), 0))
	if one.ExposeMiniSecret() != nil {
		t.Fatal("the one-time key is not erased")
	}
	if err := p.fresh.Receive(ctx, offer); !errors.Is(err, ErrNotReceiver) {
		t.Fatal(err)
	}
	if must(p.fresh.PrepareHandover(ctx))(t) == p.request.OneTime {
		t.Fatal("the same one-time key again")
	}
	if err := p.fresh.Receive(ctx, offer); !errors.Is(err, ErrOffer) {
		t.Fatal(err)
	}
}

// TestOpenReceiver: a directory that holds keys keeps them, whatever the host asks for.
func TestOpenReceiver(t *testing.T) {
	dir, sealer, _ := home(t)
	k := must(Open(ctx, dir, sealer, uidOne, testKind, rand.Reader))(t)
	own := k.Identity()
	if _, err := k.PrepareHandover(ctx); !errors.Is(err, ErrNotReceiver) {
		t.Fatal(err)
	}
	check(t, k.Close())
	other := must(sr25519.Generate(rand.Reader))(t).Public()
	for _, identity := range []sr25519.PublicKey{other, {}} {
		if _, err := OpenReceiver(ctx, dir, sealer, uidOne, testKind, rand.Reader, identity); !errors.Is(err, ErrOtherIdentity) {
			t.Fatal(err)
		}
	}
	k = must(OpenReceiver(ctx, dir, sealer, uidOne, testKind, rand.Reader, own))(t)
	if k.Standing() != Holding {
		t.Fatal("keys were given up")
	}
	check(t, k.Close())
	if _, err := OpenReceiver(ctx, t.TempDir(), sealer, uidOne, testKind, rand.Reader, sr25519.PublicKey{}); !errors.Is(err, ErrOtherIdentity) {
		t.Fatal(err)
	}
	empty := t.TempDir()
	k = must(OpenReceiver(ctx, empty, sealer, uidOne, testKind, rand.Reader, other))(t)
	if k.Standing() != Receiving || k.Identity() != other {
		t.Fatal("it does not wait")
	}
	check(t, k.Close())
	k = must(Open(ctx, empty, sealer, uidOne, testKind, rand.Reader))(t) // without the option it still waits
	if k.Standing() != Receiving || k.Identity() != other {
		t.Fatal("a receiver has become an entity of its own")
	}
	check(t, k.Close())
}

// FuzzOffer: whatever a host brings, the new release refuses it or takes the old release's keys.
func FuzzOffer(f *testing.F) {
	p := newPair(f)
	offer := p.handOver(f)
	f.Add(offer)
	f.Add(offer[:len(offer)/2])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := p.fresh.CheckOffer(raw); (err == nil) != bytes.Equal(raw, offer) {
			t.Fatalf("%x: %v", raw, err)
		}
	})
}
