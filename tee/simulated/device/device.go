// Package device is the simulated platform's machine: an [tee.Attester] and a [tee.Sealer] whose "hardware" is a secret
// file in a directory. It gives no confidentiality; a program that links it must show simulated.Banner.
//
// [Open] takes the directory as the machine: the first call manufactures it, writing a random machine secret, and later
// calls are the same machine again. From that secret come, by HKDF-SHA256, the attestation key that the simulated root
// certifies, and for each measurement a sealing key. So a sealed file that is copied to another directory, or read by a
// program with another measurement, does not open, as on hardware.
package device

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

// SecretFile is the name of the machine secret in the machine's directory.
const SecretFile = "simulated-machine.secret"

const secretSize = 32

// ErrMachine says that the machine's secret file is not one. The file is left as it is.
var ErrMachine = errors.New("device: machine secret file is damaged")

// Options are what hardware would know by itself.
type Options struct {
	Measurement [32]byte         // of the calling program; see simulated.Measurement
	Rand        io.Reader        // for the machine secret and for sealing; crypto/rand.Reader outside tests
	Now         func() time.Time // the platform's clock
	Debug       bool             // reports say that the host may look inside
	TCBStatus   tee.TCBStatus    // reports carry it
	// RootSeed is the ed25519 seed of the root that certifies the machine; nil is simulated.RootSeed.
	RootSeed *[32]byte
}

// Device is one program on one simulated machine. It is safe for concurrent use if Rand and Now are.
type Device struct {
	_       [0]func() // a device holds secrets: it is not comparable
	machine *secret
	cert    []byte
	o       Options
}

var (
	_ tee.Attester = (*Device)(nil)
	_ tee.Sealer   = (*Device)(nil)
)

// Open takes dir, which must exist, as the machine, and manufactures it if it is none yet.
func Open(dir string, o Options) (*Device, error) {
	if o.Rand == nil || o.Now == nil {
		return nil, errors.New("device: options lack randomness or a clock")
	}
	if o.TCBStatus > tee.TCBRevoked {
		return nil, fmt.Errorf("device: unknown TCB status %d", o.TCBStatus)
	}
	machine, err := loadSecret(filepath.Join(dir, SecretFile), o.Rand)
	if err != nil {
		return nil, err
	}
	d := &Device{machine: machine, o: o}
	key, err := d.attestationKey()
	if err != nil {
		return nil, err
	}
	seed := simulated.RootSeed()
	if o.RootSeed != nil {
		seed = *o.RootSeed
	}
	cert := simulated.Certificate{Machine: [32]byte(key.Public().(ed25519.PublicKey))}
	cert.Signature = [64]byte(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), cert.SignedText()))
	d.cert = scale.MustMarshal(&cert)
	return d, nil
}

// Kind returns tee.KindSimulated.
func (d *Device) Kind() tee.Kind { return tee.KindSimulated }

// Attest signs a report that carries reportData and the clock's time.
func (d *Device) Attest(ctx context.Context, reportData [tee.ReportDataSize]byte) (tee.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return tee.Evidence{}, err
	}
	key, err := d.attestationKey()
	if err != nil {
		return tee.Evidence{}, err
	}
	now := d.o.Now().Unix()
	if now <= 0 {
		return tee.Evidence{}, errors.New("device: the clock stands before 1970")
	}
	report := simulated.Report{
		Machine:     [32]byte(key.Public().(ed25519.PublicKey)),
		Measurement: d.o.Measurement,
		ReportData:  reportData,
		IssuedAt:    uint64(now),
		Debug:       d.o.Debug,
		TCBStatus:   d.o.TCBStatus,
	}
	report.Signature = [64]byte(ed25519.Sign(key, report.SignedText()))
	return tee.Evidence{Kind: tee.KindSimulated, Data: scale.MustMarshal(&report), Collateral: d.cert}, nil
}

func (d *Device) attestationKey() (ed25519.PrivateKey, error) {
	seed, err := hkdf.Key(sha256.New, d.machine.b[:], nil, "phalanx simulated attestation key v1", ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("device: derive attestation key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// secret is the machine's. It prints as nothing and marshals as an error.
type secret struct{ b [secretSize]byte }

// String hides the secret.
func (*secret) String() string { return "[secret]" }

// GoString hides the secret.
func (*secret) GoString() string { return "[secret]" }

// Format hides the secret from every verb.
func (*secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// Format hides the device's secret from every verb.
func (d Device) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[simulated device]") }

// loadSecret reads the machine's secret, or makes it. A file that exists is never replaced: the new one appears under
// its name by link(2), which fails if another process was first, and then that one's counts.
func loadSecret(path string, rand io.Reader) (*secret, error) {
	for range 2 {
		s, err := readSecret(path)
		if !errors.Is(err, os.ErrNotExist) {
			return s, err
		}
		if err := createSecret(path, rand); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	return readSecret(path)
}

func readSecret(path string) (*secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("device: open machine secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, secretSize+1))
	if err != nil {
		return nil, fmt.Errorf("device: read machine secret: %w", err)
	}
	if len(b) != secretSize {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrMachine, len(b), secretSize)
	}
	return &secret{b: [secretSize]byte(b)}, nil
}

func createSecret(path string, rand io.Reader) error {
	var s secret
	if _, err := io.ReadFull(rand, s.b[:]); err != nil {
		return fmt.Errorf("device: randomness: %w", err)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, SecretFile+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("device: create machine secret: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(s.b[:])
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("device: write machine secret: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		return fmt.Errorf("device: place machine secret: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("device: open machine directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
