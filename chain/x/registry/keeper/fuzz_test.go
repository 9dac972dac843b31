package keeper_test

import (
	"bytes"
	"testing"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
)

// Whatever a transaction brings in place of an honest registration, the chain neither takes it nor panics.
func FuzzRegister(f *testing.F) {
	f.Add(uint16(0), byte(1), []byte(nil))
	f.Add(uint16(40), byte(0x80), []byte{0})
	f.Add(uint16(200), byte(0xff), []byte("tail"))
	f.Add(uint16(400), byte(0), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, at uint16, flip byte, tail []byte) {
		c := newChain(t, devnetGenesis())
		e := c.enclave(device.Options{})
		honest := e.message(e.registration())
		fields := func(m *types.MsgRegisterWorker) []*[]byte {
			return []*[]byte{&m.Registration, &m.Evidence, &m.Signature}
		}
		for i := range fields(honest) {
			m := *honest
			field := fields(&m)[i]
			changed := append(bytes.Clone(*field), tail...)
			changed[int(at)%len(changed)] ^= flip
			if bytes.Equal(changed, *field) {
				continue
			}
			*field = changed
			if err := c.send(&m); err == nil {
				t.Fatalf("field %d is taken with byte %d changed by %#x and %d bytes more", i, at, flip, len(tail))
			}
		}
		if err := c.send(honest); err != nil {
			t.Fatal(err)
		}
	})
}
