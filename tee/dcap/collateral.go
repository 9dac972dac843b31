package dcap

import (
	"encoding/hex"
	"encoding/json"

	"github.com/phalanx-network/phalanx/tee"
)

// Collateral is what Intel publishes and a quote's verification needs. Nothing in it is trusted before [Verify] has
// checked it, and it holds no secret.
type Collateral struct {
	PCKCRLChain []byte // PEM: the PCK CA that issued the quote's PCK certificate, and the root
	RootCRL     []byte // DER: the root's list
	PCKCRL      []byte // DER: the PCK CA's list

	TCBInfoChain     []byte   // PEM: the TCB signing certificate, and the root
	TCBInfo          []byte   // the object that was signed, byte for byte
	TCBInfoSignature [64]byte // r ‖ s

	QEIdentityChain     []byte   // PEM: as TCBInfoChain
	QEIdentity          []byte   // the object that was signed, byte for byte
	QEIdentitySignature [64]byte // r ‖ s
}

// Names of the members in the JSON form.
const (
	fieldPCKCRLChain    = "pck_crl_issuer_chain"
	fieldRootCRL        = "root_ca_crl"
	fieldPCKCRL         = "pck_crl"
	fieldTCBInfoChain   = "tcb_info_issuer_chain"
	fieldTCBInfo        = "tcb_info"
	fieldTCBInfoSig     = "tcb_info_signature"
	fieldQEIdentityChn  = "qe_identity_issuer_chain"
	fieldQEIdentity     = "qe_identity"
	fieldQEIdentitySign = "qe_identity_signature"
)

var collateralFields = []string{
	fieldPCKCRLChain, fieldRootCRL, fieldPCKCRL, fieldTCBInfoChain, fieldTCBInfo, fieldTCBInfoSig,
	fieldQEIdentityChn, fieldQEIdentity, fieldQEIdentitySign,
}

// ParseCollateral reads the JSON form, at most [tee.MaxCollateral] bytes: one object with nine strings, named as
// above. Chains are PEM; lists are DER in hexadecimal or in base64; tcb_info and qe_identity are the signed objects as
// text; signatures are 128 hexadecimal digits. Each member must occur once. Others are passed over, since nothing is
// keyed on this form. An error is [ErrFormat]. The result does not alias the input.
func ParseCollateral(data []byte) (*Collateral, error) {
	if len(data) > tee.MaxCollateral {
		return nil, refuse(ErrFormat, "collateral of %d bytes, at most %d are read", len(data), tee.MaxCollateral)
	}
	c, r := new(Collateral), &jsonReader{data: data}
	texts := map[string]*[]byte{
		fieldPCKCRLChain: &c.PCKCRLChain, fieldTCBInfoChain: &c.TCBInfoChain, fieldTCBInfo: &c.TCBInfo,
		fieldQEIdentityChn: &c.QEIdentityChain, fieldQEIdentity: &c.QEIdentity,
	}
	r.object(func(name string) bool {
		switch name {
		case fieldRootCRL:
			c.RootCRL = r.der()
		case fieldPCKCRL:
			c.PCKCRL = r.der()
		case fieldTCBInfoSig:
			r.hex(c.TCBInfoSignature[:])
		case fieldQEIdentitySign:
			r.hex(c.QEIdentitySignature[:])
		default:
			out, known := texts[name]
			if known {
				*out = r.own()
			}
			return known
		}
		return true
	}, collateralFields...)
	if err := r.end(); err != nil {
		return nil, err
	}
	return c, nil
}

// der reads a DER sequence in hexadecimal or base64, which their first characters tell apart: a sequence begins with
// the byte 0x30.
func (r *jsonReader) der() []byte {
	s := r.bytes()
	if r.err != nil {
		return nil
	}
	var out []byte
	var err error
	if len(s) >= 2 && s[0] == '3' && s[1] == '0' {
		out = make([]byte, hex.DecodedLen(len(s)))
		_, err = hex.Decode(out, s)
	} else {
		out, err = base64Strict.AppendDecode(nil, s)
	}
	if err != nil || len(out) == 0 || out[0] != 0x30 {
		r.fail("a list is no DER sequence in hexadecimal or base64")
		return nil
	}
	return out
}

// MarshalJSON writes the form that [ParseCollateral] reads, lists in hexadecimal.
func (c *Collateral) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		PCKCRLChain    string `json:"pck_crl_issuer_chain"`
		RootCRL        string `json:"root_ca_crl"`
		PCKCRL         string `json:"pck_crl"`
		TCBInfoChain   string `json:"tcb_info_issuer_chain"`
		TCBInfo        string `json:"tcb_info"`
		TCBInfoSig     string `json:"tcb_info_signature"`
		QEIdentityChn  string `json:"qe_identity_issuer_chain"`
		QEIdentity     string `json:"qe_identity"`
		QEIdentitySign string `json:"qe_identity_signature"`
	}{
		string(c.PCKCRLChain), hex.EncodeToString(c.RootCRL), hex.EncodeToString(c.PCKCRL),
		string(c.TCBInfoChain), string(c.TCBInfo), hex.EncodeToString(c.TCBInfoSignature[:]),
		string(c.QEIdentityChain), string(c.QEIdentity), hex.EncodeToString(c.QEIdentitySignature[:]),
	})
}
