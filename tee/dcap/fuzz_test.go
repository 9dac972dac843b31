package dcap_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// FuzzQuote changes quotes beside sound collateral: refused with a reason, or nothing of what is said has changed.
func FuzzQuote(f *testing.F) {
	all := subjects(f)[:len(forms)]
	for i := range all {
		f.Add(byte(i), all[i].quote)
	}
	f.Fuzz(func(t *testing.T, which byte, quote []byte) {
		s := &all[int(which)%len(all)]
		r, err := s.verify(quote, s.collateral)
		s.check(t, r, err, "quote")
	})
}

// FuzzCollateral parses any bytes as collateral. What is taken survives its own JSON form.
func FuzzCollateral(f *testing.F) {
	for _, s := range subjects(f)[:1] {
		f.Add(s.collateral)
	}
	f.Add([]byte(`{"pck_crl":"MAA=","root_ca_crl":"3000","pck_crl_issuer_chain":"\u00e9\ud83d\ude00\n"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := dcap.ParseCollateral(text)
		if err != nil {
			if !errors.Is(err, dcap.ErrFormat) {
				t.Fatalf("reason of %v", err)
			}
			return
		}
		again, err := c.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if c2, err := dcap.ParseCollateral(again); len(again) <= tee.MaxCollateral && (err != nil || !reflect.DeepEqual(c, c2)) {
			t.Fatalf("%v: %+v became %+v", err, c, c2)
		}
	})
}

// FuzzVerify changes each part by itself, documents signed or not.
func FuzzVerify(f *testing.F) {
	w := dcaptest.New(tee.KindTDX, 5)
	w.V15 = true
	ev, err := w.Build()
	if err != nil {
		f.Fatal(err)
	}
	c := ev.Collateral
	f.Add(ev.Quote, c.PCKCRLChain, c.RootCRL, c.PCKCRL, c.TCBInfoChain, c.TCBInfo, c.QEIdentityChain, c.QEIdentity)
	f.Fuzz(func(t *testing.T, quote, crlChain, rootCRL, pckCRL, infoChain, info, qeChain, qe []byte) {
		c := &dcap.Collateral{
			PCKCRLChain: crlChain, RootCRL: rootCRL, PCKCRL: pckCRL,
			TCBInfoChain: infoChain, TCBInfo: info, TCBInfoSignature: ev.Collateral.TCBInfoSignature,
			QEIdentityChain: qeChain, QEIdentity: qe, QEIdentitySignature: ev.Collateral.QEIdentitySignature,
		}
		r, err := dcap.Verify(quote, c, dcap.Options{Roots: ev.Roots, Now: w.Now})
		if (r == nil) != (err != nil) || (err != nil && dcap.Reason(err) == "") {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}
