package state

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	sector      = 512
	magic       = "phxstate"
	fileVersion = 1
	fileLabel   = "phalanx/state-file/v1"
	frameLabel  = "phalanx/state-frame/v1"

	kindLog      = 1
	kindSnapshot = 2

	frameBase  = 0
	frameBatch = 1
	frameChunk = 2

	checkSize   = 16
	framePrefix = 4 + 4
	frameTag    = 16
	frameFixed  = framePrefix + 4 + frameTag // what a frame has besides body and zeros

	// maxBody bounds the body of a frame, and with it what a lying length can make a reader reserve.
	maxBody = 64 << 20

	// headUsed is how much of the header is not padding.
	headUsed = len(magic) + 2 + 1 + 4 + 8 + 32 + 32 + checkSize
)

// header is the plain first sector of a file.
type header struct {
	kind    uint8
	epoch   uint32
	gen     uint64
	cluster [32]byte
	id      [32]byte
	check   [checkSize]byte
}

func (h *header) encode() []byte {
	b := make([]byte, 0, sector)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint16(b, fileVersion)
	b = append(b, h.kind)
	b = binary.LittleEndian.AppendUint32(b, h.epoch)
	b = binary.LittleEndian.AppendUint64(b, h.gen)
	b = append(b, h.cluster[:]...)
	b = append(b, h.id[:]...)
	b = append(b, h.check[:]...)
	return b[:sector]
}

// decodeHeader parses one sector; what it says is unproven until a frame opens.
func decodeHeader(b []byte) (*header, error) {
	if len(b) != sector || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: no header", ErrDamaged)
	}
	p := b[len(magic):]
	if v := binary.LittleEndian.Uint16(p); v != fileVersion {
		return nil, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	h := &header{kind: p[2], epoch: binary.LittleEndian.Uint32(p[3:]), gen: binary.LittleEndian.Uint64(p[7:])}
	p = p[15:]
	n := copy(h.cluster[:], p)
	n += copy(h.id[:], p[n:])
	copy(h.check[:], p[n:])
	if !zero(b[headUsed:]) {
		return nil, fmt.Errorf("%w: header padding", ErrDamaged)
	}
	return h, nil
}

func zero(b []byte) bool {
	return len(bytes.TrimLeft(b, "\x00")) == 0
}

// fileCipher seals or opens the frames of one file.
type fileCipher struct {
	head header
	sum  [32]byte // of the header
	aead cipher.AEAD
}

// derive returns the file's cipher and key check under a state key.
func (h *header) derive(stateKey []byte) (cipher.AEAD, [checkSize]byte, error) {
	var check [checkSize]byte
	info := append([]byte(fileLabel), h.kind)
	info = binary.LittleEndian.AppendUint64(info, h.gen)
	info = append(info, h.cluster[:]...)
	okm, err := hkdf.Key(sha256.New, stateKey, h.id[:], string(info), keySize+checkSize)
	if err != nil {
		return nil, check, err
	}
	defer clear(okm)
	copy(check[:], okm[keySize:])
	block, err := aes.NewCipher(okm[:keySize])
	if err != nil {
		return nil, check, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, check, err
}

// newFile returns the cipher of a new file, with a fresh id.
func newFile(h header, keys KeyRing, rand io.Reader) (*fileCipher, error) {
	key, err := keys.of(h.epoch)
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(rand, h.id[:]); err != nil {
		return nil, fmt.Errorf("state: file id: %w", err)
	}
	aead, check, err := h.derive(key)
	if err != nil {
		return nil, err
	}
	h.check = check
	return &fileCipher{head: h, sum: sha256.Sum256(h.encode()), aead: aead}, nil
}

// oldFile returns the cipher of a file with this header, or [ErrKey].
func oldFile(h *header, keys KeyRing) (*fileCipher, error) {
	key, err := keys.of(h.epoch)
	if err != nil {
		return nil, err
	}
	aead, check, err := h.derive(key)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(check[:], h.check[:]) != 1 {
		return nil, fmt.Errorf("%w: written under another key of epoch %d, or its header is changed", ErrKey, h.epoch)
	}
	return &fileCipher{head: *h, sum: sha256.Sum256(h.encode()), aead: aead}, nil
}

func (c *fileCipher) bind(number, seq uint64, kind uint8, n uint32) (iv [12]byte, data []byte) {
	binary.BigEndian.PutUint64(iv[4:], number)
	data = append(make([]byte, 0, 96), frameLabel...)
	data = append(data, c.sum[:]...)
	data = binary.LittleEndian.AppendUint64(data, number)
	data = binary.LittleEndian.AppendUint64(data, seq)
	data = append(data, kind)
	return iv, binary.LittleEndian.AppendUint32(data, n)
}

// seal returns the frame of a body, built in buf when that is large enough.
func (c *fileCipher) seal(buf []byte, number, seq uint64, kind uint8, body []byte) ([]byte, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: frame of %d bytes, at most %d", ErrBound, len(body), maxBody)
	}
	n := (frameFixed + len(body) + sector - 1) / sector * sector
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	binary.LittleEndian.PutUint32(buf, uint32(n))
	binary.LittleEndian.PutUint32(buf[4:], ^uint32(n))
	plain := buf[framePrefix : n-frameTag]
	binary.LittleEndian.PutUint32(plain, uint32(len(body)))
	clear(plain[4+copy(plain[4:], body):])
	iv, data := c.bind(number, seq, kind, uint32(n))
	return c.aead.Seal(buf[:framePrefix], iv[:], plain, data), nil
}

// frameSize parses a frame's prefix.
func frameSize(prefix []byte) (int, bool) {
	n, m := binary.LittleEndian.Uint32(prefix), binary.LittleEndian.Uint32(prefix[4:])
	return int(n), n == ^m && n > 0 && n%sector == 0 && n <= maxBody+frameFixed+sector
}

// open returns the body of a whole frame, decrypted apart, so that the frame stays as it was.
func (c *fileCipher) open(frame []byte, number, seq uint64, kind uint8) ([]byte, error) {
	iv, data := c.bind(number, seq, kind, uint32(len(frame)))
	plain, err := c.aead.Open(nil, iv[:], frame[framePrefix:], data)
	if err != nil {
		return nil, errNotAuthentic
	}
	n := binary.LittleEndian.Uint32(plain)
	if int64(n) > int64(len(plain)-4) || !zero(plain[4+n:]) {
		return nil, fmt.Errorf("%w: frame padding", ErrDamaged)
	}
	return plain[4 : 4+n], nil
}

// What can be wrong with a frame, before it is known whether a crash explains it.
var (
	errCut          = fmt.Errorf("%w: file ends inside a frame", ErrDamaged)
	errPrefix       = fmt.Errorf("%w: frame length", ErrDamaged)
	errNotAuthentic = fmt.Errorf("%w: frame does not authenticate", ErrDamaged)
)

// frameReader reads a file from its start.
type frameReader struct {
	name   string
	f      ReadFile
	size   int64
	off    int64
	number uint64
	cipher *fileCipher
}

func (r *frameReader) fail(err error) error {
	return &FileError{File: r.name, Offset: r.off, Err: err}
}

// readAt returns n bytes, of which all must be there.
func (r *frameReader) readAt(off int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if m, err := r.f.ReadAt(b, off); m < n {
		return nil, fmt.Errorf("state: read: %w", err)
	}
	return b, nil
}

// header reads the first sector.
func (r *frameReader) header() (*header, error) {
	if r.size < sector {
		return nil, r.fail(fmt.Errorf("%w: file of %d bytes", ErrDamaged, r.size))
	}
	b, err := r.readAt(0, sector)
	if err != nil {
		return nil, r.fail(err)
	}
	h, err := decodeHeader(b)
	if err != nil {
		return nil, r.fail(err)
	}
	return h, nil
}

// next returns the next frame's body, or io.EOF at the end of the file.
func (r *frameReader) next(seq uint64, kind uint8) ([]byte, error) {
	if r.off == r.size {
		return nil, io.EOF
	}
	frame, err := r.frameAt(r.off)
	if err != nil {
		return nil, r.fail(err)
	}
	body, err := r.cipher.open(frame, r.number, seq, kind)
	if err != nil {
		return nil, r.fail(err)
	}
	r.off += int64(len(frame))
	r.number++
	return body, nil
}

// frameAt returns the bytes of the frame at an offset.
func (r *frameReader) frameAt(off int64) ([]byte, error) {
	if r.size-off < framePrefix {
		return nil, errCut
	}
	prefix, err := r.readAt(off, framePrefix)
	if err != nil {
		return nil, err
	}
	n, ok := frameSize(prefix)
	if !ok {
		return nil, errPrefix
	}
	if int64(n) > r.size-off {
		return nil, errCut
	}
	rest, err := r.readAt(off+framePrefix, n-framePrefix)
	if err != nil {
		return nil, err
	}
	return append(prefix, rest...), nil
}

// torn reports whether an interrupted append of the last frame explains why next failed: the file ends inside the
// frame, or whole sectors of it never arrived and read as zeros. Nothing that was acknowledged can be behind it.
func (r *frameReader) torn(cause error, seq uint64) (bool, error) {
	var explained bool
	var err error
	switch {
	case errors.Is(cause, errCut):
		explained = true
	case errors.Is(cause, errPrefix):
		explained, err = r.hole(r.off, min(r.size, r.off+sector))
	case errors.Is(cause, errNotAuthentic):
		explained, err = r.holeInLast()
	}
	if err != nil || !explained {
		return false, err
	}
	later, err := r.laterFrame(seq)
	return !later, err
}

// hole reports whether some sector between two offsets is all zeros.
func (r *frameReader) hole(from, to int64) (bool, error) {
	for ; from < to; from += sector {
		b, err := r.readAt(from, int(min(sector, to-from)))
		if err != nil {
			return false, err
		}
		if zero(b) {
			return true, nil
		}
	}
	return false, nil
}

// holeInLast reports whether the frame at hand ends the file and has a hole.
func (r *frameReader) holeInLast() (bool, error) {
	frame, err := r.frameAt(r.off)
	if err != nil || r.off+int64(len(frame)) != r.size {
		return false, err
	}
	return r.hole(r.off, r.size)
}

// laterFrame looks for a whole frame behind the one at hand. Found, the one at hand had been written whole.
func (r *frameReader) laterFrame(seq uint64) (bool, error) {
	for off := r.off + sector; off < r.size; off += sector {
		frame, err := r.frameAt(off)
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return false, err
		}
		for ahead := uint64(1); ahead <= 4; ahead++ {
			if _, err := r.cipher.open(frame, r.number+ahead, seq+ahead, frameBatch); err == nil {
				return true, nil
			}
		}
	}
	return false, nil
}
