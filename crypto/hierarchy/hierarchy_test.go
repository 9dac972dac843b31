package hierarchy

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/internal/secrettest"
)

func master(t testing.TB) *MasterKey {
	t.Helper()
	m, err := NewMasterKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func cluster(t testing.TB, m *MasterKey, first byte, epoch uint32) *ClusterKey {
	t.Helper()
	k, err := m.ClusterKey([32]byte{first}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// hkdfByHand is RFC 5869 with HMAC alone, for one block of output.
func hkdfByHand(ikm, info []byte) []byte {
	extract := hmac.New(sha256.New, nil)
	extract.Write(ikm)
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write(info)
	expand.Write([]byte{1})
	return expand.Sum(nil)
}

// TestLayouts computes every derivation a second time from the layout that the package comment states.
func TestLayouts(t *testing.T) {
	m := master(t)
	id := [32]byte{9, 8, 7}
	c := [32]byte{1, 2, 3}
	const epoch = 0x01020304
	le := []byte{4, 3, 2, 1}
	h, err := group.HashToGroup([]byte("phalanx cluster v1"), append(c[:], le...))
	if err != nil {
		t.Fatal(err)
	}
	k, err := group.ParseScalar(m.ExposeBytes())
	if err != nil {
		t.Fatal(err)
	}
	element, err := k.Mul(h)
	if err != nil {
		t.Fatal(err)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	clusterKey := hkdfByHand(element.Bytes(), join([]byte("phalanx cluster v1"), c[:], le))
	contractKey := hkdfByHand(clusterKey, join([]byte("contract"), id[:]))
	stateKey := hkdfByHand(clusterKey, []byte("state"))

	ck, err := m.ClusterKey(c, epoch)
	if err != nil {
		t.Fatal(err)
	}
	ecdhKey, err := ck.EcdhKey()
	if err != nil {
		t.Fatal(err)
	}
	contract := ck.ContractKey(id)
	signing, err := contract.SigningKey()
	if err != nil {
		t.Fatal(err)
	}
	salt := ck.ReceiptSalt(0x0102030405060708)
	seed, own := contract.Seed(id), contract.Secret(id)
	file, err := FileKey(ck.StateKey(), id)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][2][]byte{
		"cluster": {ck.ExposeBytes(), clusterKey},
		"ecdh":    {ecdhKey.ExposeMiniSecret(), hkdfByHand(clusterKey, []byte("ecdh"))},
		"state":   {ck.StateKey(), stateKey},
		"file":    {file, hkdfByHand(stateKey, join([]byte("file"), id[:]))},
		"root":    {ck.RootKey(), hkdfByHand(clusterKey, []byte("root"))},
		"receipt": {salt[:], hkdfByHand(clusterKey, join([]byte("receipt"), []byte{8, 7, 6, 5, 4, 3, 2, 1}))},
		"secret":  {own[:], hkdfByHand(contractKey, join([]byte("secret"), id[:]))},
		"signing": {signing.ExposeMiniSecret(), hkdfByHand(contractKey, []byte("signing"))},
		"seed":    {seed[:], hkdfByHand(contractKey, join([]byte("seed"), id[:]))},
	} {
		if !bytes.Equal(v[0], v[1]) {
			t.Errorf("%s is not as its layout says", name)
		}
	}
}

// TestLabelsAreApart: below one key no label begins with another, so no two derivations have one info.
func TestLabelsAreApart(t *testing.T) {
	for _, labels := range [][]string{
		{labelEcdh, labelState, labelRoot, labelReceipt, labelContract},
		{labelSigning, labelSeed, labelSecret},
		{labelFile},
	} {
		for i, a := range labels {
			for j, b := range labels {
				if i != j && strings.HasPrefix(b, a) {
					t.Errorf("%q begins with %q", b, a)
				}
			}
		}
	}
}

// TestSplitEqualsWhole derives a key as gatekeeper and worker do it between them.
func TestSplitEqualsWhole(t *testing.T) {
	m := master(t)
	id := [32]byte{5}
	k, err := group.ParseScalar(m.ExposeBytes())
	if err != nil {
		t.Fatal(err)
	}
	e, err := Evaluate(k, id, 3)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := m.ClusterKey(id, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !ClusterKeyFrom(e, id, 3).Equal(whole) {
		t.Error("the parts give another key")
	}
	public, err := k.MulBase()
	if err != nil || public != m.Public() {
		t.Errorf("public key %v, %v", public, err)
	}
}

// TestKeysAreApart: clusters, epochs, contracts and masters have their own keys, also where only the binding of the
// HKDF info tells them apart.
func TestKeysAreApart(t *testing.T) {
	m := master(t)
	e, err := Evaluate(mustScalar(t, m), [32]byte{1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := []*ClusterKey{
		cluster(t, m, 1, 0), cluster(t, m, 1, 1), cluster(t, m, 2, 0), cluster(t, m, 1, 256), cluster(t, master(t), 1, 0),
		ClusterKeyFrom(e, [32]byte{1}, 1), ClusterKeyFrom(e, [32]byte{2}, 0),
	}
	seen := map[string]bool{}
	for _, k := range keys {
		seen[string(k.ExposeBytes())] = true
		for _, id := range []byte{1, 2} {
			seed := k.ContractKey([32]byte{id}).Seed([32]byte{})
			seen[string(seed[:])] = true
		}
		for count := range uint64(3) {
			salt := k.ReceiptSalt(count)
			seen[string(salt[:])] = true
		}
		seen[string(k.StateKey())], seen[string(k.RootKey())] = true, true
	}
	if want := len(keys) * 8; len(seen) != want {
		t.Errorf("%d different keys of %d", len(seen), want)
	}
}

func mustScalar(t testing.TB, m *MasterKey) *group.Scalar {
	t.Helper()
	k, err := group.ParseScalar(m.ExposeBytes())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParse(t *testing.T) {
	m := master(t)
	again, err := ParseMasterKey(m.ExposeBytes())
	if err != nil || again.Public() != m.Public() {
		t.Errorf("master: %v", err)
	}
	k := cluster(t, m, 1, 0)
	parsed, err := ParseClusterKey(k.ExposeBytes())
	if err != nil || !parsed.Equal(k) {
		t.Errorf("cluster: %v", err)
	}
	for _, b := range [][]byte{nil, make([]byte, 31), make([]byte, 32), make([]byte, 33)} {
		if _, err := ParseClusterKey(b); !errors.Is(err, ErrKey) {
			t.Errorf("cluster, %d bytes: %v", len(b), err)
		}
		if _, err := ParseMasterKey(b); !errors.Is(err, group.ErrScalar) {
			t.Errorf("master, %d bytes: %v", len(b), err)
		}
		if _, err := FileKey(b, [32]byte{}); !errors.Is(err, ErrKey) {
			t.Errorf("file, %d bytes: %v", len(b), err)
		}
	}
}

func TestSecretsAreOpaque(t *testing.T) {
	m := master(t)
	secrettest.Check(t, m, m.ExposeBytes())
	k := cluster(t, m, 1, 0)
	secrettest.Check(t, k, k.ExposeBytes())
	c := k.ContractKey([32]byte{1})
	b := c.key.Get().b
	secrettest.Check(t, c, b[:])
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// TestNoKeyFromZeros: nothing is derived from a key that was erased.
func TestNoKeyFromZeros(t *testing.T) {
	m := master(t)
	k := cluster(t, m, 1, 0)
	c := k.ContractKey([32]byte{1})
	m.Zero()
	k.Zero()
	c.Zero()
	if m.ExposeBytes() != nil || k.ExposeBytes() != nil {
		t.Error("a key outlives Zero")
	}
	if _, err := m.ClusterKey([32]byte{1}, 0); !errors.Is(err, group.ErrErased) {
		t.Errorf("ClusterKey: %v", err)
	}
	if _, err := k.EcdhKey(); !errors.Is(err, ErrErased) {
		t.Errorf("EcdhKey: %v", err)
	}
	if _, err := c.SigningKey(); !errors.Is(err, ErrErased) {
		t.Errorf("SigningKey: %v", err)
	}
	if k.Equal(k) {
		t.Error("an erased key equals itself")
	}
	for name, f := range map[string]func(){
		"ContractKey":    func() { k.ContractKey([32]byte{}) },
		"StateKey":       func() { k.StateKey() },
		"RootKey":        func() { k.RootKey() },
		"ReceiptSalt":    func() { k.ReceiptSalt(0) },
		"Seed":           func() { c.Seed([32]byte{}) },
		"Secret":         func() { c.Secret([32]byte{}) },
		"ClusterKeyFrom": func() { ClusterKeyFrom(group.Element{}, [32]byte{}, 0) },
	} {
		if !panics(f) {
			t.Errorf("%s gives a key", name)
		}
	}
}

func BenchmarkClusterKey(b *testing.B) {
	m := master(b)
	for b.Loop() {
		if _, err := m.ClusterKey([32]byte{1}, 0); err != nil {
			b.Fatal(err)
		}
	}
}
