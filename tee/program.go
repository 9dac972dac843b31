package tee

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bounds of registers and programs.
const (
	MaxRegisterName = 24 // bytes of a register's name
	MaxRegister     = 64 // bytes of a register's value (SHA-512 at most)
	MaxRegisters    = 16 // registers that one program names
)

// RegisterMeasurement is the register that every kind has: one digest of the whole program, equal to
// [Claims.Measurement].
const RegisterMeasurement = "measurement"

// programDomain separates the digests of programs from all others.
const programDomain = "phalanx/program/v1"

// Register is one measured value of evidence, by the name that the platform's maker gives it in lower case.
type Register struct {
	Name  string // 1 to MaxRegisterName bytes of a-z, 0-9 and _
	Value []byte // 1 to MaxRegister bytes
}

// Scale visits the register: name, value.
func (r *Register) Scale(c *scale.Codec) {
	c.Text(&r.Name, MaxRegisterName)
	c.Bytes(&r.Value, MaxRegister)
}

func (r *Register) equal(o *Register) bool { return r.Name == o.Name && bytes.Equal(r.Value, o.Value) }

// valid reports whether name and value are within their bounds.
func (r *Register) valid() bool {
	if len(r.Name) == 0 || len(r.Name) > MaxRegisterName || len(r.Value) == 0 || len(r.Value) > MaxRegister {
		return false
	}
	for i := range len(r.Name) {
		if b := r.Name[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '_' {
			return false
		}
	}
	return true
}

// SortRegisters brings registers into the order of their names, in place, as [Claims] and [Program] hold them.
func SortRegisters(rs []Register) {
	slices.SortFunc(rs, func(a, b Register) int { return strings.Compare(a.Name, b.Name) })
}

// Program is what a policy says about one program: the registers that it names must have exactly these values; those
// that it does not name may have any.
type Program struct {
	Registers []Register // 1 to MaxRegisters, ascending by name, each once
}

// Exactly returns the program whose digest is measurement, whatever else the evidence shows.
func Exactly(measurement []byte) Program {
	return Program{Registers: []Register{{Name: RegisterMeasurement, Value: bytes.Clone(measurement)}}}
}

// Scale visits the program: its registers. Whether they are in order is for [Program.Validate].
func (p *Program) Scale(c *scale.Codec) {
	scale.Slice(c, &p.Registers, MaxRegisters, func(r *Register) { r.Scale(c) })
}

// ID names the program among all of all kinds: SHA-256 of "phalanx/program/v1" ‖ SCALE(kind, registers). It panics on a
// program or a kind that does not validate and so has no encoding.
func (p *Program) ID(k Kind) [32]byte {
	return sha256.Sum256(append([]byte(programDomain), scale.MustMarshal(&programOf{k, p})...))
}

type programOf struct {
	kind    Kind
	program *Program
}

func (p *programOf) Scale(c *scale.Codec) {
	p.kind.Scale(c)
	p.program.Scale(c)
}

// Holds reports whether each register of the program is among rs with exactly the program's value. Both ascend by name.
// A program without registers holds nowhere.
func (p *Program) Holds(rs []Register) bool {
	for i := range p.Registers {
		want := &p.Registers[i]
		for len(rs) > 0 && rs[0].Name < want.Name {
			rs = rs[1:]
		}
		if len(rs) == 0 || !want.equal(&rs[0]) {
			return false
		}
	}
	return len(p.Registers) > 0
}

func (p *Program) equal(o *Program) bool {
	return slices.EqualFunc(p.Registers, o.Registers, func(a, b Register) bool { return a.equal(&b) })
}

func (p *Program) names(register string) bool {
	return slices.ContainsFunc(p.Registers, func(r Register) bool { return r.Name == register })
}

// registersOf says of a kind which registers fix a program, and which others its evidence may show.
//
// What fixes a program is a measurement of all code that runs at launch. What tells who made it is not: a program that
// is named by SGX's MRSIGNER alone, by an author's key digest or by an owner's id is any program that this maker ever
// signed, old and broken ones included, and whoever gets the maker's key writes another. Such registers may stand
// beside the measurement only.
var registersOf = map[Kind]struct{ fix, also []string }{
	KindSimulated: {},
	KindSGX:       {[]string{"mrenclave"}, []string{"configid", "mrsigner"}},
	// RTMR3 is the guest's own to extend while it runs; RTMR0 to RTMR2 hold firmware, boot loader and kernel.
	KindTDX: {[]string{"mrtd", "rtmr0", "rtmr1", "rtmr2"},
		[]string{"mrconfigid", "mrowner", "mrownerconfig", "mrseam", "mrservicetd", "mrsignerseam", "rtmr3", "td_attributes", "xfam"}},
	KindSEVSNP: {nil, []string{"author_key_digest", "family_id", "guest_policy", "host_data", "id_key_digest", "image_id", "vmpl"}},
	KindNitro:  {[]string{"pcr0"}, pcrNames[1:]},
	KindTPM:    {},
}

// pcrNames are the registers of a Nitro enclave.
var pcrNames = func() (names []string) {
	for i := range 32 {
		names = append(names, fmt.Sprintf("pcr%d", i))
	}
	return names
}()

// Validate returns an error that wraps [ErrPolicy] unless the registers are within their bounds and in order, evidence
// of kind k can show them, and they fix the program: either the digest "measurement" is among them, or every register
// without which another program could run under the same name.
func (p *Program) Validate(k Kind) error {
	if len(p.Registers) == 0 || len(p.Registers) > MaxRegisters {
		return fmt.Errorf("%w: a program of kind %s names %d registers, 1 to %d are allowed", ErrPolicy, k, len(p.Registers), MaxRegisters)
	}
	known := registersOf[k]
	for i := range p.Registers {
		r := &p.Registers[i]
		if !r.valid() {
			return fmt.Errorf("%w: register %q of kind %s with %d bytes", ErrPolicy, r.Name, k, len(r.Value))
		}
		if i > 0 && r.Name <= p.Registers[i-1].Name {
			return fmt.Errorf("%w: registers of a program must ascend, each once; %q does not", ErrPolicy, r.Name)
		}
		if r.Name != RegisterMeasurement && !slices.Contains(known.fix, r.Name) && !slices.Contains(known.also, r.Name) {
			return fmt.Errorf("%w: kind %s has no register %q", ErrPolicy, k, r.Name)
		}
	}
	if p.names(RegisterMeasurement) {
		return nil
	}
	if len(known.fix) == 0 {
		return fmt.Errorf("%w: a program of kind %s must name %s", ErrPolicy, k, RegisterMeasurement)
	}
	for _, name := range known.fix {
		if !p.names(name) {
			return fmt.Errorf("%w: a program of kind %s must name %s, or all of %s", ErrPolicy, k, RegisterMeasurement, strings.Join(known.fix, ", "))
		}
	}
	return nil
}
