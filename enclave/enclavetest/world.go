package enclavetest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/hierarchy"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// blockMillis is the time between two blocks of a World.
const blockMillis = 1000

// startMillis is the time of a World's block 0.
const startMillis = 1_767_225_600_000

// World is a chain as one cluster sees it. Its fields may be changed between two calls; it is not safe for concurrent
// use.
type World struct {
	UID        wire.ChainUID
	Params     wire.NetworkParams
	Height     uint64 // of the newest block
	Cluster    wire.Cluster
	Gatekeeper sr25519.PublicKey
	Contracts  map[wire.ContractID]wire.ContractRecord
	Lives      map[sr25519.PublicKey]wire.WorkerState

	master   *hierarchy.MasterKey
	messages []wire.Message
	heads    []wire.Head // heads[i] is the head after i messages
}

// NewWorld returns a chain with a cluster that has no members, and whose topic holds its parameters.
func NewWorld() *World {
	var uid wire.ChainUID
	rand.Read(uid[:])
	return newWorld(uid)
}

func newWorld(uid wire.ChainUID) *World {
	master := Must(hierarchy.NewMasterKey(rand.Reader))
	w := &World{
		UID: uid,
		Params: wire.NetworkParams{
			RegistrationExpiry: 100_000, RotationInterval: 50_000, RotationGrace: 100, MarkInterval: 10,
			BodyRetention: 1000, Simulated: true,
		},
		Height:     1,
		Gatekeeper: Must(sr25519.Generate(rand.Reader)).Public(),
		Contracts:  map[wire.ContractID]wire.ContractRecord{},
		Lives:      map[sr25519.PublicKey]wire.WorkerState{},
		master:     master,
		heads:      []wire.Head{{}},
	}
	w.Cluster.ID = wire.NewClusterID(w.UID, wire.Account{1}, 0)
	w.Chain(wire.Body{Kind: wire.BodyParams, Params: &wire.ClusterParams{ExecutionVersion: 1}})
	return w
}

// Must returns v, or panics with the error.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Millis is the time of the newest block in Unix milliseconds.
func (w *World) Millis() uint64 { return startMillis + w.Height*blockMillis }

// Header is the newest block's.
func (w *World) Header() light.Header {
	return light.Header{
		Height: w.Height,
		Hash:   sha256.Sum256(binary.LittleEndian.AppendUint64(w.UID[:], w.Height)),
		Time:   time.UnixMilli(int64(w.Millis())).UTC(),
	}
}

// Count is how many messages the cluster's topic has.
func (w *World) Count() uint64 { return uint64(len(w.messages)) }

// Head is the topic's running head after n messages.
func (w *World) Head(n uint64) wire.Head { return w.heads[n] }

// Messages are the topic's from index from on.
func (w *World) Messages(from uint64) []wire.Message { return w.messages[from:] }

// Blocks lets n blocks pass.
func (w *World) Blocks(n uint64) { w.Height += n }

// Post appends a message to the topic and returns its index.
func (w *World) Post(sender wire.Sender, payload []byte) uint64 {
	m := wire.Message{
		Height: w.Height, Time: w.Millis(), Sender: sender, Topic: wire.ClusterTopic(w.Cluster.ID), Payload: payload,
	}
	head := w.heads[len(w.heads)-1].Next(Must(m.Digest()))
	w.messages = append(w.messages, m)
	w.heads = append(w.heads, head)
	return w.Count() - 1
}

// Account is a sender that anybody may be.
func Account(n byte) wire.Sender {
	return wire.Sender{Variant: wire.SenderAccount, Account: wire.Account{n}}
}

// Push appends what an account posts.
func (w *World) Push(b wire.Body) uint64 { return w.Post(Account(7), Must(scale.Marshal(&b))) }

// Chain appends what the chain itself says.
func (w *World) Chain(b wire.Body) uint64 {
	return w.Post(wire.Sender{Variant: wire.SenderChain}, Must(scale.Marshal(&b)))
}

// Key derives the cluster's key of an epoch, as the gatekeeper does.
func (w *World) Key(epoch uint32) *hierarchy.ClusterKey {
	return Must(w.master.ClusterKey(w.Cluster.ID, epoch))
}

// Public is the cluster's public key of an epoch.
func (w *World) Public(epoch uint32) ecdh.PublicKey { return Must(w.Key(epoch).EcdhKey()).Public() }

// Join makes a worker a member from a key epoch on and says so in the topic.
func (w *World) Join(pk sr25519.PublicKey, since uint32) {
	w.Cluster.Members = append(w.Cluster.Members, wire.Member{Identity: pk, SinceEpoch: since})
	w.Chain(wire.Body{Kind: wire.BodyMembers, Members: &wire.Members{Members: append([]wire.Member(nil), w.Cluster.Members...)}})
}

// BeginEpoch starts the key epoch after the newest.
func (w *World) BeginEpoch() uint32 {
	w.Cluster.KeyEpoch++
	w.Chain(wire.Body{Kind: wire.BodyKeyEpoch, KeyEpoch: &wire.KeyEpoch{Epoch: w.Cluster.KeyEpoch}})
	return w.Cluster.KeyEpoch
}

// Fix puts the cluster's key of the newest epoch in force.
func (w *World) Fix() {
	fixed := wire.KeyFixed{Epoch: w.Cluster.KeyEpoch, Key: w.Public(w.Cluster.KeyEpoch)}
	w.Cluster.Fixed = &wire.FixedKey{KeyFixed: fixed, Height: w.Height}
	w.Chain(wire.Body{Kind: wire.BodyKeyFixed, KeyFixed: &fixed})
}

// Mark appends a checkpoint mark and returns its number.
func (w *World) Mark() uint64 {
	w.Cluster.Marks++
	w.Chain(wire.Body{Kind: wire.BodyMark, Mark: &wire.Mark{Number: w.Cluster.Marks}})
	return w.Cluster.Marks
}

// Finalize believes a report, as the chain does when a quorum has made it.
func (w *World) Finalize(p wire.Checkpoint) {
	w.Cluster.Finalized = &wire.Finalized{
		Mark: p.Mark, Count: p.Count, KeyEpoch: p.KeyEpoch, StateRoot: p.StateRoot, ReceiptsRoot: p.ReceiptsRoot,
		Height: w.Height, Reports: uint16(len(w.Cluster.Members)), Members: uint16(len(w.Cluster.Members)),
	}
}

// Deposit funds an identity's balance in the cluster's ledger.
func (w *World) Deposit(to wire.Identity, amount uint64) uint64 {
	e := Must(envelope.Seal(rand.Reader, w.UID, Must(ecdh.Generate(rand.Reader)), w.Cluster.Fixed.Key, w.Cluster.Fixed.Epoch,
		commkey.OnChain, scale.MustMarshal(&to)))
	return w.Chain(wire.Body{Kind: wire.BodyDeposit, Deposit: &wire.Deposit{
		Depositor: wire.Account{9}, Amount: uint128.From64(amount), Beneficiary: e.Marshal(),
	}})
}

// record returns a record of the chain's state; nil where there is none.
func (w *World) record(k wire.RecordKey) []byte {
	switch k {
	case wire.KeyCluster(w.Cluster.ID):
		return Must(scale.Marshal(&w.Cluster))
	case wire.KeyHead(wire.ClusterTopic(w.Cluster.ID)):
		return Must(scale.Marshal(&w.heads[len(w.heads)-1]))
	case wire.KeyGatekeepers():
		return Must(scale.Marshal(&wire.Gatekeepers{Members: []sr25519.PublicKey{w.Gatekeeper}}))
	case wire.KeyNetworkParams():
		return Must(scale.Marshal(&w.Params))
	}
	for id, r := range w.Contracts {
		if k == wire.KeyContract(id) {
			return Must(scale.Marshal(&r))
		}
	}
	for pk, r := range w.Lives {
		if k == wire.KeyWorker(pk) {
			return Must(scale.Marshal(&r))
		}
	}
	return nil
}
