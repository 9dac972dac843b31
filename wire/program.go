package wire

import "github.com/phalanx-network/phalanx/crypto/scale"

// Bounds of a [ProgramRecord].
const (
	MaxProgramRegisters    = 16
	MaxProgramRegisterName = 24
)

// ProgramRegister is one register that a program has, and its value.
type ProgramRegister struct {
	Name  string // at most [MaxProgramRegisterName] bytes
	Value []byte // at most [MaxMeasurement] bytes
}

// Scale visits the fields in order.
func (r *ProgramRegister) Scale(c *scale.Codec) {
	c.Text(&r.Name, MaxProgramRegisterName)
	c.Bytes(&r.Value, MaxMeasurement)
}

// ProgramRecord is a program that the policy in force allows, under [KeyProgram]. It stands as long as the program is allowed.
type ProgramRecord struct {
	Kind      uint8 // of evidence
	Registers []ProgramRegister
	Decided   uint64 // the height at which it was decided, 0 for genesis
	Since     uint64 // the height from which it is in force, 0 for genesis
}

// Scale visits the fields in order.
func (p *ProgramRecord) Scale(c *scale.Codec) {
	c.U8(&p.Kind)
	scale.Slice(c, &p.Registers, MaxProgramRegisters, func(r *ProgramRegister) { r.Scale(c) })
	c.U64(&p.Decided)
	c.U64(&p.Since)
}

// KeyProgram is where the [ProgramRecord] of a program stands; absent unless the policy in force allows it.
func KeyProgram(id Hash) RecordKey { return recordKey(StoreRegistry, "program/", id[:]) }
