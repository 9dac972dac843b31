package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

var create = flag.Bool("create", false, "write golden vectors that do not exist yet")

// TestGoldenRecords holds every layout to testdata/records.json. DO NOT CHANGE the vectors: other implementations and
// stored state depend on them. A new record is added with -create.
func TestGoldenRecords(t *testing.T) {
	const file = "testdata/records.json"
	golden := map[string]string{}
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &golden)
	}
	if err != nil && !*create {
		t.Fatal(err)
	}
	for _, s := range samples(t) {
		got := hex.EncodeToString(scale.MustMarshal(s.filled))
		want, ok := golden[s.name]
		switch {
		case !ok && *create:
			golden[s.name] = got
		case !ok:
			t.Errorf("%s: no vector; run with -create", s.name)
		case got != want:
			t.Errorf("%s: layout has changed:\n%s, was\n%s", s.name, got, want)
		}
	}
	if *create {
		raw, err := json.MarshalIndent(golden, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReservedIndices holds the indices that later versions will use: they decode to errors, never to something else.
func TestReservedIndices(t *testing.T) {
	key := signer(t, "alice").Public().Bytes()
	for scheme := byte(0); scheme < 8; scheme++ {
		var i wire.Identity
		err := scale.Unmarshal(append([]byte{scheme}, key...), &i)
		switch {
		case scheme == 0 && err != nil:
			t.Errorf("sr25519 identity: %v", err)
		case scheme == 2 || scheme == 3:
			if !errors.Is(err, wire.ErrScheme) {
				t.Errorf("reserved scheme %d: %v", scheme, err)
			}
		case scheme > 3 && !errors.Is(err, scale.ErrVariant):
			t.Errorf("unknown scheme %d: %v", scheme, err)
		}
	}
	for kind := byte(0); kind < 10; kind++ {
		var s wire.UserSignature
		err := scale.Unmarshal(append([]byte{kind}, make([]byte, 64)...), &s)
		if ok := kind <= 1; ok != (err == nil) {
			t.Errorf("signature kind %d: %v", kind, err)
		}
	}
}

// TestIdentityPoint refuses the identity point, whose secret everybody knows, at each door of this package.
func TestIdentityPoint(t *testing.T) {
	zero := make([]byte, 32)
	doors := map[string]scale.Record{
		"sr25519 identity": new(wire.Identity),
		"entity topic":     new(wire.Topic),
		"enclave sender":   new(wire.Sender),
	}
	prefix := map[string]byte{"sr25519 identity": 0, "entity topic": wire.TopicEntity, "enclave sender": wire.SenderEnclave}
	for name, r := range doors {
		if err := scale.Unmarshal(append([]byte{prefix[name]}, zero...), r); err == nil {
			t.Errorf("%s: the identity point is accepted", name)
		}
	}
	var reg wire.Registration
	raw := scale.MustMarshal(samples(t)[7].filled)
	for _, at := range []int{2, 34} {
		bad := bytes.Clone(raw)
		clear(bad[at : at+32])
		if scale.Unmarshal(bad, &reg) == nil {
			t.Errorf("registration with the identity point at byte %d is accepted", at)
		}
	}
}

// TestEd25519SmallOrder refuses the ed25519 keys under which signatures prove nothing, and second encodings.
func TestEd25519SmallOrder(t *testing.T) {
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0100000000000000000000000000000000000000000000000000000000000080",
	} {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.Ed25519Identity(key); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// TestInvocationSignature signs by both schemes and changes everything that the signature must cover.
func TestInvocationSignature(t *testing.T) {
	alice := signer(t, "alice")
	bobKey := ed25519.NewKeyFromSeed(mini("bob"))
	bob, err := wire.Ed25519Identity(bobKey.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	life := &wire.WorkerLife{Identity: signer(t, "worker").Public(), Incarnation: wire.Incarnation{1}}
	target := wire.Target{UID: wire.ChainUID{1}, Cluster: wire.ClusterID{2}, Worker: life}
	sign := map[string]func(*wire.Invocation){
		"sr25519": func(i *wire.Invocation) {
			i.From = wire.Sr25519Identity(alice.Public())
			text, err := i.SigningText(target)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := alice.Sign(zeroReader{}, text)
			if err != nil {
				t.Fatal(err)
			}
			i.Sig = wire.UserSignature{Kind: wire.SignatureSr25519, Bytes: sig}
		},
		"ed25519": func(i *wire.Invocation) {
			i.From = bob
			text, err := i.SigningText(target)
			if err != nil {
				t.Fatal(err)
			}
			i.Sig = wire.UserSignature{Kind: wire.SignatureEd25519, Bytes: [64]byte(ed25519.Sign(bobKey, text))}
		},
	}
	changes := map[string]func(*wire.Invocation, *wire.Target){
		"to":          func(i *wire.Invocation, _ *wire.Target) { i.Payload.To[0] ^= 1 },
		"input":       func(i *wire.Invocation, _ *wire.Target) { i.Payload.Input = []byte{1} },
		"nonce":       func(i *wire.Invocation, _ *wire.Target) { i.Nonce++ },
		"value":       func(i *wire.Invocation, _ *wire.Target) { i.Value = amount(8) },
		"gas limit":   func(i *wire.Invocation, _ *wire.Target) { i.GasLimit++ },
		"kind":        func(i *wire.Invocation, _ *wire.Target) { i.Kind.Action = wire.ActionQuery },
		"min height":  func(i *wire.Invocation, _ *wire.Target) { i.MinHeight++ },
		"not after":   func(i *wire.Invocation, _ *wire.Target) { i.NotAfter++ },
		"reply to":    func(i *wire.Invocation, _ *wire.Target) { i.ReplyTo = ecdhKey(t, "thief") },
		"from":        func(i *wire.Invocation, _ *wire.Target) { i.From = wire.Sr25519Identity(signer(t, "eve").Public()) },
		"sig kind":    func(i *wire.Invocation, _ *wire.Target) { i.Sig.Kind ^= 1 },
		"sig":         func(i *wire.Invocation, _ *wire.Target) { i.Sig.Bytes[5] ^= 1 },
		"chain":       func(_ *wire.Invocation, x *wire.Target) { x.UID[0] ^= 1 },
		"cluster":     func(_ *wire.Invocation, x *wire.Target) { x.Cluster[0] ^= 1 },
		"no worker":   func(_ *wire.Invocation, x *wire.Target) { x.Worker = nil },
		"incarnation": func(_ *wire.Invocation, x *wire.Target) { x.Worker = &wire.WorkerLife{Identity: life.Identity} },
	}
	for scheme, do := range sign {
		inv := invocation(t, wire.Kind{})
		do(inv)
		if err := inv.Verify(target); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
		for name, change := range changes {
			bad, other := *inv, target
			change(&bad, &other)
			if err := bad.Verify(other); err == nil {
				t.Errorf("%s: the signature does not cover %s", scheme, name)
			}
		}
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestSigningTextsApart shows that no two kinds of record have the same signed text, whatever their bodies.
func TestSigningTextsApart(t *testing.T) {
	kinds := []string{wire.KindInvocation, wire.KindRegistration, wire.KindMessage, wire.KindStateRequest, wire.KindStateOffer,
		wire.KindHandoverRequest, wire.KindHandoverOffer}
	for _, a := range kinds {
		for _, b := range kinds {
			pa, pb := "phalanx/"+a+"/v1", "phalanx/"+b+"/v1"
			if a != b && strings.HasPrefix(pa, pb) {
				t.Errorf("%s begins with %s", pa, pb)
			}
		}
	}
	if got := wire.SigningText("x", wire.ChainUID{7}, []byte("body")); string(got) != "phalanx/x/v1\x07"+strings.Repeat("\x00", 31)+"body" {
		t.Errorf("signing text is %q", got)
	}
}

// TestSecretsDoNotPrint prints the one record that carries keys by every verb.
func TestSecretsDoNotPrint(t *testing.T) {
	key := hash("a cluster key")
	m := &wire.GrantedKeys{Keys: []wire.GrantedKey{{Epoch: 1, Key: key}}}
	for _, v := range []any{m, *m, m.Keys, m.Keys[0]} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T marshals to %s", v, b)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, v := range []any{m, *m, m.Keys, m.Keys[0], &m.Keys[0], struct{ K any }{m.Keys[0]}} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, hex.EncodeToString(key[:8])) || strings.Contains(text, fmt.Sprint(key[:4])[1:10]) {
				t.Errorf("%s of %T shows the key: %s", verb, v, text)
			}
		}
	}
}

func TestHeadChain(t *testing.T) {
	var h wire.Head
	d := hash("digest")
	h = h.Next(d)
	want := sha256.Sum256(append(make([]byte, 32), d[:]...))
	if h.Count != 1 || h.Hash != want {
		t.Errorf("head after one message is %d, %s", h.Count, h.Hash)
	}
}

// TestReceiptsTree compares the proofs with the root for every leaf of trees of every size up to 70, and refuses
// proofs of another leaf, place, size or path.
func TestReceiptsTree(t *testing.T) {
	var leaves []wire.Hash
	for n := 1; n <= 70; n++ {
		leaves = append(leaves, hash(fmt.Sprint("leaf", n)))
		root := wire.ReceiptsRoot(leaves)
		for i := range leaves {
			path := wire.ReceiptPath(leaves, i)
			if err := wire.VerifyReceipt(root, leaves[i], uint64(i), uint64(n), path); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
			if wire.VerifyReceipt(root, hash("other"), uint64(i), uint64(n), path) == nil {
				t.Fatalf("leaf %d of %d: another leaf is accepted", i, n)
			}
			if n > 1 && wire.VerifyReceipt(root, leaves[i], uint64((i+1)%n), uint64(n), path) == nil {
				t.Fatalf("leaf %d of %d: another place is accepted", i, n)
			}
			if wire.VerifyReceipt(root, leaves[i], uint64(i), uint64(n), append(path, hash("more"))) == nil {
				t.Fatalf("leaf %d of %d: a longer path is accepted", i, n)
			}
			if len(path) > 0 && wire.VerifyReceipt(root, leaves[i], uint64(i), uint64(n), path[:len(path)-1]) == nil {
				t.Fatalf("leaf %d of %d: a shorter path is accepted", i, n)
			}
		}
	}
	if wire.ReceiptPath(leaves, -1) != nil || wire.ReceiptPath(leaves, len(leaves)) != nil {
		t.Error("a leaf that does not exist has a path")
	}
	// RFC 6962's tree of no entries.
	if got := wire.ReceiptsRoot(nil); got.String() != "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("root of no leaves is %s", got)
	}
}

func TestReceiptsTreeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		leaves := make([]wire.Hash, n)
		for i := range leaves {
			leaves[i] = hash(fmt.Sprint(i))
		}
		i := rapid.IntRange(0, n-1).Draw(t, "i")
		path := wire.ReceiptPath(leaves, i)
		claimed := rapid.Uint64().Draw(t, "claimed")
		size := rapid.Uint64().Draw(t, "size")
		err := wire.VerifyReceipt(wire.ReceiptsRoot(leaves), leaves[i], claimed, size, path)
		if err == nil && (claimed != uint64(i) || size != uint64(n)) && claimed>>len(path) != 0 {
			t.Fatalf("leaf %d of %d proves as %d of %d", i, n, claimed, size)
		}
	})
}

func TestQuorum(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5, 64: 43} {
		if got := wire.Quorum(n); got != want {
			t.Errorf("quorum of %d is %d, want %d", n, got, want)
		}
	}
}

func TestDigestText(t *testing.T) {
	id := wire.ClusterID(hash("cluster"))
	got, err := wire.ParseDigest[wire.ClusterID](id.String())
	if err != nil || got != id {
		t.Errorf("parsed %s: %v", got, err)
	}
	for _, bad := range []string{"", "0x", id.String()[:65], id.String() + "00", "0x" + strings.Repeat("g", 64)} {
		if _, err := wire.ParseDigest[wire.ClusterID](bad); !errors.Is(err, wire.ErrDigest) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestRecordKeysApart shows that no record's key is another's.
func TestRecordKeysApart(t *testing.T) {
	a, id := signer(t, "alice").Public(), wire.ClusterID(hash("x"))
	keys := []wire.RecordKey{
		wire.KeyChainUID(), wire.KeyNetworkParams(), wire.KeyGatekeepers(), wire.KeyMasterKey(), wire.KeyWorker(a),
		wire.KeyHead(wire.ClusterTopic(id)), wire.KeyHead(wire.EntityTopic(a)), wire.KeyHead(wire.GatekeepersTopic()),
		wire.KeySequence(a), wire.KeyCluster(id), wire.KeyFinalized(id, 1), wire.KeyFinalized(id, 2), wire.KeyContract(wire.ContractID(id)),
	}
	seen := map[wire.RecordKey]bool{}
	for _, k := range keys {
		if seen[k] {
			t.Errorf("two records stand at %s/%q", k.Store, k.Key)
		}
		seen[k] = true
	}
}

// TestEnclaveMessageSignature holds the signature to the chain, the order and the act.
func TestEnclaveMessageSignature(t *testing.T) {
	worker := signer(t, "worker")
	uid := wire.ChainUID{1}
	m := wire.SignedMessage{Message: wire.EnclaveMessage{
		Identity: worker.Public(), Act: wire.Act{Kind: wire.ActRotateEcdh, RotateEcdh: &wire.RotateEcdh{Key: ecdhKey(t, "k"), Epoch: 1}},
	}}
	text, err := m.Message.SigningText(uid)
	if err != nil {
		t.Fatal(err)
	}
	if m.Signature, err = worker.Sign(zeroReader{}, text); err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(uid); err != nil {
		t.Fatal(err)
	}
	changes := map[string]func(*wire.SignedMessage){
		"sequence":    func(m *wire.SignedMessage) { m.Message.Sequence++ },
		"incarnation": func(m *wire.SignedMessage) { m.Message.Incarnation[0] ^= 1 },
		"identity":    func(m *wire.SignedMessage) { m.Message.Identity = signer(t, "eve").Public() },
		"epoch": func(m *wire.SignedMessage) {
			m.Message.Act.RotateEcdh = &wire.RotateEcdh{Key: ecdhKey(t, "k"), Epoch: 2}
		},
		"signature": func(m *wire.SignedMessage) { m.Signature[0] ^= 1 },
	}
	for name, change := range changes {
		bad := m
		change(&bad)
		if err := bad.Verify(uid); !errors.Is(err, sr25519.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := m.Verify(wire.ChainUID{2}); !errors.Is(err, sr25519.ErrSignature) {
		t.Errorf("another chain: %v", err)
	}
}
