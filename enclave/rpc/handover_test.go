package rpc

import (
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/enclave/handover"
	"github.com/phalanx-network/phalanx/enclave/keys"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// The three calls of a handover bound what they take, and their codes say whether to ask again.
func TestHandoverCalls(t *testing.T) {
	f := &fake{}
	door := &relayDoor{f, fakeClusters{f}, fakeSelf{f}, fakeCustody{f}}
	prepare := func(operator []byte) error {
		_, err := door.PrepareHandover(t.Context(), connect.NewRequest(&pb.PrepareHandoverRequest{Operator: operator}))
		return err
	}
	accept := func(size int) error {
		_, err := door.AcceptHandover(t.Context(), connect.NewRequest(&pb.AcceptHandoverRequest{Offer: make([]byte, size)}))
		return err
	}
	given := func() error {
		_, err := door.Handover(t.Context(), connect.NewRequest(&pb.HandoverRequest{}))
		return err
	}
	if err := errors.Join(prepare(make([]byte, 20)), accept(1000), given()); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{prepare(nil), prepare(make([]byte, 21)), accept(keys.MaxOffer + 1)} {
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Error(err)
		}
	}
	for is, code := range map[error]connect.Code{
		handover.ErrNotReady: connect.CodeUnavailable, keys.ErrNotHandedOver: connect.CodeNotFound, keys.ErrOffer: connect.CodeInvalidArgument,
		handover.ErrNotAllowed: connect.CodeFailedPrecondition, keys.ErrNotReceiver: connect.CodeFailedPrecondition,
	} {
		f.err = fmt.Errorf("here: %w", is)
		for _, err := range []error{prepare(make([]byte, 20)), accept(1), given()} {
			if connect.CodeOf(err) != code || !errors.Is(err, is) {
				t.Errorf("%v: %v", is, err)
			}
		}
	}
}
