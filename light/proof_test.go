package light_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"cosmossdk.io/log/v2"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/store/v2/rootmulti"
	"github.com/cosmos/cosmos-sdk/store/v2/types"
	ics23 "github.com/cosmos/ics23/go"
	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

// multistore is the Cosmos SDK's, in memory, with the versions' headers.
type multistore struct {
	t       testing.TB
	store   *rootmulti.Store
	keys    map[string]*types.KVStoreKey
	headers []light.Header // headers[n] proves version n
}

func newMultistore(t testing.TB, names ...string) *multistore {
	t.Helper()
	m := &multistore{t: t, store: rootmulti.NewStore(dbm.NewMemDB(), log.NewNopLogger()), keys: map[string]*types.KVStoreKey{},
		headers: []light.Header{{}}}
	for _, name := range names {
		m.keys[name] = types.NewKVStoreKey(name)
		m.store.MountStoreWithDB(m.keys[name], types.StoreTypeIAVL, nil)
	}
	if err := m.store.LoadLatestVersion(); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *multistore) set(store, key, value string) {
	m.store.GetKVStore(m.keys[store]).Set([]byte(key), []byte(value))
}

// commit ends a version and returns the header that proves it.
func (m *multistore) commit() light.Header {
	id := m.store.Commit()
	h := light.Header{Height: uint64(id.Version) + 1, AppHash: [32]byte(id.Hash)}
	m.headers = append(m.headers, h)
	return h
}

// query is an ABCI query with proof at a version.
func (m *multistore) query(store, key string, version int64) (value, proof []byte) {
	m.t.Helper()
	res, err := m.store.Query(&types.RequestQuery{Path: "/" + store + "/key", Data: []byte(key), Height: version, Prove: true})
	if err != nil {
		m.t.Fatal(err)
	}
	proof, err = res.ProofOps.Marshal()
	if err != nil {
		m.t.Fatal(err)
	}
	return res.Value, proof
}

// fixture is a multistore with two versions; "b" changes between them.
func fixture(t testing.TB) *multistore {
	m := newMultistore(t, "bank", "mq", "registry", "empty")
	for _, store := range []string{"bank", "mq", "registry"} {
		for _, key := range []string{"b", "d", "f", "h", "j"} {
			m.set(store, key, store+" "+key)
		}
	}
	m.commit()
	m.set("mq", "b", "second")
	m.set("mq", "z", "new")
	m.commit()
	return m
}

func TestProofs(t *testing.T) {
	m := fixture(t)
	for _, store := range []string{"bank", "mq", "registry"} {
		for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "y", "z", "zz"} {
			for version := int64(1); version <= 2; version++ {
				value, proof := m.query(store, key, version)
				h := m.headers[version]
				member := light.VerifyMembership(h, store, []byte(key), value, proof)
				absent := light.VerifyAbsence(h, store, []byte(key), proof)
				if (member == nil) != (value != nil) || (absent == nil) != (value == nil) {
					t.Errorf("%s/%s at %d: value %q, membership %v, absence %v", store, key, version, value, member, absent)
				}
				other := m.headers[3-version]
				if light.VerifyMembership(other, store, []byte(key), value, proof) == nil ||
					light.VerifyAbsence(other, store, []byte(key), proof) == nil {
					t.Errorf("%s/%s at %d: proven at another height", store, key, version)
				}
			}
		}
	}
}

func TestEmptyStore(t *testing.T) {
	m := fixture(t)
	_, proof := m.query("empty", "k", 1)
	if err := light.VerifyAbsence(m.headers[1], "empty", []byte("k"), proof); err != nil {
		t.Error(err)
	}
	if light.VerifyMembership(m.headers[1], "empty", []byte("k"), []byte("v"), proof) == nil {
		t.Error("an empty store proves a value")
	}
	// The same operation must not pass for a store that is not empty.
	var ops, full cmtcrypto.ProofOps
	_, other := m.query("mq", "k", 1)
	mustUnmarshal(t, proof, &ops)
	mustUnmarshal(t, other, &full)
	full.Ops[0] = ops.Ops[0]
	if light.VerifyAbsence(m.headers[1], "mq", []byte("k"), mustMarshal(t, &full)) == nil {
		t.Error("absence of a store's every key proven by an empty proof")
	}
}

func TestSingleKeyStore(t *testing.T) {
	m := newMultistore(t, "one")
	m.set("one", "k", "v")
	h := m.commit()
	for key, exists := range map[string]bool{"a": false, "k": true, "z": false} {
		_, proof := m.query("one", key, 1)
		err := light.VerifyAbsence(h, "one", []byte(key), proof)
		if exists {
			err = light.VerifyMembership(h, "one", []byte(key), []byte("v"), proof)
		}
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestEmptyValue: the SDK stores an empty value, but its leaf hash cannot be formed; it is neither proven nor passed
// off as absent.
func TestEmptyValue(t *testing.T) {
	m := newMultistore(t, "s")
	m.set("s", "a", "1")
	m.set("s", "k", "")
	h := m.commit()
	_, proof := m.query("s", "k", 1)
	for _, value := range [][]byte{nil, {}, {0}} {
		if err := light.VerifyMembership(h, "s", []byte("k"), value, proof); !errors.Is(err, light.ErrProof) {
			t.Errorf("value %v: %v", value, err)
		}
	}
	if light.VerifyAbsence(h, "s", []byte("k"), proof) == nil {
		t.Error("an empty value passes for absence")
	}
	// Beside it, absence cannot be shown either: what the doc comment warns of.
	_, proof = m.query("s", "z", 1)
	if light.VerifyAbsence(h, "s", []byte("z"), proof) == nil {
		t.Error("a neighbour with an empty value was proven")
	}
}

type protoMessage interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

func mustUnmarshal(t testing.TB, b []byte, m protoMessage) {
	t.Helper()
	if err := m.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
}

func mustMarshal(t testing.TB, m protoMessage) []byte {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestProofAttacks asks for one thing and delivers the proof of another, or a doctored one.
func TestProofAttacks(t *testing.T) {
	m := fixture(t)
	h := m.headers[2]
	value, good := m.query("mq", "d", 2)
	_, sibling := m.query("mq", "f", 2)
	_, bank := m.query("bank", "d", 2)
	_, old := m.query("mq", "d", 1)
	_, absent := m.query("mq", "e", 2)
	doctored := func(change func(ops []cmtcrypto.ProofOp) []cmtcrypto.ProofOp) []byte {
		var ops cmtcrypto.ProofOps
		mustUnmarshal(t, good, &ops)
		ops.Ops = change(ops.Ops)
		return mustMarshal(t, &ops)
	}
	inner := func(i int, change func(*ics23.ExistenceProof)) []byte {
		return doctored(func(ops []cmtcrypto.ProofOp) []cmtcrypto.ProofOp {
			p := new(ics23.CommitmentProof)
			mustUnmarshal(t, ops[i].Data, p)
			change(p.GetExist())
			ops[i].Data = mustMarshal(t, p)
			return ops
		})
	}
	splice := func(from []byte, i int) []byte {
		var other cmtcrypto.ProofOps
		mustUnmarshal(t, from, &other)
		return doctored(func(ops []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { ops[i] = other.Ops[i]; return ops })
	}
	wrap := func(f func(*ics23.CommitmentProof) *ics23.CommitmentProof) []byte {
		return doctored(func(ops []cmtcrypto.ProofOp) []cmtcrypto.ProofOp {
			p := new(ics23.CommitmentProof)
			mustUnmarshal(t, ops[0].Data, p)
			ops[0].Data = mustMarshal(t, f(p))
			return ops
		})
	}
	batch := func(p *ics23.CommitmentProof) *ics23.CommitmentProof {
		return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Batch{Batch: &ics23.BatchProof{Entries: []*ics23.BatchEntry{
			{Proof: &ics23.BatchEntry_Exist{Exist: p.GetExist()}}}}}}
	}
	for name, proof := range map[string][]byte{
		"nothing":             nil,
		"sibling key":         sibling,
		"other store":         bank,
		"older height":        old,
		"absence of another":  absent,
		"trailing byte":       append(bytes.Clone(good), 0),
		"trailing field":      append(bytes.Clone(good), 2<<3, 1),
		"truncated":           good[:len(good)-1],
		"oversized":           append(bytes.Clone(good), make([]byte, light.MaxProof)...),
		"one operation":       doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { return o[:1] }),
		"three operations":    doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { return append(o, o[1]) }),
		"swapped":             doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { o[0], o[1] = o[1], o[0]; return o }),
		"type smt":            doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { o[0].Type = "ics23:smt"; return o }),
		"type simple twice":   doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { o[0].Type = o[1].Type; return o }),
		"renamed key":         doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { o[0].Key = []byte("f"); return o }),
		"renamed store":       doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { o[1].Key = []byte("bank"); return o }),
		"no data":             doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { o[0].Data = nil; return o }),
		"no data in second":   doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { o[1].Data = nil; return o }),
		"bank's first":        splice(bank, 0),
		"bank's second":       splice(bank, 1),
		"old first":           splice(old, 0),
		"old second":          splice(old, 1),
		"value changed":       inner(0, func(e *ics23.ExistenceProof) { e.Value = []byte("x") }),
		"key changed":         inner(0, func(e *ics23.ExistenceProof) { e.Key = []byte("x") }),
		"no leaf":             inner(0, func(e *ics23.ExistenceProof) { e.Leaf = nil }),
		"leaf unhashed":       inner(0, func(e *ics23.ExistenceProof) { e.Leaf.PrehashValue = ics23.HashOp_NO_HASH }),
		"shorter path":        inner(0, func(e *ics23.ExistenceProof) { e.Path = e.Path[1:] }),
		"no path":             inner(0, func(e *ics23.ExistenceProof) { e.Path = nil }),
		"empty step":          inner(0, func(e *ics23.ExistenceProof) { e.Path[0] = &ics23.InnerOp{} }),
		"endless path":        inner(0, func(e *ics23.ExistenceProof) { e.Path = slicesRepeat(e.Path[0], 129) }),
		"second's no leaf":    inner(1, func(e *ics23.ExistenceProof) { e.Leaf = nil }),
		"second's leaf":       inner(1, func(e *ics23.ExistenceProof) { e.Leaf.Prefix = []byte{0, 0} }),
		"second's other root": inner(1, func(e *ics23.ExistenceProof) { e.Value = make([]byte, 32) }),
		"batch":               wrap(batch),
		"compressed": wrap(func(p *ics23.CommitmentProof) *ics23.CommitmentProof {
			return ics23.Compress(batch(p))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if err := light.VerifyMembership(h, "mq", []byte("d"), value, proof); !errors.Is(err, light.ErrProof) {
				t.Errorf("membership: %v", err)
			}
			if err := light.VerifyAbsence(h, "mq", []byte("d"), proof); !errors.Is(err, light.ErrProof) {
				t.Errorf("absence: %v", err)
			}
		})
	}
	if err := light.VerifyMembership(h, "mq", []byte("d"), value, doctored(func(o []cmtcrypto.ProofOp) []cmtcrypto.ProofOp { return o })); err != nil {
		t.Errorf("the undoctored proof is refused: %v", err)
	}
}

func slicesRepeat(op *ics23.InnerOp, n int) []*ics23.InnerOp {
	out := make([]*ics23.InnerOp, n)
	for i := range out {
		out[i] = op
	}
	return out
}

// TestProofArguments asks the wrong question with a good proof.
func TestProofArguments(t *testing.T) {
	m := fixture(t)
	h := m.headers[2]
	value, proof := m.query("mq", "d", 2)
	other := h
	other.AppHash[0] ^= 1
	for name, err := range map[string]error{
		"empty key":     light.VerifyMembership(h, "mq", nil, value, proof),
		"long key":      light.VerifyMembership(h, "mq", make([]byte, light.MaxKey+1), value, proof),
		"empty store":   light.VerifyMembership(h, "", []byte("d"), value, proof),
		"long store":    light.VerifyMembership(h, string(make([]byte, light.MaxStore+1)), []byte("d"), value, proof),
		"long value":    light.VerifyMembership(h, "mq", []byte("d"), make([]byte, light.MaxValue+1), proof),
		"value prefix":  light.VerifyMembership(h, "mq", []byte("d"), value[:1], proof),
		"value longer":  light.VerifyMembership(h, "mq", []byte("d"), append(bytes.Clone(value), 0), proof),
		"key longer":    light.VerifyMembership(h, "mq", []byte("d\x00"), value, proof),
		"store with /":  light.VerifyMembership(h, "/mq", []byte("d"), value, proof),
		"other header":  light.VerifyMembership(other, "mq", []byte("d"), value, proof),
		"zero header":   light.VerifyMembership(light.Header{}, "mq", []byte("d"), value, proof),
		"absent, empty": light.VerifyAbsence(h, "mq", nil, proof),
	} {
		if !errors.Is(err, light.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFalseAbsence builds absence proofs of a present key out of true existence proofs: neighbours further apart, one
// neighbour only, neighbours of two versions.
func TestFalseAbsence(t *testing.T) {
	m := fixture(t)
	exist := func(key string, version int64) *ics23.ExistenceProof {
		_, proof := m.query("mq", key, version)
		var ops cmtcrypto.ProofOps
		mustUnmarshal(t, proof, &ops)
		p := new(ics23.CommitmentProof)
		mustUnmarshal(t, ops.Ops[0].Data, p)
		return p.GetExist()
	}
	b, d, f, j, z := exist("b", 2), exist("d", 2), exist("f", 2), exist("j", 2), exist("z", 2)
	for name, n := range map[string]*ics23.NonExistenceProof{
		"around":          {Left: b, Right: f},
		"far around":      {Left: b, Right: z},
		"itself left":     {Left: d, Right: f},
		"itself right":    {Left: b, Right: d},
		"itself twice":    {Left: d, Right: d},
		"same twice":      {Left: b, Right: b},
		"only left":       {Left: b},
		"only right":      {Right: f},
		"leftmost only":   {Right: b},
		"rightmost only":  {Left: z},
		"swapped":         {Left: f, Right: b},
		"two versions":    {Left: exist("b", 1), Right: f},
		"neighbours of i": {Left: f, Right: j},
		"none":            {},
		"pathless":        {Left: &ics23.ExistenceProof{Key: b.Key, Value: b.Value, Leaf: b.Leaf}, Right: f},
		"leafless":        {Left: &ics23.ExistenceProof{Key: b.Key}, Right: f},
	} {
		t.Run(name, func(t *testing.T) {
			n.Key = []byte("d")
			_, proof := m.query("mq", "d", 2)
			var ops cmtcrypto.ProofOps
			mustUnmarshal(t, proof, &ops)
			ops.Ops[0].Data = mustMarshal(t, &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: n}})
			if err := light.VerifyAbsence(m.headers[2], "mq", n.Key, mustMarshal(t, &ops)); !errors.Is(err, light.ErrProof) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestProofProperty checks random stores, and the SDK's own proof runtime as oracle.
func TestProofProperty(t *testing.T) {
	runtime := rootmulti.DefaultProofRuntime()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMultistore(t, "s", "t")
		m.set("t", "x", "y")
		n := rapid.IntRange(0, 40).Draw(rt, "keys")
		for range n {
			m.set("s", fmt.Sprint(rapid.IntRange(0, 60).Draw(rt, "key")), fmt.Sprint(rapid.Uint8().Draw(rt, "value")))
		}
		h := m.commit()
		key := fmt.Sprint(rapid.IntRange(0, 60).Draw(rt, "asked"))
		value, proof := m.query("s", key, 1)
		var ops cmtcrypto.ProofOps
		mustUnmarshal(t, proof, &ops)
		path := fmt.Sprintf("/s/%s", key)
		if value != nil {
			if err := light.VerifyMembership(h, "s", []byte(key), value, proof); err != nil {
				rt.Fatal(err)
			}
			if err := runtime.VerifyValue(&ops, h.AppHash[:], path, value); err != nil {
				rt.Fatalf("oracle: %v", err)
			}
			return
		}
		if err := light.VerifyAbsence(h, "s", []byte(key), proof); err != nil {
			rt.Fatal(err)
		}
		if err := runtime.VerifyAbsence(&ops, h.AppHash[:], path); err != nil && n > 0 {
			rt.Fatalf("oracle: %v", err)
		}
	})
}

// TestProofMutations damages true proofs: they must be refused, or say the same as before.
func TestProofMutations(t *testing.T) {
	m := fixture(t)
	h := m.headers[2]
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom([]string{"a", "d", "e", "zz"}).Draw(rt, "key")
		value, proof := m.query("mq", key, 2)
		for range rapid.IntRange(1, 3).Draw(rt, "changes") {
			proof[rapid.IntRange(0, len(proof)-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		}
		if light.VerifyMembership(h, "mq", []byte(key), []byte("false"), proof) == nil {
			rt.Fatal("a false value was believed")
		}
		if value != nil && light.VerifyAbsence(h, "mq", []byte(key), proof) == nil {
			rt.Fatal("a false absence was believed")
		}
	})
}

// TestGeneratedState holds the generator of proofs against the verifier and the SDK's proof runtime.
func TestGeneratedState(t *testing.T) {
	runtime := rootmulti.DefaultProofRuntime()
	rapid.Check(t, func(rt *rapid.T) {
		content := map[string]map[string][]byte{"empty": {}}
		for _, store := range []string{"a", "mq", "registry", "z"}[:rapid.IntRange(0, 4).Draw(rt, "stores")] {
			content[store] = map[string][]byte{}
			for range rapid.IntRange(1, 20).Draw(rt, "keys") {
				content[store][fmt.Sprint(rapid.IntRange(0, 60).Draw(rt, "key"))] = []byte{rapid.Byte().Draw(rt, "value")}
			}
		}
		s := lighttest.NewState(content)
		h := light.Header{Height: 2, AppHash: s.AppHash()}
		for store, pairs := range content {
			key := fmt.Sprint(rapid.IntRange(0, 60).Draw(rt, "asked"))
			value, proof := s.Prove(store, key)
			var ops cmtcrypto.ProofOps
			mustUnmarshal(t, proof, &ops)
			if !bytes.Equal(value, pairs[key]) {
				rt.Fatalf("value %x, not %x", value, pairs[key])
			}
			if value == nil {
				if err := light.VerifyAbsence(h, store, []byte(key), proof); err != nil {
					rt.Fatal(err)
				}
				continue
			}
			if err := light.VerifyMembership(h, store, []byte(key), value, proof); err != nil {
				rt.Fatal(err)
			}
			if err := runtime.VerifyValue(&ops, h.AppHash[:], "/"+store+"/"+key, value); err != nil {
				rt.Fatalf("oracle: %v", err)
			}
		}
	})
}

// TestStoreBoundary has a store whose name ends like an encoded name of another; its root must not pass for the other's
// by taking the beginning of the name into the leaf's prefix.
func TestStoreBoundary(t *testing.T) {
	s := lighttest.NewState(map[string]map[string][]byte{"A\x02mq": {"k": []byte("evil")}, "mq": {"k": []byte("good")}})
	h := light.Header{Height: 2, AppHash: s.AppHash()}
	value, proof := s.Prove("A\x02mq", "k")
	if err := light.VerifyMembership(h, "A\x02mq", []byte("k"), value, proof); err != nil {
		t.Fatal(err)
	}
	var ops cmtcrypto.ProofOps
	mustUnmarshal(t, proof, &ops)
	p := new(ics23.CommitmentProof)
	mustUnmarshal(t, ops.Ops[1].Data, p)
	p.GetExist().Key = []byte("mq")
	p.GetExist().Leaf.Prefix = []byte{0, 4, 'A'}
	if root, err := p.Calculate(); err != nil || !bytes.Equal(root, h.AppHash[:]) {
		t.Fatalf("the attack is not built right: %x, %v", root, err)
	}
	ops.Ops[1].Key = []byte("mq")
	ops.Ops[1].Data = mustMarshal(t, p)
	if err := light.VerifyMembership(h, "mq", []byte("k"), value, mustMarshal(t, &ops)); !errors.Is(err, light.ErrProof) {
		t.Errorf("got %v", err)
	}
}
