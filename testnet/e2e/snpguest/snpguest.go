// Package snpguest carries the device of an imitated SEV-SNP guest from the process that holds the imitated machine to a
// pRuntime: [Serve] answers at a Unix socket for a guest, and [Device] is that guest at the other end, as package
// tee/sevsnp/device wants it. It is for tests, and says nothing about real devices.
//
// Each connection carries one [request] and one [reply] in JSON, of at most 64 KiB.
package snpguest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
)

const (
	maxMessage = 64 << 10
	timeout    = 10 * time.Second
)

// ErrDevice says that the other end does not answer as it should.
var ErrDevice = errors.New("imitated guest device")

// Guest is what is served.
type Guest interface {
	device.Reports
	device.Deriver
}

// request asks for a report, or for a derived key where Key is there.
type request struct {
	Data []byte             `json:"data,omitempty"` // report data: 64 bytes
	VMPL uint32             `json:"vmpl"`
	Key  *device.KeyRequest `json:"key,omitempty"`
}

type reply struct {
	Report  []byte                `json:"report,omitempty"` // 1184 bytes
	Table   []byte                `json:"table,omitempty"`
	Derived []byte                `json:"derived,omitempty"` // 32 bytes
	Refused *device.FirmwareError `json:"refused,omitempty"`
	Error   string                `json:"error,omitempty"`
}

// Serve answers for a guest until the listener is closed, one connection after the other, and then returns nil.
func Serve(l net.Listener, g Guest) error {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		// A caller that has gone, or asked for nothing, is told by the end of its connection.
		_ = errors.Join(serve(c, g), c.Close())
	}
}

func serve(c net.Conn, g Guest) error {
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var q request
	if err := json.NewDecoder(io.LimitReader(c, maxMessage)).Decode(&q); err != nil {
		return err
	}
	return json.NewEncoder(c).Encode(answer(ctx, g, q))
}

func answer(ctx context.Context, g Guest, q request) (r reply) {
	var err error
	switch {
	case q.Key != nil:
		var key [32]byte
		key, err = g.DeriveKey(ctx, *q.Key)
		r.Derived = key[:]
	case len(q.Data) == sevsnp.ReportDataSize:
		r.Report, r.Table, err = g.Report(ctx, [sevsnp.ReportDataSize]byte(q.Data), q.VMPL)
	default:
		err = fmt.Errorf("report data of %d bytes", len(q.Data))
	}
	if err == nil {
		return r
	}
	r = reply{}
	if !errors.As(err, &r.Refused) {
		r.Error = err.Error()
	}
	return r
}

// Device is the guest behind a Unix socket.
type Device struct{ Path string }

var _ Guest = Device{}

// Report asks for a report. Whether it is one is for package device to check.
func (d Device) Report(ctx context.Context, data [sevsnp.ReportDataSize]byte, vmpl uint32) (report, table []byte, err error) {
	r, err := d.ask(ctx, request{Data: data[:], VMPL: vmpl})
	return r.Report, r.Table, err
}

// DeriveKey asks for a derived key.
func (d Device) DeriveKey(ctx context.Context, q device.KeyRequest) (key [32]byte, err error) {
	r, err := d.ask(ctx, request{Key: &q})
	if err != nil {
		return key, err
	}
	if len(r.Derived) != len(key) {
		return key, fmt.Errorf("%w: a key of %d bytes", ErrDevice, len(r.Derived))
	}
	return [32]byte(r.Derived), nil
}

func (d Device) ask(ctx context.Context, q request) (r reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", d.Path)
	if err != nil {
		return r, fmt.Errorf("%w: %w", device.ErrUnavailable, err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return r, err
	}
	if err := json.NewEncoder(c).Encode(q); err != nil {
		return r, fmt.Errorf("%w: %w", ErrDevice, err)
	}
	if err := json.NewDecoder(io.LimitReader(c, maxMessage)).Decode(&r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrDevice, err)
	}
	switch {
	case r.Refused != nil:
		return reply{}, r.Refused
	case r.Error != "":
		return reply{}, fmt.Errorf("%w: %s", ErrDevice, r.Error)
	}
	return r, nil
}
