package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/hierarchy"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// full is a keyring that holds every secret there is.
func full(t testing.TB) (*Keyring, *memDisk) {
	t.Helper()
	d := newMemDisk()
	k := openOn(t, d, testBinding(t))
	rotate(t, k, 100)
	must(k.GenerateMasterKey(ctx))(t)
	_, _, err := k.ReplaceEcdhKey(ctx, 1)
	check(t, err)
	return k, d
}

func secretsOf(s *state) map[string][]byte {
	return map[string][]byte{
		"identity": s.identity.ExposeMiniSecret(),
		"current":  s.current.key.ExposeMiniSecret(),
		"previous": s.previous.key.ExposeMiniSecret(),
		"next":     s.next.key.ExposeMiniSecret(),
		"master":   s.master.ExposeBytes(),
	}
}

// forms are the ways in which printers show bytes.
func forms(secret []byte) []string {
	return []string{
		string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		base64.StdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
		strings.Trim(fmt.Sprint(secret), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte{"), "}"),
		fmt.Sprintf("% x", secret),
	}
}

func leaks(out string, secrets map[string][]byte) (name string, leaked bool) {
	for name, secret := range secrets {
		for _, form := range forms(secret) {
			if strings.Contains(out, form) {
				return name, true
			}
		}
	}
	return "", false
}

func TestNothingPrints(t *testing.T) {
	k, d := full(t)
	one := must(k.NewOneTime())(t)
	secrets := secretsOf(k.state)
	secrets["one-time"] = one.key.ExposeMiniSecret()

	if _, seen := leaks(fmt.Sprintf("%x", secrets["master"]), secrets); !seen {
		t.Fatal("control: the search does not find a planted secret")
	}
	var out strings.Builder
	for _, v := range []any{k, one, k.state, *k.state, k.state.current, struct{ K *Keyring }{k}, []any{k, one}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		js, err := json.Marshal(v)
		fmt.Fprintln(&out, string(js), err)
		var b bytes.Buffer
		err = gob.NewEncoder(&b).Encode(v)
		fmt.Fprintln(&out, b.String(), err)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", v)
	}
	for name, i := range d.names {
		out.WriteString(name + string(i.data))
	}
	if name, leaked := leaks(out.String(), secrets); leaked {
		t.Fatalf("the %s key was printed", name)
	}
	for _, v := range []any{k, one} {
		if _, err := json.Marshal(v); !errors.Is(err, errMarshal) {
			t.Errorf("%T marshals: %v", v, err)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeOf(Keyring{}), reflect.TypeOf(OneTime{})} {
		if typ.Comparable() {
			t.Errorf("%v compares", typ)
		}
	}
}

// TestPublicSurface: no exported method hands out a private key, save the ClusterKey, which travels by design.
func TestPublicSurface(t *testing.T) {
	private := []reflect.Type{
		reflect.TypeOf((*sr25519.PrivateKey)(nil)), reflect.TypeOf((*ecdh.PrivateKey)(nil)),
		reflect.TypeOf((*hierarchy.MasterKey)(nil)), reflect.TypeOf((*state)(nil)),
	}
	for _, typ := range []reflect.Type{reflect.TypeOf((*Keyring)(nil)), reflect.TypeOf((*OneTime)(nil))} {
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			for o := range m.Type.NumOut() {
				if slices.Contains(private, m.Type.Out(o)) {
					t.Errorf("%v.%s returns %v", typ, m.Name, m.Type.Out(o))
				}
			}
		}
	}
}

// TestFailedChangeErasesItsDraft: a key that was drawn for a change that failed is nowhere.
func TestFailedChangeErasesItsDraft(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	var drawn *ecdh.PrivateKey
	failed := errors.New("no")
	err := k.change(ctx, func(s *state) error {
		c, err := k.newChannel(0)
		check(t, err)
		s.next, drawn = c, c.key
		return failed
	})
	if !errors.Is(err, failed) || drawn.ExposeMiniSecret() != nil {
		t.Fatal("the draft's key was not erased")
	}
	must(k.Sign("message", nil))(t)
}

// TestPlaintextIsCleared: the buffers that were sealed or unsealed hold no secret afterwards.
func TestPlaintextIsCleared(t *testing.T) {
	b := testBinding(t)
	spy := &spySealer{Sealer: b.sealer}
	b.sealer = spy
	d := newMemDisk()
	must(openOn(t, d, b).GenerateMasterKey(ctx))(t)
	openOn(t, d, b)
	if len(spy.seen) != 3 {
		t.Fatalf("sealed and unsealed %d times", len(spy.seen))
	}
	for _, buf := range spy.seen {
		if !bytes.Equal(buf, make([]byte, len(buf))) {
			t.Fatal("the plaintext was left in memory")
		}
	}
}

func TestSignatures(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	sig := must(k.Sign("message", []byte("body")))(t)
	check(t, sr25519.Verify(k.Identity(), wire.SigningText("message", uidOne, []byte("body")), sig))
	for _, text := range [][]byte{
		wire.SigningText("registration", uidOne, []byte("body")), wire.SigningText("message", uidTwo, []byte("body")),
		wire.SigningText("message", uidOne, []byte("bodz")), []byte("body"),
	} {
		if sr25519.Verify(k.Identity(), text, sig) == nil {
			t.Fatalf("one signature is valid as two records: %q", text)
		}
	}
}

func TestMasterDerivation(t *testing.T) {
	k := openOn(t, newMemDisk(), testBinding(t))
	if _, err := k.ClusterKeyElement([32]byte{1}, 0); !errors.Is(err, ErrNoMasterKey) {
		t.Fatal(err)
	}
	must(k.GenerateMasterKey(ctx))(t)
	cluster := [32]byte{9}
	whole := must(k.ClusterKey(cluster, 3))(t)
	element := must(k.ClusterKeyElement(cluster, 3))(t)
	if !whole.Equal(hierarchy.ClusterKeyFrom(element, cluster, 3)) {
		t.Fatal("the two ways to a ClusterKey differ")
	}
	if whole.Equal(must(k.ClusterKey(cluster, 4))(t)) || whole.Equal(must(k.ClusterKey([32]byte{8}, 3))(t)) {
		t.Fatal("two epochs or clusters share a key")
	}
	must(k.ClusterKey(cluster, 3))(t) // the temporary scalar's erasure does not touch the key
}

// TestIndependentKeys: the EcdhKey does not follow from the IdentityKey, nor does one start follow from another.
func TestIndependentKeys(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		k := openOn(t, newMemDisk(), testBinding(t))
		for _, secret := range [][]byte{k.state.identity.ExposeMiniSecret(), k.state.current.key.ExposeMiniSecret()} {
			if seen[string(secret)] {
				t.Fatal("a secret twice")
			}
			seen[string(secret)] = true
		}
	}
	// With known randomness: incarnation, identity key and ecdh key read it one after the other.
	stream := make([]byte, 80)
	must(rand.Read(stream))(t)
	b := testBinding(t)
	k := must(open(ctx, newMemDisk(), noLock{}, b, bytes.NewReader(stream)))(t)
	if !bytes.Equal(k.state.identity.ExposeMiniSecret(), stream[16:48]) ||
		!bytes.Equal(k.state.current.key.ExposeMiniSecret(), stream[48:]) {
		t.Fatal("the keys are not the bytes that were drawn")
	}
}
