package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	stdecdh "crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"errors"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

var errWrong = errors.New("wrong result")

// cryptoRows compares the primitives with the standard library's on the curve's other form, and the envelope with the
// ECDH and the AES-GCM pass that it cannot do without.
func cryptoRows(ctx context.Context, b *bench) error {
	text := make([]byte, 256)
	key, err := sr25519.Generate(rand.Reader)
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	sig, err := key.Sign(rand.Reader, text)
	if err != nil {
		return err
	}
	peer := ed25519.Sign(private, text)
	d, err := medians(ctx, b.samples(2000),
		step{"sign", func(int) error { _, err := key.Sign(rand.Reader, text); return err }},
		step{"ed25519 sign", func(int) error { ed25519.Sign(private, text); return nil }},
		step{"verify", func(int) error { return sr25519.Verify(key.Public(), text, sig) }},
		step{"ed25519 verify", func(int) error { return holds(ed25519.Verify(public, text, peer)) }},
	)
	if err != nil {
		return err
	}
	b.add("sign", micros(d[0]), "µs", micros(d[1]))
	b.add("verify", micros(d[2]), "µs", micros(d[3]))
	return envelopeRows(ctx, b)
}

func envelopeRows(ctx context.Context, b *bench) error {
	own, err := ecdh.Generate(rand.Reader)
	if err != nil {
		return err
	}
	to, err := ecdh.Generate(rand.Reader)
	if err != nil {
		return err
	}
	x, err := stdecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	y, err := stdecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	uid, plain := [32]byte{1}, make([]byte, 400)
	sealed, err := envelope.Seal(rand.Reader, uid, own, to.Public(), 0, commkey.OnChain, plain)
	if err != nil {
		return err
	}
	d, err := medians(ctx, b.samples(2000),
		step{"ecdh", func(int) error { _, err := to.Shared(own.Public()); return err }},
		step{"x25519", func(int) error { _, err := x.ECDH(y.PublicKey()); return err }},
		step{"aes-gcm", func(int) error { return pass(len(sealed.Data)) }},
		step{"seal", func(int) error {
			_, err := envelope.Seal(rand.Reader, uid, own, to.Public(), 0, commkey.OnChain, plain)
			return err
		}},
		step{"open", func(int) error { _, err := sealed.Open(uid, to); return err }},
	)
	if err != nil {
		return err
	}
	b.add("ecdh", micros(d[0]), "µs", micros(d[1]))
	b.add("envelope_seal", micros(d[3]), "µs", micros(sum(d[0], d[2])))
	b.add("envelope_open", micros(d[4]), "µs", micros(sum(d[0], d[2])))
	return nil
}

// pass is one AES-256-GCM pass over size bytes under a new key, as every envelope has.
func pass(size int) error {
	var key [32]byte
	var iv [12]byte
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	return holds(len(aead.Seal(nil, iv[:], make([]byte, size), nil)) == size+aead.Overhead())
}

// holds makes an error of what must be true.
func holds(ok bool) error {
	if !ok {
		return errWrong
	}
	return nil
}
