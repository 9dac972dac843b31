package dcap_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/phalanx-network/phalanx/tee/dcap"
)

// layout is where the parts of a quote begin.
type layout struct {
	body, bodySize, auth, qe, chain, end int
}

func layoutOf(s *subject) layout {
	l := layout{body: 48, bodySize: map[int]int{3: 384, 4: 584, 5: 584}[s.want.Version], end: s.want.TrimmedQuote}
	if s.want.TD != nil && s.want.TD.V15 {
		l.bodySize = 648
	}
	if s.want.Version == 5 {
		l.body += 6
	}
	l.auth = l.body + l.bodySize + 4
	l.qe = l.auth + 128
	if s.want.Version >= 4 {
		l.qe += 6
	}
	l.chain = l.qe + 450 + int(binary.LittleEndian.Uint16(s.quote[l.qe+448:]))
	return l
}

// edit writes bytes into a quote.
type edit struct {
	name  string
	at    int
	bytes []byte
	want  dcap.Refusal
}

func u16(v uint16) []byte { return binary.LittleEndian.AppendUint16(nil, v) }
func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// edits changes each field of a quote to what it must not be.
func (l layout) edits(s *subject) []edit {
	wrong := func(at int) []byte { return []byte{^s.quote[at], ^s.quote[at+1]} }
	return []edit{
		{"version 2", 0, u16(2), dcap.ErrFormat},
		{"version 6", 0, u16(6), dcap.ErrFormat},
		{"attestation key of P-384", 2, u16(3), dcap.ErrFormat},
		{"unknown TEE", 4, u32(0x82), dcap.ErrFormat},
		{"another vendor", 12, []byte{0}, dcap.ErrFormat},
		{"reserved bytes of the header", 8, []byte{0xfe}, dcap.ErrSignature},
		{"header's own data", 28, wrong(28), dcap.ErrSignature},
		{"first bytes of the body", l.body, wrong(l.body), dcap.ErrSignature},
		{"a measurement", l.body + 140, wrong(l.body + 140), dcap.ErrSignature},
		{"last bytes of the body", l.auth - 6, wrong(l.auth - 6), dcap.ErrSignature},
		{"signature data too long", l.auth - 4, u32(uint32(len(s.quote) - l.auth + 1)), dcap.ErrFormat},
		{"signature data a byte too long", l.auth - 4, u32(uint32(l.end - l.auth + 1)), dcap.ErrFormat},
		{"signature data too short", l.auth - 4, u32(uint32(l.end - l.auth - 1)), dcap.ErrFormat},
		{"signature data without end", l.auth - 4, u32(0xffffffff), dcap.ErrFormat},
		{"no signature data", l.auth - 4, u32(0), dcap.ErrFormat},
		{"signature", l.auth, wrong(l.auth), dcap.ErrSignature},
		{"signature of zeros", l.auth, make([]byte, 64), dcap.ErrSignature},
		{"attestation key", l.auth + 64, wrong(l.auth + 64), dcap.ErrSignature},
		{"QE report", l.qe, wrong(l.qe), dcap.ErrSignature},
		{"QE's report data", l.qe + 320, wrong(l.qe + 320), dcap.ErrSignature},
		{"QE report's signature", l.qe + 384, wrong(l.qe + 384), dcap.ErrSignature},
		{"QE's data too long", l.qe + 448, u16(0xffff), dcap.ErrFormat},
		{"QE's data", l.qe + 450, wrong(l.qe + 450), dcap.ErrSignature},
		{"encrypted PPID in place of the chain", l.chain, u16(3), dcap.ErrFormat},
		{"chain too long", l.chain + 2, u32(0x7fffffff), dcap.ErrFormat},
		{"chain is no PEM", l.chain + 6, []byte{'+'}, dcap.ErrFormat},
		{"serial number in a certificate", l.chain + 6 + 28 + 24, []byte{'+', '/'}, dcap.ErrChain},
		{"byte behind the chain", l.end - 1, []byte{1}, dcap.ErrTrailing},
	}
}

// TestQuoteFields damages each field of every form of quote, synthetic and recorded, and wants the right reason.
func TestQuoteFields(t *testing.T) {
	for _, s := range subjects(t) {
		for _, e := range layoutOf(&s).edits(&s) {
			t.Run(s.name+"/"+e.name, func(t *testing.T) {
				changed := bytes.Clone(s.quote)
				copy(changed[e.at:], e.bytes)
				r, err := s.verify(changed, s.collateral)
				if r != nil || dcap.Reason(err) != string(e.want) {
					t.Errorf("%v, want %q", err, e.want)
				}
			})
		}
	}
}

// TestCollateralParts damages each part of every collateral, synthetic and recorded.
func TestCollateralParts(t *testing.T) {
	last := func(b []byte) { b[len(b)-1] ^= 1 }
	edits := []struct {
		name string
		edit func(c *dcap.Collateral, o *dcap.Options)
		want dcap.Refusal
	}{
		{"nothing", func(*dcap.Collateral, *dcap.Options) {}, ""},
		{"root CRL's signature", func(c *dcap.Collateral, _ *dcap.Options) { last(c.RootCRL) }, dcap.ErrCRL},
		{"PCK CRL's signature", func(c *dcap.Collateral, _ *dcap.Options) { last(c.PCKCRL) }, dcap.ErrCRL},
		{"TCB info", func(c *dcap.Collateral, _ *dcap.Options) { c.TCBInfo[2] ^= 1 }, dcap.ErrSignature},
		{"TCB info's signature", func(c *dcap.Collateral, _ *dcap.Options) { c.TCBInfoSignature[5] ^= 1 }, dcap.ErrSignature},
		{"QE identity", func(c *dcap.Collateral, _ *dcap.Options) { c.QEIdentity[9] ^= 1 }, dcap.ErrSignature},
		{"QE identity's signature", func(c *dcap.Collateral, _ *dcap.Options) { c.QEIdentitySignature[60] ^= 1 }, dcap.ErrSignature},
		{"a chain's serial number", func(c *dcap.Collateral, _ *dcap.Options) { copy(c.QEIdentityChain[28+24:], "+/") }, dcap.ErrChain},
		{"too late", func(_ *dcap.Collateral, o *dcap.Options) { o.Now = o.Now.AddDate(0, 2, 0) }, dcap.ErrExpired},
		{"too early", func(_ *dcap.Collateral, o *dcap.Options) { o.Now = o.Now.AddDate(0, -2, 0) }, dcap.ErrNotYetValid},
		{"newer evaluation asked", func(_ *dcap.Collateral, o *dcap.Options) { o.MinEvaluation = 19 }, dcap.ErrEvaluation},
	}
	for _, s := range subjects(t) {
		for _, e := range edits {
			t.Run(s.name+"/"+e.name, func(t *testing.T) {
				c, err := dcap.ParseCollateral(s.collateral)
				if err != nil {
					t.Fatal(err)
				}
				o := s.options
				e.edit(c, &o)
				if _, err := dcap.Verify(s.quote, c, o); dcap.Reason(err) != string(e.want) {
					t.Errorf("%v, want %q", err, e.want)
				}
			})
		}
		if _, err := dcap.Verify(s.quote, mustParse(t, s.collateral), dcap.Options{Roots: s.options.Roots, Now: s.want.Expires}); err != nil {
			t.Errorf("%s: at the end itself: %v", s.name, err)
		}
	}
}

func mustParse(tb testing.TB, text []byte) *dcap.Collateral {
	tb.Helper()
	c, err := dcap.ParseCollateral(text)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestCollateralOfOthers shows each subject the collateral of each other: only its own fits.
func TestCollateralOfOthers(t *testing.T) {
	all := subjects(t)
	for i := range all {
		for j := range all {
			if i == j {
				continue
			}
			o := all[i].options
			o.Now = all[j].options.Now
			if r, err := dcap.Verify(all[i].quote, mustParse(t, all[j].collateral), o); r != nil || dcap.Reason(err) == "" {
				t.Errorf("%s with the collateral of %s: %v", all[i].name, all[j].name, err)
			}
		}
	}
}
