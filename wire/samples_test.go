package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Fixed keys and hashes; the secrets are the SHA-256 hashes of their names.
func mini(name string) []byte {
	h := sha256.Sum256([]byte(name))
	return h[:]
}

func signer(t testing.TB, name string) *sr25519.PrivateKey {
	t.Helper()
	k, err := sr25519.FromMiniSecret(mini(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ecdhKey(t testing.TB, name string) ecdh.PublicKey {
	t.Helper()
	k, err := ecdh.FromMiniSecret(mini(name))
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

func element(t testing.TB, name string) group.Element {
	t.Helper()
	e, err := group.HashToGroup([]byte("test"), []byte(name))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func hash(name string) wire.Hash { return sha256.Sum256([]byte(name)) }

func amount(v uint64) uint128.Uint128 { return uint128.New(v, 1) }

// sampleOf is one record of each kind: name, a filled value, and an empty one to decode into.
type sampleOf struct {
	name   string
	filled scale.Record
	empty  func() scale.Record
}

func into[T any, P interface {
	*T
	scale.Record
}]() func() scale.Record {
	return func() scale.Record { return P(new(T)) }
}

func invocation(t testing.TB, kind wire.Kind) *wire.Invocation {
	inv := &wire.Invocation{
		From:      wire.Sr25519Identity(signer(t, "alice").Public()),
		Payload:   wire.Payload{To: wire.ContractID(hash("contract")), Input: []byte{0xde, 0xad, 0xbe, 0xef}},
		Nonce:     12345,
		Value:     amount(7),
		GasLimit:  1 << 30,
		Kind:      kind,
		MinHeight: 3,
		NotAfter:  100,
		ReplyTo:   ecdhKey(t, "reply"),
	}
	for i := range inv.Sig.Bytes {
		inv.Sig.Bytes[i] = byte(i)
	}
	return inv
}

func samples(t testing.TB) []sampleOf {
	alice, worker := signer(t, "alice").Public(), signer(t, "worker").Public()
	edPublic := ed25519.NewKeyFromSeed(mini("bob")).Public().(ed25519.PublicKey)
	bob, err := wire.Ed25519Identity(edPublic)
	if err != nil {
		t.Fatal(err)
	}
	key := ecdhKey(t, "worker ecdh")
	account := wire.Account(mini("account")[:20])
	incarnation := wire.Incarnation(mini("incarnation")[:16])
	cluster := wire.ClusterID(hash("cluster"))
	members := []wire.Member{{Identity: worker, SinceEpoch: 1}, {Identity: alice}}
	upload := wire.Kind{Action: wire.ActionUpload, Part: 1, Of: 3, CodeHash: wire.CodeHash(hash("code"))}
	instantiate := wire.Kind{Action: wire.ActionInstantiate, CodeHash: wire.CodeHash(hash("code")), Salt: hash("salt")}
	withdraw := wire.Kind{Action: wire.ActionWithdraw, Account: account, Amount: amount(9)}
	outcome := wire.Outcome{
		Status: wire.StatusReverted, GasUsed: 77, Output: []byte{1}, Fault: "reverted",
		Events: []wire.Event{{Contract: wire.ContractID(hash("contract")), Topics: [][]byte{mini("topic")}, Data: []byte{2, 3}}},
	}
	receipt := wire.Receipt{Invocation: hash("inv"), Cluster: cluster, Index: 5, Height: 6, Outcome: outcome}
	finalized := wire.Finalized{
		Mark: 2, Count: 9, KeyEpoch: 1, StateRoot: hash("state"), ReceiptsRoot: hash("receipts"), Height: 40, Reports: 2, Members: 3,
	}
	checkpoint := wire.Checkpoint{
		Cluster: cluster, Mark: 2, Count: 9, KeyEpoch: 1, StateRoot: hash("state"), ReceiptsRoot: hash("receipts"),
		Withdrawals: []wire.Withdrawal{{Number: 4, Account: account, Amount: amount(1)}},
	}
	fixed := wire.KeyFixed{Epoch: 1, Key: key}
	handover := wire.HandoverRequest{
		Version: 1, UID: wire.ChainUID(hash("chain")), Identity: worker, OneTime: key, HeaderHeight: 8, HeaderHash: hash("header"),
		Operator: account, Software: "0.2.0",
	}
	list := []sampleOf{
		{"identity ed25519", &bob, into[wire.Identity]()},
		{"invocation command", invocation(t, wire.Kind{Action: wire.ActionCommand}), into[wire.Invocation]()},
		{"invocation query", invocation(t, wire.Kind{Action: wire.ActionQuery}), into[wire.Invocation]()},
		{"invocation upload", invocation(t, upload), into[wire.Invocation]()},
		{"invocation instantiate", invocation(t, instantiate), into[wire.Invocation]()},
		{"invocation withdraw", invocation(t, withdraw), into[wire.Invocation]()},
		{"worker life", &wire.WorkerLife{Identity: worker, Incarnation: incarnation}, into[wire.WorkerLife]()},
		{"registration", &wire.Registration{
			Version: 1, Identity: worker, Ecdh: key, UID: wire.ChainUID(hash("chain")), Incarnation: incarnation,
			HeaderHeight: 8, HeaderHash: hash("header"), Operator: account, Software: "0.1.0", Features: 1,
		}, into[wire.Registration]()},
		{"worker state", &wire.WorkerState{
			Identity: worker, Ecdh: wire.EcdhEpoch{Key: key, Epoch: 2, Since: 7}, PreviousEcdh: &wire.EcdhEpoch{Key: ecdhKey(t, "old"), Epoch: 1},
			Info:     wire.WorkerInfo{Endpoints: []string{"http://127.0.0.1:1"}, PeerURLs: []string{"http://127.0.0.1:2"}, Software: "0.1.0"},
			Operator: account, Incarnation: incarnation, EvidenceKind: 0, Confidence: 0, Measurement: mini("measurement"),
			AttestedAt: 10, AttestedTime: 11, HeaderHeight: 9, Status: wire.WorkerSuspended, Clusters: []wire.ClusterID{cluster},
		}, into[wire.WorkerState]()},
		{"gatekeepers", &wire.Gatekeepers{Since: 3, Members: []sr25519.PublicKey{worker, alice}}, into[wire.Gatekeepers]()},
		{"network params", &wire.NetworkParams{
			RegistrationExpiry: 1, RotationInterval: 2, RotationGrace: 3, MarkInterval: 4, BodyRetention: 5, GasPrice: 6, Simulated: true, Delay: 7,
		}, into[wire.NetworkParams]()},
		{"message", &wire.Message{
			Height: 4, Time: 5, Sender: wire.Sender{Variant: wire.SenderAccount, Account: account},
			Topic: wire.ClusterTopic(cluster), Payload: []byte{1, 2},
		}, into[wire.Message]()},
		{"message of enclave", &wire.Message{
			Sender: wire.Sender{Variant: wire.SenderEnclave, Enclave: worker}, Topic: wire.EntityTopic(alice),
		}, into[wire.Message]()},
		{"message to gatekeepers", &wire.Message{Topic: wire.GatekeepersTopic()}, into[wire.Message]()},
		{"head", &wire.Head{Count: 3, Hash: hash("head")}, into[wire.Head]()},
		{"sequence", &wire.Sequence{Incarnation: incarnation, Next: 4}, into[wire.Sequence]()},
		{"master key", &wire.MasterKeyRecord{
			Epoch: 1, Sharing: 2, Threshold: 1, Key: element(t, "master"), Holders: []sr25519.PublicKey{worker}, Since: 5,
		}, into[wire.MasterKeyRecord]()},
		{"cluster", &wire.Cluster{
			ID: cluster, Creator: account, CreatedAt: 4, Members: members, KeyEpoch: 2, Fixed: &wire.FixedKey{KeyFixed: fixed, Height: 5},
			Marks: 2, Finalized: &finalized, NextPaid: 1, Escrow: amount(3),
		}, into[wire.Cluster]()},
		{"cluster new", &wire.Cluster{ID: cluster}, into[wire.Cluster]()},
		{"finalized", &finalized, into[wire.Finalized]()},
		{"contract record", &wire.ContractRecord{Cluster: cluster, CodeHash: wire.CodeHash(hash("code")), Index: 1, Height: 2}, into[wire.ContractRecord]()},
		{"receipt", &receipt, into[wire.Receipt]()},
		{"salted receipt", &wire.SaltedReceipt{Salt: hash("salt"), Receipt: receipt}, into[wire.SaltedReceipt]()},
		{"query reply", &wire.QueryReply{
			Invocation: hash("inv"), Count: 1, StateRoot: hash("state"), Height: 2, BlockHash: hash("block"), BlockTime: 3,
			Outcome: outcome, Debug: []byte("debug"),
		}, into[wire.QueryReply]()},
		{"state request", &wire.SignedStateRequest{Request: wire.StateRequest{
			Cluster: cluster, Identity: worker, Incarnation: incarnation, From: alice, OneTime: key, Height: 3,
		}}, into[wire.SignedStateRequest]()},
		{"state offer", &wire.SignedStateOffer{Offer: wire.StateOffer{
			Request: hash("request"), Cluster: cluster, Identity: alice, OneTime: key, Mark: 1, Count: 2, StateRoot: hash("state"), Chunks: 3,
		}}, into[wire.SignedStateOffer]()},
		{"state chunk", &wire.StateChunk{Request: hash("request"), Index: 1, Data: []byte{9}}, into[wire.StateChunk]()},
		{"log request", &wire.LogRequest{Contract: wire.ContractID(hash("contract")), Since: 7}, into[wire.LogRequest]()},
		{"log reply", &wire.LogReply{
			First: 5, Next: 9, Entries: []wire.LogEntry{{Sequence: 5, Envelope: []byte{1, 2, 3}}, {Sequence: 8, Envelope: []byte{4}}},
		}, into[wire.LogReply]()},
		{"log batch", &wire.LogBatch{
			Contract: wire.ContractID(hash("contract")), Sequence: 8, Invocation: hash("inv"), Command: true, Height: 6, Time: 7,
			Lines: []wire.LogLine{{Level: wire.LogInfo, Text: "größer"}, {Level: 200}}, Dropped: 2,
		}, into[wire.LogBatch]()},
		{"log batch of a query", &wire.LogBatch{}, into[wire.LogBatch]()},
		{"handover request", &handover, into[wire.HandoverRequest]()},
		{"handover offer", &wire.SignedHandoverOffer{
			Offer: wire.HandoverOffer{
				Identity: worker, Request: hash("request"), OneTime: ecdhKey(t, "sender"), Envelope: hash("envelope"), Program: hash("program"),
				Height: 9,
			},
			Request: handover, Envelope: []byte{1, 2},
		}, into[wire.SignedHandoverOffer]()},
		{"program", &wire.ProgramRecord{
			Kind: 2, Registers: []wire.ProgramRegister{{Name: "mrtd", Value: mini("mrtd")}, {Name: "rtmr0", Value: []byte{1}}}, Decided: 8, Since: 9,
		}, into[wire.ProgramRecord]()},
		{"granted keys", &wire.GrantedKeys{Keys: []wire.GrantedKey{{Epoch: 1, Key: hash("key")}}}, into[wire.GrantedKeys]()},
	}
	bodies := []wire.Body{
		{Kind: wire.BodyCommand, Command: &wire.Command{GasLog2: 30, Envelope: []byte{1}}},
		{Kind: wire.BodyDeposit, Deposit: &wire.Deposit{Depositor: account, Amount: amount(1), Beneficiary: []byte{1}}},
		{Kind: wire.BodyMembers, Members: &wire.Members{Members: members}},
		{Kind: wire.BodyKeyEpoch, KeyEpoch: &wire.KeyEpoch{Epoch: 1}},
		{Kind: wire.BodyKeyFixed, KeyFixed: &fixed},
		{Kind: wire.BodyMark, Mark: &wire.Mark{Number: 1}},
		{Kind: wire.BodyPaid, Paid: &wire.Paid{Number: 1}},
		{Kind: wire.BodyParams, Params: &wire.ClusterParams{ExecutionVersion: 1}},
		{Kind: wire.BodyKeyRequest, KeyRequest: &wire.KeyRequest{Cluster: cluster, First: 1, Last: 2, OneTime: key}},
		{Kind: wire.BodyKeyGrant, KeyGrant: &wire.KeyGrant{Cluster: cluster, Request: hash("request"), Envelope: []byte{1}}},
		{Kind: wire.BodyHandover, Handover: &wire.Handover{
			Request: handover, Kind: 3, Measurement: mini("measurement"), Confidence: 1, Program: hash("program"),
		}},
	}
	for i := range bodies {
		list = append(list, sampleOf{fmt.Sprintf("body %d", i), &bodies[i], into[wire.Body]()})
	}
	acts := []wire.Act{
		{Kind: wire.ActPost, Post: &wire.Post{Topic: wire.GatekeepersTopic(), Payload: []byte{1}}},
		{Kind: wire.ActRotateEcdh, RotateEcdh: &wire.RotateEcdh{Key: key, Epoch: 1}},
		{Kind: wire.ActMasterKey, MasterKey: &wire.MasterKeyReport{Epoch: 1, Key: element(t, "master")}},
		{Kind: wire.ActKeyReport, KeyReport: &wire.KeyReport{Cluster: cluster, Epoch: 1, Key: key}},
		{Kind: wire.ActContract, Contract: &wire.ContractReport{Cluster: cluster, Contract: wire.ContractID(hash("contract")), Index: 1}},
		{Kind: wire.ActCheckpoint, Checkpoint: &checkpoint},
	}
	for i := range acts {
		m := wire.SignedMessage{Message: wire.EnclaveMessage{Identity: worker, Incarnation: incarnation, Sequence: uint64(i), Act: acts[i]}}
		list = append(list, sampleOf{"signed message " + string(rune('0'+i)), &m, into[wire.SignedMessage]()})
	}
	return list
}

func TestDecodeThenEncode(t *testing.T) {
	for _, s := range samples(t) {
		raw, err := scale.Marshal(s.filled)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		r := s.empty()
		if err := scale.Unmarshal(raw, r); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		again, err := scale.Marshal(r)
		if err != nil || !bytes.Equal(raw, again) {
			t.Errorf("%s: decoding then encoding gives other bytes: %v", s.name, err)
		}
		if scale.Unmarshal(append(bytes.Clone(raw), 0), s.empty()) == nil {
			t.Errorf("%s: a trailing byte is accepted", s.name)
		}
		for n := range raw {
			if scale.Unmarshal(raw[:n], s.empty()) == nil {
				t.Errorf("%s: the first %d of %d bytes are accepted", s.name, n, len(raw))
			}
		}
	}
}

// decodesBack is the property of every decoder: what it accepts, it writes again byte for byte.
func decodesBack(t *testing.T, raw []byte, r scale.Record) {
	t.Helper()
	if scale.Unmarshal(raw, r) != nil {
		return
	}
	again, err := scale.Marshal(r)
	if err != nil {
		t.Fatalf("decoded but does not encode: %v", err)
	}
	if !bytes.Equal(raw, again) {
		t.Fatalf("decoding then encoding gives\n%x, not\n%x", again, raw)
	}
}

// fuzz seeds a target with the samples whose decoder it is.
func fuzz[T any, P interface {
	*T
	scale.Record
}](f *testing.F) {
	f.Helper()
	for _, s := range samples(f) {
		if _, ok := s.empty().(P); ok {
			f.Add(scale.MustMarshal(s.filled))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) { decodesBack(t, raw, P(new(T))) })
}

func FuzzIdentity(f *testing.F)           { fuzz[wire.Identity](f) }
func FuzzInvocation(f *testing.F)         { fuzz[wire.Invocation](f) }
func FuzzRegistration(f *testing.F)       { fuzz[wire.Registration](f) }
func FuzzWorkerState(f *testing.F)        { fuzz[wire.WorkerState](f) }
func FuzzGatekeepers(f *testing.F)        { fuzz[wire.Gatekeepers](f) }
func FuzzNetworkParams(f *testing.F)      { fuzz[wire.NetworkParams](f) }
func FuzzMessage(f *testing.F)            { fuzz[wire.Message](f) }
func FuzzBody(f *testing.F)               { fuzz[wire.Body](f) }
func FuzzSignedMessage(f *testing.F)      { fuzz[wire.SignedMessage](f) }
func FuzzMasterKeyRecord(f *testing.F)    { fuzz[wire.MasterKeyRecord](f) }
func FuzzCluster(f *testing.F)            { fuzz[wire.Cluster](f) }
func FuzzContractRecord(f *testing.F)     { fuzz[wire.ContractRecord](f) }
func FuzzReceipt(f *testing.F)            { fuzz[wire.Receipt](f) }
func FuzzSaltedReceipt(f *testing.F)      { fuzz[wire.SaltedReceipt](f) }
func FuzzQueryReply(f *testing.F)         { fuzz[wire.QueryReply](f) }
func FuzzSignedStateRequest(f *testing.F) { fuzz[wire.SignedStateRequest](f) }
func FuzzSignedStateOffer(f *testing.F)   { fuzz[wire.SignedStateOffer](f) }
func FuzzHandoverRequest(f *testing.F)    { fuzz[wire.HandoverRequest](f) }
func FuzzSignedHandover(f *testing.F)     { fuzz[wire.SignedHandoverOffer](f) }
func FuzzProgramRecord(f *testing.F)      { fuzz[wire.ProgramRecord](f) }
func FuzzStateChunk(f *testing.F)         { fuzz[wire.StateChunk](f) }
func FuzzGrantedKeys(f *testing.F)        { fuzz[wire.GrantedKeys](f) }
func FuzzLogRequest(f *testing.F)         { fuzz[wire.LogRequest](f) }
func FuzzLogReply(f *testing.F)           { fuzz[wire.LogReply](f) }
func FuzzLogBatch(f *testing.F)           { fuzz[wire.LogBatch](f) }
func FuzzHead(f *testing.F)               { fuzz[wire.Head](f) }
func FuzzSequence(f *testing.F)           { fuzz[wire.Sequence](f) }
func FuzzFinalized(f *testing.F)          { fuzz[wire.Finalized](f) }
