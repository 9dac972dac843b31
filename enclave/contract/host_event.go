package contract

import "unicode/utf8"

func (x *execution) depositEvent(a []uint64) uint64 {
	topicsLen, dataLen := uint32(a[1]), uint32(a[3])
	x.pay(topicsLen)
	x.pay(dataLen)
	if uint64(dataLen) > uint64(x.limits.EventBytes) {
		x.end(LimitExceeded, "event of %d bytes exceeds %d", dataLen, x.limits.EventBytes)
	}
	var topics [][]byte
	if topicsLen > 0 { // else the pointer is not looked at
		topics = x.topics(x.view(uint32(a[0]), topicsLen))
	}
	x.charge(priceTopic * uint64(len(topics)))
	data := x.read(uint32(a[2]), dataLen)
	t := x.t
	t.eventBytes += len(data) + 32*len(topics)
	if len(t.events) == x.limits.Events || t.eventBytes > x.limits.AllEventBytes {
		x.end(LimitExceeded, "events exceed %d or %d bytes", x.limits.Events, x.limits.AllEventBytes)
	}
	t.events = append(t.events, Event{Contract: x.account, Topics: topics, Data: data})
	return 0
}

// topics decodes the SCALE vector of 32-byte topics.
func (x *execution) topics(b []byte) (topics [][]byte) {
	// A compact length below 64 is one byte with two zero bits; more topics are never allowed.
	if b[0]&3 != 0 || int(b[0]>>2) > x.limits.Topics {
		x.end(LimitExceeded, "event topics exceed %d", x.limits.Topics)
	}
	n := int(b[0] >> 2)
	if len(b) != 1+32*n {
		x.end(Trapped, "event topics are not %d hashes", n)
	}
	for rest := b[1:]; len(rest) > 0; rest = rest[32:] {
		topics = append(topics, append([]byte(nil), rest[:32]...))
	}
	return topics
}

// debugLevel is the level of debug messages among the logs.
const debugLevel = 4

// debugMessage drops what is not UTF-8, as pallet-contracts does.
func (x *execution) debugMessage(a []uint64) uint64 {
	x.pay(uint32(a[1]))
	text := x.view(uint32(a[0]), uint32(a[1]))
	if !utf8.Valid(text) {
		return codeSuccess
	}
	x.payLog()
	// No more is copied than can be kept, with room to find the end of a character.
	kept := string(text[:min(len(text), max(x.limits.DebugBytes, x.limits.LogBytes)+utf8.UTFMax)])
	t := x.t
	t.log(x.account, debugLevel, kept)
	t.debug = append(t.debug, cut(kept, x.limits.DebugBytes-len(t.debug))...)
	return codeSuccess
}
