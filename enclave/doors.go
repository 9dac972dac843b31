package enclave

import (
	"context"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/rpc"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/wire"
)

// clusters are the worker's at the doors. While the identity's keys are another release's they are refused by that name.
type clusters struct {
	rpc.Clusters
	keys *keys.Keyring
}

// away returns why the identity's keys are not here.
func (c clusters) away() error {
	switch c.keys.Standing() {
	case keys.Receiving:
		return keys.ErrReceiving
	case keys.HandedOver:
		return keys.ErrHandedOver
	}
	return nil
}

// Query implements rpc.Clusters.
func (c clusters) Query(ctx context.Context, cluster wire.ClusterID, envelope []byte) ([]byte, error) {
	if err := c.away(); err != nil {
		return nil, err
	}
	return c.Clusters.Query(ctx, cluster, envelope)
}

// Receipt implements rpc.Clusters.
func (c clusters) Receipt(ctx context.Context, cluster wire.ClusterID, index uint64, wait bool) (worker.Receipt, error) {
	if err := c.away(); err != nil {
		return worker.Receipt{}, err
	}
	return c.Clusters.Receipt(ctx, cluster, index, wait)
}

// RequestState implements rpc.Clusters.
func (c clusters) RequestState(cluster wire.ClusterID, member sr25519.PublicKey) ([]byte, error) {
	if err := c.away(); err != nil {
		return nil, err
	}
	return c.Clusters.RequestState(cluster, member)
}

// ExportState implements rpc.Clusters.
func (c clusters) ExportState(ctx context.Context, request []byte, chunk uint32) (offer, envelope []byte, err error) {
	if err := c.away(); err != nil {
		return nil, nil, err
	}
	return c.Clusters.ExportState(ctx, request, chunk)
}

// ImportState implements rpc.Clusters.
func (c clusters) ImportState(ctx context.Context, offer []byte, index uint32, chunk []byte) (done bool, err error) {
	if err := c.away(); err != nil {
		return false, err
	}
	return c.Clusters.ImportState(ctx, offer, index, chunk)
}
