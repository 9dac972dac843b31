package envelope

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

var uid = [32]byte{1, 2, 3}

func pair(t testing.TB, first byte) *ecdh.PrivateKey {
	t.Helper()
	mini := make([]byte, ecdh.MiniSecretSize)
	mini[0] = first
	k, err := ecdh.FromMiniSecret(mini)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t testing.TB, plaintext []byte) (e *Envelope, from, to *ecdh.PrivateKey) {
	t.Helper()
	from, to = pair(t, 1), pair(t, 2)
	e, err := Seal(rand.Reader, uid, from, to.Public(), 7, commkey.Query, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return e, from, to
}

func TestRoundTrip(t *testing.T) {
	a, b := pair(t, 1), pair(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		from, to := a, b
		if rapid.Bool().Draw(t, "back") {
			from, to = b, a
		}
		plaintext := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "plaintext")
		p := commkey.Purpose(rapid.Uint8Range(0, commkey.Purposes-1).Draw(t, "purpose"))
		epoch := rapid.Uint32Range(0, commkey.MaxEpoch).Draw(t, "epoch")
		e, err := Seal(rand.Reader, uid, from, to.Public(), epoch, p, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		wire := e.Marshal()
		parsed, err := Parse(wire)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(parsed.Marshal(), wire) {
			t.Fatal("another encoding")
		}
		if parsed.Purpose != p || parsed.Epoch != epoch || parsed.Sender != from.Public() {
			t.Fatal("another header")
		}
		got, err := parsed.Open(uid, to)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
}

func TestLargest(t *testing.T) {
	plaintext := bytes.Repeat([]byte{0xab}, MaxPlaintext)
	e, _, to := seal(t, plaintext)
	if len(e.Data) != MaxData {
		t.Errorf("%d bytes of data, want %d", len(e.Data), MaxData)
	}
	parsed, err := Parse(e.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parsed.Open(uid, to); err != nil || !bytes.Equal(got, plaintext) {
		t.Error(err)
	}
	if _, err := Seal(rand.Reader, uid, pair(t, 1), to.Public(), 0, commkey.OnChain, append(plaintext, 0)); !errors.Is(err, ErrSize) {
		t.Errorf("one byte more: %v", err)
	}
}

// TestEveryBitFlipped flips each bit of an envelope's bytes; none of the results opens.
func TestEveryBitFlipped(t *testing.T) {
	e, _, to := seal(t, []byte("bid 100"))
	wire := e.Marshal()
	for bit := range 8 * len(wire) {
		b := bytes.Clone(wire)
		b[bit/8] ^= 1 << (bit % 8)
		parsed, err := Parse(b)
		if err != nil {
			continue
		}
		if _, err := parsed.Open(uid, to); err == nil {
			t.Fatalf("opens with bit %d flipped", bit)
		}
	}
}

// TestEveryLength cuts and extends an envelope's bytes; none of the results is parsed.
func TestEveryLength(t *testing.T) {
	e, _, _ := seal(t, []byte("bid 100"))
	wire := e.Marshal()
	for n := range wire {
		if _, err := Parse(wire[:n]); err == nil {
			t.Fatalf("%d of %d bytes are parsed", n, len(wire))
		}
	}
	if _, err := Parse(append(bytes.Clone(wire), 0)); !errors.Is(err, scale.ErrTrailing) {
		t.Errorf("a byte more: %v", err)
	}
}

// TestChangedField gives the right recipient an envelope with one field changed to another that is valid in itself.
func TestChangedField(t *testing.T) {
	e, _, to := seal(t, []byte("bid 100"))
	third := pair(t, 3)
	for name, c := range map[string]struct {
		change func(*Envelope)
		want   error
	}{
		"nothing":   {func(*Envelope) {}, nil},
		"version":   {func(e *Envelope) { e.Version = 2 }, ErrVersion},
		"purpose":   {func(e *Envelope) { e.Purpose = commkey.OnChain }, ErrOpen},
		"no such":   {func(e *Envelope) { e.Purpose = 7 }, scale.ErrVariant},
		"sender":    {func(e *Envelope) { e.Sender = third.Public() }, ErrOpen},
		"no sender": {func(e *Envelope) { e.Sender = ecdh.PublicKey{} }, ecdh.ErrIdentity},
		"recipient": {func(e *Envelope) { e.Recipient = third.Public() }, ErrRecipient},
		"epoch":     {func(e *Envelope) { e.Epoch++ }, ErrOpen},
		"epoch 2³¹": {func(e *Envelope) { e.Epoch = 1 << 31 }, ErrEpoch},
		"iv":        {func(e *Envelope) { e.IV[0] ^= 1 }, ErrOpen},
		"data":      {func(e *Envelope) { e.Data = bytes.Clone(e.Data); e.Data[20] ^= 1 }, ErrOpen},
		"tag":       {func(e *Envelope) { e.Data = bytes.Clone(e.Data); e.Data[len(e.Data)-1] ^= 1 }, ErrOpen},
		"no data":   {func(e *Envelope) { e.Data = nil }, ErrSize},
		"cut data":  {func(e *Envelope) { e.Data = e.Data[:len(e.Data)-1] }, ErrSize},
	} {
		t.Run(name, func(t *testing.T) {
			changed := *e
			c.change(&changed)
			if _, err := changed.Open(uid, to); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestWrongChain(t *testing.T) {
	e, _, to := seal(t, []byte("bid 100"))
	other := uid
	other[31] ^= 1
	if _, err := e.Open(other, to); err != ErrOpen {
		t.Error(err)
	}
}

// TestReflected sends an envelope back to its sender, as it is and with the ends exchanged.
func TestReflected(t *testing.T) {
	e, from, to := seal(t, []byte("bid 100"))
	if _, err := e.Open(uid, from); !errors.Is(err, ErrRecipient) {
		t.Errorf("as it is: %v", err)
	}
	swapped := *e
	swapped.Sender, swapped.Recipient = e.Recipient, e.Sender
	if _, err := swapped.Open(uid, from); err != ErrOpen {
		t.Errorf("ends exchanged: %v", err)
	}
	self := *e
	self.Sender = to.Public()
	if _, err := self.Open(uid, to); !errors.Is(err, ecdh.ErrSelf) {
		t.Errorf("from oneself: %v", err)
	}
}

// TestDirectionHasItsOwnKey exchanges the ends of the key derivation alone, so that only the direction can refuse.
func TestDirectionHasItsOwnKey(t *testing.T) {
	e, from, to := seal(t, []byte("bid 100"))
	ad, err := scale.Marshal(&associated{uid, e})
	if err != nil {
		t.Fatal(err)
	}
	right, err := commkey.Receive(to, from.Public(), e.Purpose, e.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := commkey.Send(to, from.Public(), e.Purpose, e.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key   *commkey.Key
		opens bool
	}{"right": {right, true}, "wrong": {wrong, false}} {
		aead, err := c.key.AEAD()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := aead.Open(nil, e.IV[:], e.Data, ad); (err == nil) != c.opens {
			t.Errorf("%s direction: %v", name, err)
		}
	}
}

// TestMalformedPadding plays a sender who owns the key and pads as Seal never does.
func TestMalformedPadding(t *testing.T) {
	from, to := pair(t, 1), pair(t, 2)
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"nothing":          {func(b []byte) []byte { return b }, nil},
		"last pad byte":    {func(b []byte) []byte { b[len(b)-1] = 1; return b }, ErrPadding},
		"first pad byte":   {func(b []byte) []byte { b[4+3] = 1; return b }, ErrPadding},
		"length too small": {func(b []byte) []byte { b[0]--; return b }, ErrPadding},
		"length too large": {func(b []byte) []byte { b[0], b[1] = 0xfd, 0; return b }, ErrPadding},
		"length huge":      {func(b []byte) []byte { binary.LittleEndian.PutUint32(b, 1<<32-1); return b }, ErrPadding},
		"padded too far":   {func(b []byte) []byte { return append(b, make([]byte, 16)...) }, ErrPadding},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Envelope{Version: Version, Purpose: commkey.OnChain, Sender: from.Public(), Recipient: to.Public()}
			key, err := commkey.Send(from, to.Public(), e.Purpose, e.Epoch)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.encrypt(uid, key, c.change(pad([]byte("bid")))); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Open(uid, to); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestSealRefuses(t *testing.T) {
	a, b := pair(t, 1), pair(t, 2)
	for name, c := range map[string]struct {
		run  func() error
		want error
	}{
		"self":     {func() error { _, err := Seal(rand.Reader, uid, a, a.Public(), 0, 0, nil); return err }, ecdh.ErrSelf},
		"zero key": {func() error { _, err := Seal(rand.Reader, uid, a, ecdh.PublicKey{}, 0, 0, nil); return err }, ecdh.ErrIdentity},
		"epoch":    {func() error { _, err := Seal(rand.Reader, uid, a, b.Public(), 1<<31, 0, nil); return err }, commkey.ErrIndex},
		"purpose":  {func() error { _, err := Seal(rand.Reader, uid, a, b.Public(), 0, 7, nil); return err }, commkey.ErrPurpose},
		"no rand":  {func() error { _, err := Seal(nil, uid, a, b.Public(), 0, 0, nil); return err }, ecdh.ErrRandom},
		"short rand": {func() error {
			_, err := Seal(bytes.NewReader(make([]byte, 11)), uid, a, b.Public(), 0, 0, nil)
			return err
		}, ecdh.ErrRandom},
	} {
		if err := c.run(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestIdentityRefused puts the identity in place of either key of an envelope's bytes.
func TestIdentityRefused(t *testing.T) {
	e, _, _ := seal(t, nil)
	for name, at := range map[string]int{"sender": 2, "recipient": 34} {
		b := e.Marshal()
		clear(b[at : at+32])
		if _, err := Parse(b); !errors.Is(err, ecdh.ErrIdentity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestErrorsTellNothing opens an envelope that was tampered with; no error holds a byte of key or plaintext.
func TestErrorsTellNothing(t *testing.T) {
	e, _, to := seal(t, []byte("bid 100"))
	e.IV[3] ^= 1
	_, err := e.Open(uid, to)
	if text := fmt.Sprintf("%+v", err); text != "envelope: does not open" {
		t.Error(text)
	}
}

func TestPaddedSize(t *testing.T) {
	for _, c := range []struct{ n, want int }{
		{0, 256}, {1, 256}, {252, 256}, {253, 272}, {268, 272}, {269, 288}, {508, 512}, {509, 544}, {996, 1024},
		{1020, 1024}, {1021, 1088}, {65532, 65536}, {65533, 67584}, {MaxPlaintext, MaxData - TagSize},
	} {
		if got := PaddedSize(c.n); got != c.want {
			t.Errorf("PaddedSize(%d) = %d, want %d", c.n, got, c.want)
		}
	}
	last, sizes := 0, 0
	for n := range MaxPlaintext + 1 {
		size := PaddedSize(n)
		if size < n+4 || size < last || padme(size) != size || (n > 252 && size-n-4 > (n+4)*12/100) {
			t.Fatalf("PaddedSize(%d) = %d after %d", n, size, last)
		}
		if size != last {
			sizes++
		}
		last = size
	}
	if sizes > 400 {
		t.Errorf("%d sizes tell plaintexts apart", sizes)
	}
}

// TestSizeHidesLength seals plaintexts of neighbouring lengths into envelopes of one length.
func TestSizeHidesLength(t *testing.T) {
	one, _, _ := seal(t, nil)
	other, _, _ := seal(t, make([]byte, 252))
	if len(one.Marshal()) != len(other.Marshal()) {
		t.Error("the length shows")
	}
}

func FuzzEnvelope(f *testing.F) {
	from, to := pair(f, 1), pair(f, 2)
	// The IV is fixed because each process of a fuzz run makes the seed anew, and only the seed may open.
	e, err := Seal(bytes.NewReader(make([]byte, IVSize)), uid, from, to.Public(), 7, commkey.Query, []byte("bid 100"))
	if err != nil {
		f.Fatal(err)
	}
	wire := e.Marshal()
	f.Add(wire)
	f.Add(wire[:len(wire)-1])
	f.Add(append(bytes.Clone(wire), 0))
	f.Add(append(bytes.Clone(wire[:HeaderSize]), 0xff, 0xff, 0xff, 0xff))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Marshal(), b) {
			t.Fatal("another encoding")
		}
		if _, err := e.Open(uid, to); err == nil && !bytes.Equal(b, wire) {
			t.Fatal("a forgery opens")
		}
	})
}

var sizes = []int{256, 4096, 65536, MaxPlaintext}

func BenchmarkSeal(b *testing.B) {
	from, to := pair(b, 1), pair(b, 2).Public()
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			plaintext := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := Seal(rand.Reader, uid, from, to, 0, commkey.Query, plaintext); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			e, _, to := seal(b, make([]byte, size))
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := e.Open(uid, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestOpenLog: an identity opens logs that are encrypted to it, and nothing else.
func TestOpenLog(t *testing.T) {
	alice, err := sr25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	to, err := ecdh.ParsePublicKey(alice.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	uid := [32]byte{1}
	seal := func(epoch uint32, p commkey.Purpose) *Envelope {
		own, err := ecdh.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Seal(rand.Reader, uid, own, to, epoch, p, []byte("said"))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if plain, err := seal(0, commkey.ContractLog).OpenLog(uid, alice); err != nil || string(plain) != "said" {
		t.Errorf("%q, %v", plain, err)
	}
	for p := range commkey.Purpose(commkey.Purposes) {
		for _, epoch := range []uint32{0, 1} {
			if p == commkey.ContractLog && epoch == 0 {
				continue
			}
			if _, err := seal(epoch, p).OpenLog(uid, alice); !errors.Is(err, ErrRecipient) {
				t.Errorf("purpose %s in epoch %d: %v", p, epoch, err)
			}
		}
	}
	if _, err := seal(0, commkey.ContractLog).OpenLog([32]byte{2}, alice); !errors.Is(err, ErrOpen) {
		t.Errorf("on another chain: %v", err)
	}
	bob, err := sr25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal(0, commkey.ContractLog).OpenLog(uid, bob); !errors.Is(err, ErrRecipient) {
		t.Errorf("another: %v", err)
	}
	alice.Zero()
	if _, err := seal(0, commkey.ContractLog).OpenLog(uid, alice); !errors.Is(err, ecdh.ErrErased) {
		t.Errorf("erased: %v", err)
	}
}
