// Package ss58 is the text form of Substrate accounts: base58 of a network prefix, the account's 32 bytes and two bytes
// of a BLAKE2b-512 checksum. [Encode] writes it, [Decode] reads it; one account and prefix have exactly one text.
//
// The prefix says for which network the text was written, not who the account is: the same key has another text, and
// the same bytes, on each. A caller that cares compares the prefix that [Decode] returns.
package ss58

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// Generic is the prefix of accounts of no particular network.
const Generic = 42

// MaxPrefix is the largest prefix that the form can carry.
const MaxPrefix = 1<<14 - 1

// Errors that [Encode] and [Decode] return.
var (
	// ErrPrefix says that a prefix is above MaxPrefix or reserved (46 and 47).
	ErrPrefix = errors.New("ss58: no such network prefix")
	// ErrFormat says that a text is not base58 of a prefix, 32 bytes and a checksum, or not its shortest form.
	ErrFormat = errors.New("ss58: not an account address")
	// ErrChecksum says that the checksum does not fit: a character is wrong or missing.
	ErrChecksum = errors.New("ss58: checksum does not fit, the address is mistyped")
)

const (
	alphabet      = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	accountBytes  = 32
	checksumBytes = 2
	maxRaw        = 2 + accountBytes + checksumBytes
	maxText       = 50 // base58 of maxRaw bytes
)

// Encode returns the text of account for the network of prefix.
func Encode(account [32]byte, prefix uint16) (string, error) {
	if prefix > MaxPrefix || reserved(prefix) {
		return "", fmt.Errorf("%w: %d", ErrPrefix, prefix)
	}
	raw := appendPrefix(make([]byte, 0, maxRaw), prefix)
	raw = append(raw, account[:]...)
	sum := checksum(raw)
	return base58(append(raw, sum[:]...)), nil
}

// Decode returns the account and the network prefix of text.
func Decode(text string) (account [32]byte, prefix uint16, err error) {
	raw, ok := unbase58(text)
	if !ok || len(raw) < 1+accountBytes+checksumBytes {
		return account, 0, ErrFormat
	}
	prefix, n, ok := readPrefix(raw)
	if !ok || len(raw) != n+accountBytes+checksumBytes {
		return account, 0, ErrFormat
	}
	body, sum := raw[:n+accountBytes], raw[n+accountBytes:]
	if want := checksum(body); string(sum) != string(want[:]) {
		return account, 0, ErrChecksum
	}
	copy(account[:], body[n:])
	return account, prefix, nil
}

func reserved(prefix uint16) bool { return prefix == 46 || prefix == 47 }

// appendPrefix writes a prefix below 64 as one byte. In two bytes the first is 01 and bits 7 to 2, the second bits 1
// and 0 and then bits 13 to 8.
func appendPrefix(b []byte, prefix uint16) []byte {
	if prefix < 64 {
		return append(b, byte(prefix))
	}
	return append(b, 0x40|byte(prefix>>2)&0x3f, byte(prefix<<6)|byte(prefix>>8))
}

// readPrefix returns the prefix and its length in bytes; it refuses what appendPrefix does not write.
func readPrefix(raw []byte) (prefix uint16, n int, ok bool) {
	switch first := raw[0]; {
	case first < 64:
		return uint16(first), 1, !reserved(uint16(first))
	case first < 128:
		second := raw[1]
		prefix = uint16(first&0x3f)<<2 | uint16(second>>6) | uint16(second&0x3f)<<8
		return prefix, 2, prefix >= 64
	}
	return 0, 0, false
}

func checksum(body []byte) [checksumBytes]byte {
	sum := blake2b.Sum512(append([]byte("SS58PRE"), body...))
	return [checksumBytes]byte(sum[:checksumBytes])
}

// base58 writes raw, of at most maxRaw bytes, as a big-endian number, with a 1 for each leading zero byte.
func base58(raw []byte) string {
	var digits []byte // least significant first
	for _, b := range raw {
		carry := int(b)
		for i := range digits {
			carry += int(digits[i]) << 8
			digits[i] = byte(carry % 58)
			carry /= 58
		}
		for ; carry > 0; carry /= 58 {
			digits = append(digits, byte(carry%58))
		}
	}
	var text strings.Builder
	for i := 0; i < len(raw) && raw[i] == 0; i++ {
		text.WriteByte(alphabet[0])
	}
	for i := len(digits) - 1; i >= 0; i-- {
		text.WriteByte(alphabet[digits[i]])
	}
	return text.String()
}

// unbase58 is the inverse of base58; it refuses a text that is too long for an address before any arithmetic.
func unbase58(text string) ([]byte, bool) {
	if len(text) > maxText {
		return nil, false
	}
	var number []byte // least significant first
	for i := range len(text) {
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return nil, false
		}
		carry := digit
		for j := range number {
			carry += int(number[j]) * 58
			number[j] = byte(carry)
			carry >>= 8
		}
		for ; carry > 0; carry >>= 8 {
			number = append(number, byte(carry))
		}
	}
	zeros := 0
	for zeros < len(text) && text[zeros] == alphabet[0] {
		zeros++
	}
	raw := make([]byte, zeros, zeros+len(number))
	for i := len(number) - 1; i >= 0; i-- {
		raw = append(raw, number[i])
	}
	return raw, true
}
