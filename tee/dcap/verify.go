package dcap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phalanx-network/phalanx/tee"
)

// Options say what [Verify] trusts and asks.
type Options struct {
	// Roots are the authorities that are trusted. Nil stands for [IntelRoot]; an empty list trusts none.
	Roots []*x509.Certificate
	// Now is the time at which everything must be valid. There is no default: the zero time is before all of it.
	Now time.Time
	// MinEvaluation is the least TCB evaluation number of TCB info and QE identity. With it a caller keeps a platform's
	// owner from showing older collateral that is still valid.
	MinEvaluation uint32
}

// Verify checks a quote with its collateral, in the steps that the package comment lists. It returns what the quote
// says, or an error that wraps one [Refusal]. It depends on its arguments alone and keeps none of them.
func Verify(data []byte, c *Collateral, o Options) (*Result, error) {
	if c == nil {
		return nil, refuse(ErrFormat, "no collateral")
	}
	q, err := parseQuote(data)
	if err != nil {
		return nil, err
	}
	j := &judge{roots: o.Roots, now: o.Now}
	if o.Roots == nil {
		j.roots = []*x509.Certificate{IntelRoot()}
	}
	chain, err := j.pckChain(q.chain)
	if err != nil {
		return nil, err
	}
	lists, err := j.revocation(chain, c)
	if err != nil {
		return nil, err
	}
	info, identity, err := j.documents(c, lists)
	if err != nil {
		return nil, err
	}
	qe, err := q.verifySignatures(chain.pck)
	if err != nil {
		return nil, err
	}
	machine, err := parsePlatform(chain.pck)
	if err != nil {
		return nil, err
	}
	if err := checkCollateralFits(q.kind, machine, info, identity, o.MinEvaluation); err != nil {
		return nil, err
	}
	r := &Result{
		FMSPC: machine.fmspc, PCEID: machine.pceID, ProcessorCA: chain.ca.Subject.CommonName == nameProcessorCA,
		TCBEvaluation: info.evaluation, QEEvaluation: identity.evaluation,
	}
	r.setBody(q)
	if err := r.judgeTCB(machine, info, identity, qe); err != nil {
		return nil, err
	}
	r.Expires = j.expires
	return r, nil
}

// lists are the root's revocation list and the root that it is of.
type lists struct {
	root    *x509.Certificate
	rootCRL *x509.RevocationList
}

// revocation checks both lists and that no certificate of the PCK chain is on them.
func (j *judge) revocation(chain *pckChain, c *Collateral) (*lists, error) {
	rootCRL, err := j.revocationList("root CRL", c.RootCRL, chain.root)
	if err != nil {
		return nil, err
	}
	if err := checkRevoked(rootCRL, chain.ca); err != nil {
		return nil, err
	}
	der, root, err := j.pair("PCK CRL", c.PCKCRLChain)
	if err != nil {
		return nil, err
	}
	issuer, err := j.authority(der, root)
	if err != nil {
		return nil, err
	}
	// The authority's certificate may have been issued anew since the platform got its own; name and key stay.
	if !bytes.Equal(issuer.RawSubject, chain.ca.RawSubject) ||
		!bytes.Equal(issuer.RawSubjectPublicKeyInfo, chain.ca.RawSubjectPublicKeyInfo) || root != chain.root {
		return nil, refuse(ErrCRL, "PCK CRL is of another authority than the PCK certificate")
	}
	if err := checkRevoked(rootCRL, issuer); err != nil {
		return nil, err
	}
	pckCRL, err := j.revocationList("PCK CRL", c.PCKCRL, issuer)
	if err != nil {
		return nil, err
	}
	return &lists{chain.root, rootCRL}, checkRevoked(pckCRL, chain.pck)
}

// documents checks TCB info and QE identity up to the root, and reads them.
func (j *judge) documents(c *Collateral, l *lists) (*tcbInfo, *qeIdentity, error) {
	if err := j.document("TCB info", c.TCBInfoChain, c.TCBInfo, &c.TCBInfoSignature, l); err != nil {
		return nil, nil, err
	}
	info, err := parseTCBInfo(c.TCBInfo)
	if err != nil {
		return nil, nil, err
	}
	if err := j.within("TCB info", info.issued, info.next); err != nil {
		return nil, nil, err
	}
	if err := j.document("QE identity", c.QEIdentityChain, c.QEIdentity, &c.QEIdentitySignature, l); err != nil {
		return nil, nil, err
	}
	identity, err := parseQEIdentity(c.QEIdentity)
	if err != nil {
		return nil, nil, err
	}
	return info, identity, j.within("QE identity", identity.issued, identity.next)
}

// document checks that Intel's TCB signing key signed the bytes.
func (j *judge) document(what string, chain, data []byte, sig *[64]byte, l *lists) error {
	der, root, err := j.pair(what, chain)
	if err != nil {
		return err
	}
	if root != l.root {
		return refuse(ErrChain, "%s lies under another root than the quote", what)
	}
	signer, err := j.leaf(der, root, nameTCBSigning)
	if err != nil {
		return err
	}
	if err := checkRevoked(l.rootCRL, signer); err != nil {
		return err
	}
	key, ok := signer.PublicKey.(*ecdsa.PublicKey)
	if !ok || !verifyRaw(key, data, sig[:]) {
		return refuse(ErrSignature, "signature on %s is wrong", what)
	}
	return nil
}

// verifySignatures checks the way from the PCK through the quoting enclave to the quote. It returns the QE's report.
func (q *quote) verifySignatures(pck *x509.Certificate) (*EnclaveReport, error) {
	key, ok := pck.PublicKey.(*ecdsa.PublicKey)
	if !ok || !verifyRaw(key, q.qeReport, q.qeSignature) {
		return nil, refuse(ErrSignature, "signature on the QE report is wrong")
	}
	qe := parseEnclaveReport(q.qeReport)
	h := sha256.New()
	h.Write(q.key)
	h.Write(q.qeAuth)
	var want [64]byte
	h.Sum(want[:0])
	if qe.ReportData != want {
		return nil, refuse(ErrSignature, "QE report names another attestation key")
	}
	attestation, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, q.key...))
	if err != nil {
		return nil, refuse(ErrSignature, "attestation key is no point of P-256")
	}
	if !verifyRaw(attestation, q.signed, q.signature) {
		return nil, refuse(ErrSignature, "signature on the quote is wrong")
	}
	return qe, nil
}

// verifyRaw checks a signature r ‖ s of 64 bytes over SHA-256 of message.
func verifyRaw(key *ecdsa.PublicKey, message, sig []byte) bool {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, n := range [][]byte{sig[:32], sig[32:]} {
			addUnsigned(b, n)
		}
	})
	der, err := b.Bytes()
	digest := sha256.Sum256(message)
	return err == nil && ecdsa.VerifyASN1(key, digest[:], der)
}

// addUnsigned adds a big-endian number as an ASN.1 INTEGER.
func addUnsigned(b *cryptobyte.Builder, n []byte) {
	for len(n) > 1 && n[0] == 0 {
		n = n[1:]
	}
	b.AddASN1(asn1.INTEGER, func(b *cryptobyte.Builder) {
		if n[0] >= 0x80 {
			b.AddUint8(0)
		}
		b.AddBytes(n)
	})
}

// documentIDs are the identifiers of TCB info and QE identity for a kind.
var documentIDs = map[tee.Kind][2]string{tee.KindSGX: {"SGX", "QE"}, tee.KindTDX: {"TDX", "TD_QE"}}

// checkCollateralFits checks that genuine collateral is for this platform, and recent enough.
func checkCollateralFits(kind tee.Kind, p *platform, t *tcbInfo, q *qeIdentity, least uint32) error {
	if ids := documentIDs[kind]; t.id != ids[0] || q.id != ids[1] {
		return refuse(ErrMismatch, "collateral is for another technology than %s", kind)
	}
	if t.fmspc != p.fmspc {
		return refuse(ErrFMSPC, "TCB info is for %x, the platform is %x", t.fmspc, p.fmspc)
	}
	if t.pceID != p.pceID {
		return refuse(ErrPCEID, "TCB info is for %x, the platform has %x", t.pceID, p.pceID)
	}
	if t.evaluation < least || q.evaluation < least {
		return refuse(ErrEvaluation, "TCB info %d, QE identity %d, at least %d is asked", t.evaluation, q.evaluation, least)
	}
	return nil
}

// judgeTCB finds the level of each part and combines them.
func (r *Result) judgeTCB(p *platform, t *tcbInfo, identity *qeIdentity, report *EnclaveReport) error {
	qe, err := identity.level(report)
	if err != nil {
		return err
	}
	var module *isvLevel
	if r.TD != nil {
		if module, err = t.moduleLevel(r.TD); err != nil {
			return err
		}
	}
	level, sgx, err := t.platformLevel(p, r.TD)
	if err != nil {
		return err
	}
	r.setStatus(level, module, qe)
	if r.TD != nil {
		r.RelaunchAdvised = t.relaunchAdvised(r.TD, level, sgx, module, qe)
	}
	return nil
}
