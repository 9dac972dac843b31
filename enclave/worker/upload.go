package worker

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of uploads.
const (
	maxUploads   = 4                // under way, of one identity
	uploadExpiry = wire.MaxLifetime // blocks after its last part
)

// upload is code that is coming in parts.
type upload struct {
	Of     uint16
	Have   uint32 // bit i: part i is here
	Bytes  uint32
	Height uint64 // of the last part
}

// Scale visits the fields in order.
func (u *upload) Scale(c *scale.Codec) {
	c.U16(&u.Of)
	c.U32(&u.Have)
	c.U32(&u.Bytes)
	c.U64(&u.Height)
}

// upload takes one part of a contract's code. With the last one the code is validated, and from then on every contract
// of the cluster may be made of it.
func (x *executor) upload(ctx context.Context, o *state.Overlay, m message, inv *wire.Invocation) (wire.Outcome, error) {
	k, part := &inv.Kind, inv.Payload.Input
	gas := gasBase + gasUploadByte*uint64(len(part))
	switch {
	case !inv.Payload.To.IsZero() || !inv.Value.IsZero():
		return fault(wire.StatusRefused, gasBase, "an upload has neither target nor value"), nil
	case k.Of == 0 || k.Of > wire.MaxCodeParts || k.Part >= k.Of || len(part) == 0:
		return fault(wire.StatusRefused, gasBase, "malformed part of code"), nil
	case inv.GasLimit < gas:
		return fault(wire.StatusOutOfGas, inv.GasLimit, "storing this part costs %d gas", gas), nil
	}
	if hasCode(o, k.CodeHash) {
		return wire.Outcome{Status: wire.StatusDone, GasUsed: gasBase}, nil
	}
	prefix := append(identityKey(inv.From), k.CodeHash[:]...)
	u := upload{Of: k.Of}
	begun, err := load(o, systemKey("u/", prefix), &u)
	if err != nil {
		return wire.Outcome{}, err
	}
	if refusal := x.checkPart(o, inv, &u, begun); refusal != "" {
		return fault(wire.StatusRefused, gasBase, "%s", refusal), nil
	}
	key := systemKey("v/", prefix, be16(k.Part))
	if old, ok := o.Get(systemID, key); ok {
		u.Bytes -= uint32(len(old))
	}
	u.Have |= 1 << k.Part
	u.Bytes += uint32(len(part))
	u.Height = m.Height
	if u.Bytes > wire.MaxCode {
		return fault(wire.StatusLimit, gasBase, "code is over %d bytes", wire.MaxCode), nil
	}
	if err := o.Set(systemID, key, part); err != nil {
		return wire.Outcome{}, err
	}
	if err := save(o, systemKey("u/", prefix), &u); err != nil {
		return wire.Outcome{}, err
	}
	if u.Have != uint32(1<<u.Of-1) {
		return wire.Outcome{Status: wire.StatusDone, GasUsed: gas}, nil
	}
	return x.complete(ctx, o, inv, prefix, &u, gas)
}

// checkPart returns why a part is not taken, or nothing.
func (x *executor) checkPart(o *state.Overlay, inv *wire.Invocation, u *upload, begun bool) string {
	k := &inv.Kind
	if !begun {
		count := 0
		o.Ascend(systemID, systemKey("u/", identityKey(inv.From)), func(_, _ []byte) bool {
			count++
			return count < maxUploads
		})
		if count >= maxUploads {
			return "too many uploads are under way"
		}
		return ""
	}
	if u.Of != k.Of {
		return "an upload of this code in another number of parts is under way"
	}
	return ""
}

// complete joins the parts, checks the hash and validates the code. Where something is wrong, the last part is as if it
// had not come; any part may be sent again.
func (x *executor) complete(ctx context.Context, o *state.Overlay, inv *wire.Invocation, prefix []byte, u *upload, gas uint64) (wire.Outcome, error) {
	code := make([]byte, 0, u.Bytes)
	for part := range u.Of {
		b, _ := o.Get(systemID, systemKey("v/", prefix, be16(part)))
		code = append(code, b...)
	}
	gas += gasCompileByte * uint64(len(code))
	if inv.GasLimit < gas {
		return fault(wire.StatusOutOfGas, inv.GasLimit, "compiling this code costs %d gas", gas), nil
	}
	if err := dropUpload(o, prefix, u.Of); err != nil {
		return wire.Outcome{}, err
	}
	if wire.NewCodeHash(code) != inv.Kind.CodeHash {
		return fault(wire.StatusRefused, gas, "code has another hash"), nil
	}
	if _, err := x.engine.PrepareWith(ctx, code, x.compiled); errors.Is(err, contract.ErrBadModule) {
		return fault(wire.StatusRefused, gas, "%s", err.Error()), nil
	} else if err != nil {
		return wire.Outcome{}, err
	}
	x.written += len(code)
	if err := saveCode(o, inv.Kind.CodeHash, code); err != nil {
		return wire.Outcome{}, err
	}
	return wire.Outcome{Status: wire.StatusDone, GasUsed: gas}, nil
}

// hasCode reports whether the cluster has code of a hash, without reading it.
func hasCode(s reader, hash wire.CodeHash) bool {
	_, ok := s.Get(systemID, systemKey("s/", hash[:]))
	return ok
}

// codeSize gives the length of code in bytes without reading it, or false where the cluster has none of the hash.
func codeSize(s reader, hash wire.CodeHash) (uint64, bool) {
	b, ok := s.Get(systemID, systemKey("s/", hash[:]))
	if !ok {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

func saveCode(o *state.Overlay, hash wire.CodeHash, code []byte) error {
	if err := o.Set(systemID, systemKey("s/", hash[:]), be64(uint64(len(code)))); err != nil {
		return err
	}
	return o.Set(systemID, systemKey("w/", hash[:]), code)
}

func dropUpload(o *state.Overlay, prefix []byte, parts uint16) error {
	for part := range parts {
		if err := o.Delete(systemID, systemKey("v/", prefix, be16(part))); err != nil {
			return err
		}
	}
	return o.Delete(systemID, systemKey("u/", prefix))
}

// dropIdleUploads removes uploads whose last part is too long ago.
func dropIdleUploads(o *state.Overlay, height uint64) error {
	type idle struct {
		prefix []byte
		parts  uint16
	}
	var list []idle
	var err error
	o.Ascend(systemID, []byte("u/"), func(key, value []byte) bool {
		var u upload
		if err = unmarshal(value, &u); err != nil {
			return false
		}
		if u.Height+uploadExpiry < height {
			list = append(list, idle{append([]byte(nil), key[2:]...), u.Of})
		}
		return len(list) < maxIdleUploads
	})
	if err != nil {
		return err
	}
	for _, i := range list {
		if err := dropUpload(o, i.prefix, i.parts); err != nil {
			return err
		}
	}
	return nil
}
