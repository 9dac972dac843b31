package wire

import (
	"errors"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bounds of contract logs.
const (
	MaxLogLine    = 4 << 10  // bytes of one line
	MaxLogLines   = 256      // of one call
	MaxLogBytes   = 16 << 10 // of all lines of one call, each of which counts 8 bytes beside its text
	MaxLogEntries = 256      // of one reply
)

// Log levels, as the `log` crate of Rust and Phala's pink have them. Substrate's debug messages are of [LogDebug].
const (
	LogError = 1
	LogWarn  = 2
	LogInfo  = 3
	LogDebug = 4
	LogTrace = 5
)

// LogRequest is the input of a query with a target of 32 zeros: it asks a worker for what a contract logged there. Only
// the contract's owner is answered.
type LogRequest struct {
	Contract ContractID
	Since    uint64 // the lowest sequence number that is wanted
}

// LogRequestTag begins the input of a query that asks for logs.
const LogRequestTag = "phalanx/log-request/v1"

// ErrLogRequest says that bytes are not a [LogRequest].
var ErrLogRequest = errors.New("not a request for logs")

// Scale visits the fields in order, behind [LogRequestTag].
func (r *LogRequest) Scale(c *scale.Codec) {
	tag := []byte(LogRequestTag)
	c.Fixed(tag)
	if string(tag) != LogRequestTag {
		c.Fail(ErrLogRequest)
	}
	r.Contract.Scale(c)
	c.U64(&r.Since)
}

// LogReply is the output of such a query. A worker gives as many entries as fit into [MaxOutput]; who wants more asks
// again from behind the last. Entries of commands and of queries are dropped apart, so that numbers may be missing
// between two entries as well as before the first.
type LogReply struct {
	First   uint64     // the lowest sequence number that is still kept; what is below it was dropped
	Next    uint64     // the sequence number that the next entry will get
	Entries []LogEntry // in order
}

// Scale visits the fields in order.
func (r *LogReply) Scale(c *scale.Codec) {
	c.U64(&r.First)
	c.U64(&r.Next)
	scale.Slice(c, &r.Entries, MaxLogEntries, func(e *LogEntry) { e.Scale(c) })
}

// LogEntry is what one call of a contract logged: the SCALE of an envelope of purpose 6, in epoch 0, from a key made for
// it alone to the contract's owner, whose sr25519 identity key opens it. It holds the SCALE of a [LogBatch].
type LogEntry struct {
	Sequence uint64 // numbers a contract's entries on one worker since its start, upwards
	Envelope []byte
}

// Scale visits the fields in order.
func (e *LogEntry) Scale(c *scale.Codec) {
	c.U64(&e.Sequence)
	c.Bytes(&e.Envelope, 2*MaxLogBytes)
}

// LogBatch is the lines of one call.
type LogBatch struct {
	Contract   ContractID
	Sequence   uint64 // of its entry, so that entries cannot be exchanged
	Invocation Hash
	Command    bool   // in a command, else in a query
	Height     uint64 // of the block that the call ran on
	Time       uint64 // of that block, in Unix milliseconds
	Lines      []LogLine
	Dropped    uint32 // lines of the call beyond the bounds, whichever contract's
}

// Scale visits the fields in order.
func (b *LogBatch) Scale(c *scale.Codec) {
	b.Contract.Scale(c)
	c.U64(&b.Sequence)
	b.Invocation.Scale(c)
	c.Bool(&b.Command)
	c.U64(&b.Height)
	c.U64(&b.Time)
	scale.Slice(c, &b.Lines, MaxLogLines, func(l *LogLine) { l.Scale(c) })
	c.U32(&b.Dropped)
}

// LogLine is one message.
type LogLine struct {
	Level uint8  // 1 error to 5 trace; others as the contract gave them
	Text  string // UTF-8
}

// Scale visits the fields in order.
func (l *LogLine) Scale(c *scale.Codec) {
	c.U8(&l.Level)
	c.Text(&l.Text, MaxLogLine)
}
