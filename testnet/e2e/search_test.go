package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"testing"
)

// search finds secrets in bytes, however they are written: raw, in hex or in base64 at any alignment.
type search struct {
	byHead map[uint64][]pattern // by the first eight bytes
	first  [1 << 16]bool        // by the first two, to be quick
	found  map[string][]string  // where each secret was found
}

type pattern struct {
	name string
	text []byte
}

const headSize = 8

func newSearch() *search {
	return &search{byHead: map[uint64][]pattern{}, found: map[string][]string{}}
}

// add makes the search look for a secret of at least twelve bytes.
func (s *search) add(name string, secret []byte) {
	if len(secret) < 12 {
		panic("a secret of under 12 bytes is found by chance: " + name)
	}
	s.pattern(name+", raw", secret)
	s.pattern(name+", hex", []byte(hex.EncodeToString(secret)))
	s.pattern(name+", HEX", []byte(strings.ToUpper(hex.EncodeToString(secret))))
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for skip := range 3 {
			// What lies within whole groups of three bytes has the same digits wherever it stands.
			whole := secret[skip : skip+(len(secret)-skip)/3*3]
			s.pattern(fmt.Sprintf("%s, base64 from byte %d", name, skip), []byte(e.EncodeToString(whole)))
		}
	}
}

// text makes the search look for words as they stand and in all other forms.
func (s *search) text(name, words string) { s.add(name, []byte(words)) }

func (s *search) pattern(name string, text []byte) {
	head := binary.LittleEndian.Uint64(text)
	s.byHead[head] = append(s.byHead[head], pattern{name, text})
	s.first[uint16(head)] = true
}

// in searches bytes that were found somewhere.
func (s *search) in(where string, b []byte) {
	for i := 0; i+headSize <= len(b); i++ {
		if !s.first[uint16(b[i])|uint16(b[i+1])<<8] {
			continue
		}
		for _, p := range s.byHead[binary.LittleEndian.Uint64(b[i:])] {
			if bytes.HasPrefix(b[i:], p.text) && len(s.found[p.name]) < 3 {
				s.found[p.name] = append(s.found[p.name], where)
			}
		}
	}
}

// finds lists what was found of the secrets whose name begins so.
func (s *search) finds(name string) []string {
	var out []string
	for n, where := range s.found {
		if strings.HasPrefix(n, name) {
			out = append(out, fmt.Sprintf("%s in %s", n, strings.Join(where, "; ")))
		}
	}
	sort.Strings(out)
	return out
}

// The search finds what it is to find, in every form, and nothing else.
func TestSearch(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789ABCDEF")
	forms := map[string]string{
		"raw": string(secret), "hex": hex.EncodeToString(secret), "HEX": strings.ToUpper(hex.EncodeToString(secret)),
	}
	for skip := range 3 {
		around := append(append(make([]byte, skip), secret...), 1, 2, 3)
		forms[fmt.Sprintf("base64 after %d bytes", skip)] = base64.StdEncoding.EncodeToString(around)
		forms[fmt.Sprintf("base64url after %d bytes", skip)] = base64.URLEncoding.EncodeToString(around)
	}
	for name, form := range forms {
		s := newSearch()
		s.add("it", secret)
		s.in("nothing", []byte(strings.Repeat("0123456789abcdef", 3)))
		if len(s.found) != 0 {
			t.Errorf("%s: found in what does not hold it: %v", name, s.found)
		}
		s.in("here", []byte("xyz"+form+"zyx"))
		if len(s.finds("it")) == 0 {
			t.Errorf("%s is not found", name)
		}
		if got := s.without("it"); len(got.byHead) != 0 {
			t.Errorf("%s: it is still searched for", name)
		}
	}
}
