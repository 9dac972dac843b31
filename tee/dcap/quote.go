package dcap

import (
	"encoding/binary"

	"github.com/phalanx-network/phalanx/tee"
)

// Sizes of a quote's parts, in bytes. Sources: "Intel SGX ECDSA QuoteLibReference DCAP API" appendix A (version 3),
// "Intel TDX DCAP Quoting Library API" appendix A (versions 4 and 5).
const (
	headerSize      = 48
	descriptorSize  = 6 // version 5: type of the body u16, its size u32
	enclaveBodySize = 384
	td10BodySize    = 584
	td15BodySize    = 648
	signatureSize   = 64 // r ‖ s, big endian
	keySize         = 64 // x ‖ y, big endian

	keyECDSA256 = 2 // attestation key type

	teeSGX = 0x00
	teeTDX = 0x81

	bodyTD10 = 2
	bodyTD15 = 3

	certChain    = 5 // certification data: a PCK chain in PEM
	certQEReport = 6 // certification data: a QE report with certification data of its own
)

// qeVendorIntel is the UUID of Intel's quoting enclaves.
var qeVendorIntel = [16]byte{
	0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
}

// quote holds the parts of a quote. Its slices alias the input.
type quote struct {
	version     int
	kind        tee.Kind
	signed      []byte // what the attestation key signed
	body        []byte
	signature   []byte
	key         []byte // attestation key
	qeReport    []byte
	qeSignature []byte
	qeAuth      []byte
	chain       []byte // PCK chain in PEM, perhaps zero padded
	size        int    // of the quote without padding
}

// cut takes parts off a byte string from the left. After a failure every part is empty.
type cut struct {
	rest []byte
	bad  bool
}

func (c *cut) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.rest) {
		c.bad = true
		return nil
	}
	out := c.rest[:n:n]
	c.rest = c.rest[n:]
	return out
}

func (c *cut) u16() int {
	if b := c.take(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

// size reads a length of 32 bits. One that no quote can have comes out as -1, which take refuses.
func (c *cut) size() int {
	b := c.take(4)
	if b == nil {
		return -1
	}
	n := binary.LittleEndian.Uint32(b)
	if n > tee.MaxData {
		return -1
	}
	return int(n)
}

// parseQuote takes a quote apart. Every length must fit exactly; zeros alone may follow.
func parseQuote(data []byte) (*quote, error) {
	if len(data) > tee.MaxData {
		return nil, refuse(ErrFormat, "quote of %d bytes, at most %d are read", len(data), tee.MaxData)
	}
	c := &cut{rest: data}
	q, err := parseHeader(c.take(headerSize))
	if err != nil {
		return nil, err
	}
	bodySize, err := q.bodySize(c)
	if err != nil {
		return nil, err
	}
	if q.body = c.take(bodySize); q.body == nil {
		return nil, refuse(ErrFormat, "quote ends in its body")
	}
	q.signed = data[:len(data)-len(c.rest)]
	auth := &cut{rest: c.take(c.size())}
	if c.bad {
		return nil, refuse(ErrFormat, "quote ends in its signature data")
	}
	q.size = len(data) - len(c.rest)
	if err := q.parseAuth(auth); err != nil {
		return nil, err
	}
	if i := firstNonZero(c.rest); i >= 0 {
		return nil, refuse(ErrTrailing, "byte %d behind the signature is not zero", i)
	}
	return q, nil
}

func firstNonZero(b []byte) int {
	for i, x := range b {
		if x != 0 {
			return i
		}
	}
	return -1
}

func parseHeader(h []byte) (*quote, error) {
	if h == nil {
		return nil, refuse(ErrFormat, "quote ends in its header")
	}
	q := &quote{version: int(binary.LittleEndian.Uint16(h))}
	teeType := binary.LittleEndian.Uint32(h[4:])
	switch {
	case q.version == 3 && teeType == teeSGX:
		q.kind = tee.KindSGX
	case (q.version == 4 || q.version == 5) && teeType == teeTDX:
		q.kind = tee.KindTDX
	default:
		return nil, refuse(ErrFormat, "quote of version %d for TEE type %#x", q.version, teeType)
	}
	if kt := binary.LittleEndian.Uint16(h[2:]); kt != keyECDSA256 {
		return nil, refuse(ErrFormat, "attestation key of type %d", kt)
	}
	if [16]byte(h[12:28]) != qeVendorIntel {
		return nil, refuse(ErrFormat, "quoting enclave of another vendor")
	}
	return q, nil
}

// bodySize returns the size of the body, which version 5 says and the others imply.
func (q *quote) bodySize(c *cut) (int, error) {
	switch q.version {
	case 3:
		return enclaveBodySize, nil
	case 4:
		return td10BodySize, nil
	}
	kind, size := c.u16(), c.size()
	if c.bad || !(kind == bodyTD10 && size == td10BodySize || kind == bodyTD15 && size == td15BodySize) {
		return 0, refuse(ErrFormat, "body of type %d and %d bytes", kind, size)
	}
	return size, nil
}

func (q *quote) parseAuth(c *cut) error {
	q.signature, q.key = c.take(signatureSize), c.take(keySize)
	if q.version >= 4 {
		if kind, size := c.u16(), c.size(); c.bad || kind != certQEReport || size != len(c.rest) {
			return refuse(ErrFormat, "certification data of type %d and %d bytes", kind, size)
		}
	}
	q.qeReport, q.qeSignature = c.take(enclaveBodySize), c.take(signatureSize)
	q.qeAuth = c.take(c.u16())
	kind := c.u16()
	q.chain = c.take(c.size())
	if c.bad || len(c.rest) != 0 {
		return refuse(ErrFormat, "lengths within the signature data do not add up")
	}
	if kind != certChain {
		return refuse(ErrFormat, "certification data of type %d, only a PCK chain is read", kind)
	}
	return nil
}
