package crypto_test

// DO NOT CHANGE the files of testdata that this test compares, nor make it write them anew: what they hold is in sealed
// files, in the chain's state and in other languages' implementations. A derivation that must change gets a new label
// or version, and a new file beside the old one.

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/hierarchy"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

var create = flag.Bool("create", false, "write vector files that do not exist; one that exists is never written")

const frozen = "DO NOT CHANGE: frozen outputs of the product's own derivations."

// hexBytes is a byte string in JSON.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// must returns v: an error here is a broken derivation, and the test's stack says where.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// counting returns n bytes first, first+1, ….
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func id(first byte) [32]byte { return [32]byte(counting(first, 32)) }

func TestFrozenVectors(t *testing.T) {
	for name, compute := range map[string]func() any{
		"keys.json":      keyVectors,
		"ecdh.json":      ecdhVectors,
		"commkey.json":   commkeyVectors,
		"envelope.json":  envelopeVectors,
		"hierarchy.json": hierarchyVectors,
		"group.json":     groupVectors,
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetIndent("", "  ")
			if err := enc.Encode(compute()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name)
			want, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) && *create {
				want, err = got.Bytes(), os.WriteFile(path, got.Bytes(), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s is frozen, and the code now gives\n%s", path, got.Bytes())
			}
		})
	}
}

type keyVector struct {
	MiniSecret hexBytes `json:"mini_secret"`
	Public     hexBytes `json:"public"`
	Message    hexBytes `json:"message"`
	Entropy    hexBytes `json:"entropy"`
	Signature  hexBytes `json:"signature"`
}

func keyVectors() any {
	var out []keyVector
	for i, msg := range []string{"", "phalanx", "a longer message that has more than one block of the transcript's sponge: " +
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz"} {
		mini, entropy := counting(byte(1+i), 32), counting(byte(0x80+i), 32)
		k := must(sr25519.FromMiniSecret(mini))
		sig := must(k.Sign(bytes.NewReader(entropy), []byte(msg)))
		out = append(out, keyVector{mini, k.Public().Bytes(), []byte(msg), entropy, sig[:]})
	}
	return map[string]any{"note": frozen + " sr25519: ExpandEd25519, context \"substrate\"; entropy is the 32 bytes of " +
		"randomness of the transcript's witness.", "vectors": out}
}

func pairs() (a, b *ecdh.PrivateKey) {
	return must(ecdh.FromMiniSecret(counting(0x01, 32))), must(ecdh.FromMiniSecret(counting(0x41, 32)))
}

type end struct {
	MiniSecret hexBytes `json:"mini_secret"`
	Public     hexBytes `json:"public"`
}

func endOf(k *ecdh.PrivateKey) end { return end{k.ExposeMiniSecret(), k.Public().Bytes()} }

func ecdhVectors() any {
	a, b := pairs()
	return map[string]any{"note": frozen, "a": endOf(a), "b": endOf(b), "a_is_smaller": a.Public().Less(b.Public()),
		"shared": hexBytes(must(a.Shared(b.Public())))}
}

type commkeyVector struct {
	Purpose   uint8  `json:"purpose"`
	From      string `json:"from"`
	Direction int    `json:"direction"`
	Epoch     uint32 `json:"epoch"`
	// Tag is AES-256-GCM under the CommKey, with a zero IV, of nothing: the package never gives out the key itself.
	Tag hexBytes `json:"aes_gcm_tag_of_nothing"`
}

func commkeyVectors() any {
	a, b := pairs()
	var out []commkeyVector
	for p := range commkey.Purpose(commkey.Purposes) {
		for _, from := range []string{"a", "b"} {
			own, peer := a, b
			if from == "b" {
				own, peer = b, a
			}
			for _, epoch := range []uint32{0, 1, commkey.MaxEpoch} {
				direction := 0
				if peer.Public().Less(own.Public()) {
					direction = 1
				}
				key := must(commkey.Send(own, peer.Public(), p, epoch))
				tag := must(key.AEAD()).Seal(nil, make([]byte, 12), nil, nil)
				out = append(out, commkeyVector{uint8(p), from, direction, epoch, tag})
			}
		}
	}
	return map[string]any{"note": frozen + " The CommKey is shown by the tag of AES-256-GCM over an empty text with a " +
		"zero IV and no associated data.", "a": endOf(a), "b": endOf(b), "vectors": out}
}

type envelopeVector struct {
	ChainUID  hexBytes `json:"chain_uid"`
	Sender    hexBytes `json:"sender_mini_secret"`
	Recipient hexBytes `json:"recipient_mini_secret"`
	Purpose   uint8    `json:"purpose"`
	Epoch     uint32   `json:"epoch"`
	IV        hexBytes `json:"iv"`
	Plaintext hexBytes `json:"plaintext"`
	Envelope  hexBytes `json:"envelope"`
}

func envelopeVectors() any {
	a, b := pairs()
	var out []envelopeVector
	for i, n := range []int{0, 7, 252, 253} {
		uid, iv, plaintext := id(byte(0xa0+i)), counting(byte(0x30+i), 12), counting(byte(i), n)
		from, to, p, epoch := a, b, commkey.Purpose(i), uint32(i*1000)
		if i%2 == 1 {
			from, to = b, a
		}
		e := must(envelope.Seal(bytes.NewReader(iv), uid, from, to.Public(), epoch, p, plaintext))
		if got := must(e.Open(uid, to)); !bytes.Equal(got, plaintext) {
			panic("the envelope opens to another plaintext")
		}
		out = append(out, envelopeVector{uid[:], from.ExposeMiniSecret(), to.ExposeMiniSecret(), uint8(p), epoch, iv,
			plaintext, e.Marshal()})
	}
	return map[string]any{"note": frozen, "vectors": out}
}

func hierarchyVectors() any {
	scalar := counting(0x01, 32)
	scalar[31] = 0x0f
	master := must(hierarchy.ParseMasterKey(scalar))
	var clusters []any
	for i, epoch := range []uint32{0, 1, 0x01020304} {
		cluster, contract, hash := id(byte(0x10+i)), id(byte(0x50+i)), id(byte(0x90+i))
		element := must(hierarchy.Evaluate(must(group.ParseScalar(scalar)), cluster, epoch))
		k := must(master.ClusterKey(cluster, epoch))
		pair := must(k.EcdhKey())
		ck := k.ContractKey(contract)
		seed, secret, salt := ck.Seed(hash), ck.Secret(hash), k.ReceiptSalt(uint64(epoch)+1)
		clusters = append(clusters, map[string]any{
			"cluster": hexBytes(cluster[:]), "key_epoch": epoch,
			"element": hexBytes(element.Bytes()), "cluster_key": hexBytes(k.ExposeBytes()), "ecdh": endOf(pair),
			"state_key": hexBytes(k.StateKey()), "root_key": hexBytes(k.RootKey()),
			"file_id": hexBytes(hash[:]), "file_key": hexBytes(must(hierarchy.FileKey(k.StateKey(), hash))),
			"receipt_count": uint64(epoch) + 1, "receipt_salt": hexBytes(salt[:]),
			"contract": hexBytes(contract[:]), "message_hash": hexBytes(hash[:]), "contract_seed": hexBytes(seed[:]),
			"contract_secret":         hexBytes(secret[:]),
			"contract_signing_public": hexBytes(must(ck.SigningKey()).Public().Bytes()),
		})
	}
	return map[string]any{"note": frozen, "master_key": hexBytes(scalar), "master_public": hexBytes(master.Public().Bytes()),
		"clusters": clusters}
}

func groupVectors() any {
	var out []any
	for i, msg := range []string{"", "abc", "phalanx"} {
		dst := []byte("phalanx cluster v1")
		if i == 2 {
			dst = []byte("QUUX-V01-CS02-with-ristretto255_XMD:SHA-512_R255MAP_RO_")
		}
		e := must(group.HashToGroup(dst, []byte(msg)))
		out = append(out, map[string]any{"dst": hexBytes(dst), "message": hexBytes(msg), "element": hexBytes(e.Bytes())})
	}
	return map[string]any{"note": frozen + " ristretto255_XMD:SHA-512_R255MAP_RO_ of RFC 9380.", "vectors": out}
}
