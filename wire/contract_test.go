package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// TestContractIDs holds the ids of contracts to fixed values, computed apart from the formula in docs/spec/invocation.md.
// DO NOT CHANGE: contracts have these ids.
func TestContractIDs(t *testing.T) {
	cluster, contract, code := wire.ClusterID(hash("cluster")), wire.ContractID(hash("contract")), wire.CodeHash(hash("code"))
	child := func(input, salt []byte) wire.ContractID {
		return wire.NewChildContractID(cluster, contract, code, input, salt)
	}
	alice := wire.Sr25519Identity(signer(t, "alice").Public())
	for want, got := range map[string]wire.ContractID{
		"0x94dd775968c5a26051473751dcf8e85c038692226015d2c10591c182361d87c6": wire.NewContractID(cluster, alice, code, hash("salt")),
		"0xf13cb2cb2fa43e0e682a78228c715984296fddc55a389db0850566ef039af90a": child(nil, nil),
		"0x9cd37014b4b0878acb891f403624b4f542a4beae7314e52df6aee6da68ad1c0d": child([]byte{0xde, 0xad}, []byte("salt")),
		"0xacf1684669fba523770550225f91fd6f9c97b9cd39ec69ed9d90c07c3d2d9e24": child(make([]byte, 300), nil),
	} {
		if got.String() != want {
			t.Errorf("id is %s, want %s", got, want)
		}
	}
}

// TestContractIDsApart: whatever differs in how a contract is made gives another id, also where input and salt are the
// same bytes together, or where a client and a contract have the same 32 bytes.
func TestContractIDsApart(t *testing.T) {
	seen := map[wire.ContractID]string{}
	add := func(what string, id wire.ContractID) {
		if other, ok := seen[id]; ok {
			t.Errorf("%s has the id of %s", what, other)
		}
		seen[id] = what
	}
	identity := signer(t, "alice").Public()
	base := struct {
		cluster, deployer, code wire.Hash
		input, salt             []byte
	}{hash("cluster"), identity.Array(), hash("code"), []byte("ab"), []byte("c")}
	id := func() wire.ContractID {
		return wire.NewChildContractID(wire.ClusterID(base.cluster), wire.ContractID(base.deployer), wire.CodeHash(base.code), base.input, base.salt)
	}
	add("the first", id())
	base.input, base.salt = []byte("a"), []byte("bc")
	add("a longer salt", id())
	base.input, base.salt = nil, []byte("abc")
	add("no input", id())
	base.input, base.salt = []byte("abc"), nil
	add("no salt", id())
	base.code[0] ^= 1
	add("other code", id())
	base.deployer[0] ^= 1
	add("another deployer", id())
	base.cluster[0] ^= 1
	add("another cluster", id())
	add("a client's", wire.NewContractID(wire.ClusterID(hash("cluster")), wire.Sr25519Identity(identity), wire.CodeHash(hash("code")), [32]byte{}))
}

// TestLogRequestTag: what is no request for logs is none, whatever follows.
func TestLogRequestTag(t *testing.T) {
	raw := scale.MustMarshal(&wire.LogRequest{Contract: wire.ContractID{1}, Since: 2})
	if !strings.HasPrefix(string(raw), wire.LogRequestTag) || len(raw) != len(wire.LogRequestTag)+32+8 {
		t.Fatalf("request is %q", raw)
	}
	for i := range wire.LogRequestTag {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		if err := scale.Unmarshal(bad, new(wire.LogRequest)); !errors.Is(err, wire.ErrLogRequest) {
			t.Errorf("byte %d of the tag changed: %v", i, err)
		}
	}
}

// TestLogBounds: every bound is held when reading, before anything is reserved, and when writing.
func TestLogBounds(t *testing.T) {
	lines := func(n int) []wire.LogLine { return make([]wire.LogLine, n) }
	for what, r := range map[string]scale.Record{
		"lines":     &wire.LogBatch{Lines: lines(wire.MaxLogLines + 1)},
		"text":      &wire.LogBatch{Lines: []wire.LogLine{{Text: strings.Repeat("x", wire.MaxLogLine+1)}}},
		"no text":   &wire.LogBatch{Lines: []wire.LogLine{{Text: "\xff"}}},
		"entries":   &wire.LogReply{Entries: make([]wire.LogEntry, wire.MaxLogEntries+1)},
		"envelopes": &wire.LogReply{Entries: []wire.LogEntry{{Envelope: make([]byte, 2*wire.MaxLogBytes+1)}}},
	} {
		if _, err := scale.Marshal(r); err == nil {
			t.Errorf("too much: %s", what)
		}
	}
	most := wire.LogBatch{Lines: lines(wire.MaxLogLines)}
	if _, err := scale.Marshal(&most); err != nil {
		t.Error(err)
	}
	text := append(scale.MustMarshal(&wire.LogBatch{})[:32+8+32+1+8+8], 4, 3, 4, 0xff, 0, 0, 0, 0)
	if err := scale.Unmarshal(text, new(wire.LogBatch)); err == nil {
		t.Error("a line that is not UTF-8 is read")
	}
}
