package dcap_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// refusedCase is evidence in which one thing is wrong. Either function may be nil; forms without names means all.
type refusedCase struct {
	name  string
	want  dcap.Refusal
	world func(*dcaptest.World)
	after func(*dcaptest.Evidence)
	only  tee.Kind // 0 (simulated) for both
}

const day = 24 * time.Hour

// certificate changes the certificate of one role.
func certificate(role dcaptest.Role, edit func(w *dcaptest.World, c *x509.Certificate)) func(*dcaptest.World) {
	return func(w *dcaptest.World) {
		w.Certificate = func(r dcaptest.Role, c *x509.Certificate) {
			if r == role {
				edit(w, c)
			}
		}
	}
}

func list(role dcaptest.Role, edit func(w *dcaptest.World, l *x509.RevocationList)) func(*dcaptest.World) {
	return func(w *dcaptest.World) {
		w.List = func(r dcaptest.Role, l *x509.RevocationList) {
			if r == role {
				edit(w, l)
			}
		}
	}
}

func revoke(roles ...dcaptest.Role) func(*dcaptest.World) {
	return func(w *dcaptest.World) { w.Revoked = roles }
}

func ended(w *dcaptest.World, c *x509.Certificate)    { c.NotAfter = w.Now.Add(-time.Second) }
func notBegun(w *dcaptest.World, c *x509.Certificate) { c.NotBefore = w.Now.Add(time.Second) }

func listEnded(w *dcaptest.World, l *x509.RevocationList)    { l.NextUpdate = w.Now.Add(-time.Second) }
func listNotBegun(w *dcaptest.World, l *x509.RevocationList) { l.ThisUpdate = w.Now.Add(time.Second) }

var critical = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}

var certificateCases = []refusedCase{
	{"root ended", dcap.ErrExpired, certificate(dcaptest.Root, ended), nil, 0},
	{"root not begun", dcap.ErrNotYetValid, certificate(dcaptest.Root, notBegun), nil, 0},
	{"PCK CA ended", dcap.ErrExpired, certificate(dcaptest.PlatformCA, ended), nil, 0},
	{"PCK CA not begun", dcap.ErrNotYetValid, certificate(dcaptest.PlatformCA, notBegun), nil, 0},
	{"PCK ended", dcap.ErrExpired, certificate(dcaptest.PCK, ended), nil, 0},
	{"PCK not begun", dcap.ErrNotYetValid, certificate(dcaptest.PCK, notBegun), nil, 0},
	{"TCB signing ended", dcap.ErrExpired, certificate(dcaptest.TCBSigning, ended), nil, 0},
	{"TCB signing not begun", dcap.ErrNotYetValid, certificate(dcaptest.TCBSigning, notBegun), nil, 0},

	{"PCK revoked", dcap.ErrRevoked, revoke(dcaptest.PCK), nil, 0},
	{"PCK CA revoked", dcap.ErrRevoked, revoke(dcaptest.PlatformCA), nil, 0},
	{"TCB signing revoked", dcap.ErrRevoked, revoke(dcaptest.TCBSigning), nil, 0},
	{"PCK of the Processor CA revoked", dcap.ErrRevoked, func(w *dcaptest.World) {
		w.Processor, w.Revoked = true, []dcaptest.Role{dcaptest.PCK}
	}, nil, 0},

	{"root is no authority", dcap.ErrChain, certificate(dcaptest.Root, func(_ *dcaptest.World, c *x509.Certificate) {
		c.IsCA, c.MaxPathLen = false, 0
	}), nil, 0},
	{"root allows no authority below", dcap.ErrChain, certificate(dcaptest.Root, func(_ *dcaptest.World, c *x509.Certificate) {
		c.MaxPathLen, c.MaxPathLenZero = 0, true
	}), nil, 0},
	{"PCK CA may not sign certificates", dcap.ErrChain, certificate(dcaptest.PlatformCA, func(_ *dcaptest.World, c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageCRLSign
	}), nil, 0},
	{"PCK CA is no authority", dcap.ErrChain, certificate(dcaptest.PlatformCA, func(_ *dcaptest.World, c *x509.Certificate) {
		c.IsCA, c.MaxPathLenZero = false, false
	}), nil, 0},
	{"PCK is an authority", dcap.ErrChain, certificate(dcaptest.PCK, func(_ *dcaptest.World, c *x509.Certificate) {
		c.IsCA = true
	}), nil, 0},
	{"PCK may not sign data", dcap.ErrChain, certificate(dcaptest.PCK, func(_ *dcaptest.World, c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageKeyAgreement
	}), nil, 0},
	{"PCK has an unknown critical extension", dcap.ErrChain, certificate(dcaptest.PCK, func(_ *dcaptest.World, c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, critical)
	}), nil, 0},
	{"PCK has another name", dcap.ErrChain, certificate(dcaptest.PCK, func(_ *dcaptest.World, c *x509.Certificate) {
		c.Subject.CommonName = "Intel SGX TCB Signing"
	}), nil, 0},
	{"TCB signing has another name", dcap.ErrChain, certificate(dcaptest.TCBSigning, func(_ *dcaptest.World, c *x509.Certificate) {
		c.Subject.CommonName = "Intel SGX PCK Certificate"
	}), nil, 0},
	{"PCK without the SGX extension", dcap.ErrFormat, certificate(dcaptest.PCK, func(_ *dcaptest.World, c *x509.Certificate) {
		c.ExtraExtensions = nil
	}), nil, 0},
	{"PCK with a broken SGX extension", dcap.ErrFormat, certificate(dcaptest.PCK, func(_ *dcaptest.World, c *x509.Certificate) {
		c.ExtraExtensions[0].Value = c.ExtraExtensions[0].Value[:40]
	}), nil, 0},

	{"root CRL ended", dcap.ErrExpired, list(dcaptest.Root, listEnded), nil, 0},
	{"root CRL not begun", dcap.ErrNotYetValid, list(dcaptest.Root, listNotBegun), nil, 0},
	{"PCK CRL ended", dcap.ErrExpired, list(dcaptest.PlatformCA, listEnded), nil, 0},
	{"PCK CRL not begun", dcap.ErrNotYetValid, list(dcaptest.PlatformCA, listNotBegun), nil, 0},
	{"PCK CRL speaks of some certificates only", dcap.ErrCRL, list(dcaptest.PlatformCA, func(_ *dcaptest.World, l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}}
	}), nil, 0},
	{"PCK CRL is a delta", dcap.ErrCRL, list(dcaptest.PlatformCA, func(_ *dcaptest.World, l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
	}), nil, 0},
	{"root CRL in place of the PCK CRL", dcap.ErrCRL, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.PCKCRL = ev.Collateral.RootCRL
	}, 0},
	{"PCK CRL in place of the root CRL", dcap.ErrCRL, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.RootCRL = ev.Collateral.PCKCRL
	}, 0},
	{"PCK CRL damaged", dcap.ErrCRL, nil, func(ev *dcaptest.Evidence) { ev.Collateral.PCKCRL[len(ev.Collateral.PCKCRL)-1] ^= 1 }, 0},
	{"root CRL damaged", dcap.ErrCRL, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.RootCRL[len(ev.Collateral.RootCRL)-1] ^= 1
	}, 0},
	{"PCK CRL followed by a byte", dcap.ErrFormat, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.PCKCRL = append(ev.Collateral.PCKCRL, 0)
	}, 0},
	{"no PCK CRL", dcap.ErrFormat, nil, func(ev *dcaptest.Evidence) { ev.Collateral.PCKCRL = nil }, 0},
	{"TCB signing chain in place of the PCK CRL's", dcap.ErrChain, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.PCKCRLChain = ev.Collateral.TCBInfoChain
	}, 0},
	{"PCK CRL's chain in place of the TCB info's", dcap.ErrChain, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.TCBInfoChain = ev.Collateral.PCKCRLChain
	}, 0},
	{"chain with a line more", dcap.ErrFormat, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.QEIdentityChain = append(ev.Collateral.QEIdentityChain, '\n')
	}, 0},
	{"no root is trusted", dcap.ErrChain, nil, func(ev *dcaptest.Evidence) { ev.Roots = []*x509.Certificate{} }, 0},
	{"Intel's root alone is trusted", dcap.ErrChain, nil, func(ev *dcaptest.Evidence) { ev.Roots = nil }, 0},
	{"root of the same name and another key", dcap.ErrChain, nil, func(ev *dcaptest.Evidence) {
		ev.Roots = []*x509.Certificate{dcap.IntelRoot()}
	}, 0},
}

var documentCases = []refusedCase{
	{"TCB info ended", dcap.ErrExpired, func(w *dcaptest.World) { w.TCBInfo.NextUpdate = w.Now.Add(-time.Second) }, nil, 0},
	{"TCB info not begun", dcap.ErrNotYetValid, func(w *dcaptest.World) { w.TCBInfo.IssueDate = w.Now.Add(time.Second) }, nil, 0},
	{"QE identity ended", dcap.ErrExpired, func(w *dcaptest.World) { w.QEIdentity.NextUpdate = w.Now.Add(-time.Second) }, nil, 0},
	{"QE identity not begun", dcap.ErrNotYetValid, func(w *dcaptest.World) { w.QEIdentity.IssueDate = w.Now.Add(time.Second) }, nil, 0},
	{"TCB info signature", dcap.ErrSignature, nil, func(ev *dcaptest.Evidence) { ev.Collateral.TCBInfoSignature[9] ^= 1 }, 0},
	{"TCB info signature is zero", dcap.ErrSignature, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.TCBInfoSignature = [64]byte{}
	}, 0},
	{"QE identity signature", dcap.ErrSignature, nil, func(ev *dcaptest.Evidence) { ev.Collateral.QEIdentitySignature[40] ^= 1 }, 0},
	{"TCB info spelled otherwise", dcap.ErrSignature, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.TCBInfo = append(ev.Collateral.TCBInfo, ' ')
	}, 0},
	{"documents exchanged", dcap.ErrFormat, nil, func(ev *dcaptest.Evidence) {
		c := ev.Collateral
		c.TCBInfo, c.QEIdentity = c.QEIdentity, c.TCBInfo
		c.TCBInfoSignature, c.QEIdentitySignature = c.QEIdentitySignature, c.TCBInfoSignature
	}, 0},
	{"TCB info of version 2", dcap.ErrFormat, func(w *dcaptest.World) { w.TCBInfo.Version = 2 }, nil, 0},
	{"TCB info of another type", dcap.ErrFormat, func(w *dcaptest.World) { w.TCBInfo.TCBType = 1 }, nil, 0},
	{"QE identity of version 1", dcap.ErrFormat, func(w *dcaptest.World) { w.QEIdentity.Version = 1 }, nil, 0},
	{"unknown status", dcap.ErrFormat, func(w *dcaptest.World) { w.TCBInfo.Levels[0].Status = "Fine" }, nil, 0},
	{"fifteen components", dcap.ErrFormat, func(w *dcaptest.World) {
		w.TCBInfo.Levels[0].TCB.SGX = w.TCBInfo.Levels[0].TCB.SGX[1:]
	}, nil, 0},
	{"TCB info for the other technology", dcap.ErrMismatch, func(w *dcaptest.World) { w.TCBInfo.ID = "SGY" }, nil, 0},
	{"QE identity of the QVE", dcap.ErrMismatch, func(w *dcaptest.World) { w.QEIdentity.ID = "QVE" }, nil, 0},
	{"SGX documents for a TD", dcap.ErrMismatch, func(w *dcaptest.World) { w.TCBInfo.ID, w.QEIdentity.ID = "SGX", "QE" }, nil, tee.KindTDX},
	{"another FMSPC", dcap.ErrFMSPC, func(w *dcaptest.World) { w.TCBInfo.FMSPC = "00A06D08CC11" }, nil, 0},
	{"another PCEID", dcap.ErrPCEID, func(w *dcaptest.World) { w.TCBInfo.PCEID = "0001" }, nil, 0},
	{"TCB info of an older evaluation", dcap.ErrEvaluation, func(w *dcaptest.World) { w.TCBInfo.Evaluation = 17 }, nil, 0},
	{"QE identity of an older evaluation", dcap.ErrEvaluation, func(w *dcaptest.World) { w.QEIdentity.Evaluation = 17 }, nil, 0},

	{"QE of another signer", dcap.ErrQE, func(w *dcaptest.World) { w.QE.MRSIGNER[31] ^= 1 }, nil, 0},
	{"QE under a debugger", dcap.ErrQE, func(w *dcaptest.World) { w.QE.Attributes[0] |= 2 }, nil, 0},
	{"QE with another MISCSELECT", dcap.ErrQE, func(w *dcaptest.World) { w.QE.MiscSelect = 1 }, nil, 0},
	{"another product of the QE's signer", dcap.ErrQE, func(w *dcaptest.World) { w.QE.ISVProdID = 9 }, nil, 0},
	{"QE below every level", dcap.ErrTCB, func(w *dcaptest.World) { w.QE.ISVSVN = 3 }, nil, 0},
	{"QE with a platform's status", dcap.ErrFormat, func(w *dcaptest.World) { w.QEIdentity.Levels[0].Status = "SWHardeningNeeded" }, nil, 0},
	{"platform below every level", dcap.ErrTCB, func(w *dcaptest.World) { w.Components[3]-- }, nil, 0},
	{"PCE below every level", dcap.ErrTCB, func(w *dcaptest.World) { w.PCESVN = 4 }, nil, 0},
	{"no level at all", dcap.ErrTCB, func(w *dcaptest.World) { w.TCBInfo.Levels = []dcaptest.PlatformLevel{} }, nil, 0},

	{"TDX module of another signer", dcap.ErrModule, func(w *dcaptest.World) { w.TD.MRSIGNERSEAM[0] = 1 }, nil, tee.KindTDX},
	{"TDX module with attributes", dcap.ErrModule, func(w *dcaptest.World) { w.TD.SEAMAttributes[0] = 1 }, nil, tee.KindTDX},
	{"TDX module of an unknown version", dcap.ErrModule, func(w *dcaptest.World) { w.TD.TEETCBSVN[1] = 7 }, nil, tee.KindTDX},
	{"TDX module below every level", dcap.ErrTCB, func(w *dcaptest.World) { w.TD.TEETCBSVN[0] = 0 }, nil, tee.KindTDX},
	{"no identity of module version 0", dcap.ErrModule, func(w *dcaptest.World) {
		w.TD.TEETCBSVN[1], w.TCBInfo.Module = 0, nil
	}, nil, tee.KindTDX},
	{"TEE TCB below every level", dcap.ErrTCB, func(w *dcaptest.World) { w.TD.TEETCBSVN[2] = 3 }, nil, tee.KindTDX},
	{"level without TDX components", dcap.ErrFormat, func(w *dcaptest.World) { w.TCBInfo.Levels[0].TCB.TDX = nil }, nil, tee.KindTDX},
}

func TestRefused(t *testing.T) {
	for _, f := range forms {
		if f.processor {
			continue
		}
		for _, c := range append(append([]refusedCase{}, certificateCases...), documentCases...) {
			if c.only != 0 && c.only != f.kind {
				continue
			}
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				w := f.world()
				if c.world != nil {
					c.world(w)
				}
				ev := build(t, w)
				if c.after != nil {
					c.after(ev)
				}
				expectRefused(t, w, ev, c.want)
			})
		}
	}
}

func expectRefused(t *testing.T, w *dcaptest.World, ev *dcaptest.Evidence, want dcap.Refusal) {
	t.Helper()
	r, err := verify(t, w, ev)
	if r != nil || !errors.Is(err, want) || dcap.Reason(err) != string(want) {
		t.Fatalf("%+v, %v; want %q", r, err, want)
	}
}

func TestTrailing(t *testing.T) {
	for _, f := range forms {
		for _, zeros := range []int{0, 1, 4096} {
			w := f.world()
			w.Padding = zeros
			ev := build(t, w)
			ev.Quote = append(ev.Quote, 1)
			expectRefused(t, w, ev, dcap.ErrTrailing)
			ev.Quote = append(ev.Quote, make([]byte, 32)...)
			expectRefused(t, w, ev, dcap.ErrTrailing)
		}
	}
}

func TestBounds(t *testing.T) {
	w := dcaptest.New(tee.KindSGX, 3)
	ev := build(t, w)
	w.Padding = tee.MaxData - len(ev.Quote)
	if _, err := verify(t, w, build(t, w)); err != nil {
		t.Errorf("quote of the greatest size: %v", err)
	}
	w.Padding++
	expectRefused(t, w, build(t, w), dcap.ErrFormat)
	if _, err := dcap.ParseCollateral(make([]byte, tee.MaxCollateral+1)); !errors.Is(err, dcap.ErrFormat) {
		t.Errorf("collateral over its bound: %v", err)
	}
	if _, err := dcap.Verify(ev.Quote, nil, dcap.Options{}); !errors.Is(err, dcap.ErrFormat) {
		t.Errorf("no collateral: %v", err)
	}
}

// TestOtherCA shows a quote under the Platform CA with the Processor CA's list, on which its certificate cannot be.
func TestOtherCA(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	ev := build(t, w)
	w.Processor = true
	other := build(t, w)
	ev.Collateral.PCKCRL, ev.Collateral.PCKCRLChain = other.Collateral.PCKCRL, other.Collateral.PCKCRLChain
	expectRefused(t, w, ev, dcap.ErrCRL)
}

// TestOtherRoot mixes evidence of two PKIs, both trusted.
func TestOtherRoot(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	ev := build(t, w)
	w.Seed = "another"
	other := build(t, w)
	roots := append(append([]*x509.Certificate{}, ev.Roots...), other.Roots...)
	swaps := []struct {
		name string
		swap func(c, o *dcap.Collateral)
		want dcap.Refusal
	}{
		{"root CRL", func(c, o *dcap.Collateral) { c.RootCRL = o.RootCRL }, dcap.ErrCRL},
		{"PCK CRL", func(c, o *dcap.Collateral) { c.PCKCRL = o.PCKCRL }, dcap.ErrCRL},
		{"PCK CRL and chain", func(c, o *dcap.Collateral) { c.PCKCRL, c.PCKCRLChain = o.PCKCRL, o.PCKCRLChain }, dcap.ErrCRL},
		{"TCB info", func(c, o *dcap.Collateral) {
			c.TCBInfo, c.TCBInfoSignature, c.TCBInfoChain = o.TCBInfo, o.TCBInfoSignature, o.TCBInfoChain
		}, dcap.ErrChain},
		{"QE identity", func(c, o *dcap.Collateral) {
			c.QEIdentity, c.QEIdentitySignature, c.QEIdentityChain = o.QEIdentity, o.QEIdentitySignature, o.QEIdentityChain
		}, dcap.ErrChain},
	}
	for _, s := range swaps {
		t.Run(s.name, func(t *testing.T) {
			mixed := *ev.Collateral
			s.swap(&mixed, other.Collateral)
			expectRefused(t, w, &dcaptest.Evidence{Quote: ev.Quote, Collateral: &mixed, Roots: roots}, s.want)
		})
	}
	for _, whole := range []*dcaptest.Evidence{ev, other} {
		if _, err := verify(t, w, &dcaptest.Evidence{Quote: whole.Quote, Collateral: whole.Collateral, Roots: roots}); err != nil {
			t.Error(err)
		}
	}
}

// TestRenewedRoot takes a root that was issued anew with the same key, and refuses a damaged one.
func TestRenewedRoot(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	old := build(t, w).Roots
	w.Certificate = func(r dcaptest.Role, c *x509.Certificate) {
		if r == dcaptest.Root {
			c.NotAfter = w.Now.Add(900 * day)
		}
	}
	ev := build(t, w)
	if old[0].Equal(ev.Roots[0]) {
		t.Fatal("the root is the same")
	}
	ev.Roots = old
	if _, err := verify(t, w, ev); err != nil {
		t.Error(err)
	}
	ended := *old[0]
	ended.NotAfter = w.Now.Add(-day)
	ev.Roots = []*x509.Certificate{&ended}
	expectRefused(t, w, ev, dcap.ErrExpired)
}

// TestRootOfAnotherCurve trusts a root whose key is not on P-256.
func TestRootOfAnotherCurve(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := dcaptest.New(tee.KindSGX, 3)
	ev := build(t, w)
	ev.Roots[0].PublicKey = key.Public()
	expectRefused(t, w, ev, dcap.ErrChain)
}

// TestIntelRoot pins the embedded root by a second way: its name, key and dates.
func TestIntelRoot(t *testing.T) {
	root := dcap.IntelRoot()
	if err := root.CheckSignature(root.SignatureAlgorithm, root.RawTBSCertificate, root.Signature); err != nil {
		t.Error(err)
	}
	if sum := sha256.Sum256(root.Raw); hex.EncodeToString(sum[:]) != dcap.IntelRootSHA256 {
		t.Errorf("root %x", sum)
	}
	if root.Subject.CommonName != "Intel SGX Root CA" || root.NotAfter.Year() != 2049 {
		t.Errorf("%s until %s", root.Subject, root.NotAfter)
	}
}

// TestRenewedAuthority takes the list of a PCK CA whose certificate was issued anew with the same key after the platform
// got its own, and refuses one whose new certificate was taken back.
func TestRenewedAuthority(t *testing.T) {
	old := build(t, dcaptest.New(tee.KindTDX, 4))
	w := dcaptest.New(tee.KindTDX, 4)
	renewed := big.NewInt(4711)
	w.Certificate = func(r dcaptest.Role, c *x509.Certificate) {
		if r == dcaptest.PlatformCA {
			c.SerialNumber = renewed
		}
	}
	ev := build(t, w)
	ev.Quote = old.Quote
	if _, err := verify(t, w, ev); err != nil {
		t.Error(err)
	}
	w.List = func(r dcaptest.Role, l *x509.RevocationList) {
		if r == dcaptest.Root {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: renewed, RevocationTime: l.ThisUpdate,
			})
		}
	}
	ev = build(t, w)
	ev.Quote = old.Quote
	expectRefused(t, w, ev, dcap.ErrRevoked)
}
