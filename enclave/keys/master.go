package keys

import (
	"context"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/hierarchy"
)

// GenerateMasterKey draws the MasterKey, seals it and returns its public key k·G, for the announcement. While one is
// held it returns that one's, so that a restart announces the same.
func (k *Keyring) GenerateMasterKey(ctx context.Context) (group.Element, error) {
	var public group.Element
	err := k.change(ctx, func(s *state) error {
		if s.master != nil {
			public = s.master.Public()
			return errUnchanged
		}
		master, err := hierarchy.NewMasterKey(k.rand)
		if err != nil {
			return fmt.Errorf("keys: master key: %w", err)
		}
		s.master, public = master, master.Public()
		return nil
	})
	if err != nil {
		return group.Element{}, err
	}
	return public, nil
}

// MasterPublic returns the public key of the MasterKey; ok is false if none is held.
func (k *Keyring) MasterPublic() (public group.Element, ok bool) {
	_ = k.read(func(s *state) error { // once closed none is held
		if s.master != nil {
			public, ok = s.master.Public(), true
		}
		return nil
	})
	return public, ok
}

// ClusterKey derives a cluster's ClusterKey of a key epoch (protocol section 10). The caller hands it to attested
// members only, in envelopes of purpose KeyDistribution, and calls Zero. It fails with [ErrNoMasterKey].
func (k *Keyring) ClusterKey(cluster [32]byte, epoch uint32) (*hierarchy.ClusterKey, error) {
	var out *hierarchy.ClusterKey
	err := k.withMaster(func(m *hierarchy.MasterKey) (err error) {
		out, err = m.ClusterKey(cluster, epoch)
		return err
	})
	return out, err
}

// ClusterKeyElement returns k · HashToGroup(cluster ‖ epoch), from which hierarchy.ClusterKeyFrom derives the
// ClusterKey. It is as secret as the ClusterKey, although its type prints. It fails with [ErrNoMasterKey].
func (k *Keyring) ClusterKeyElement(cluster [32]byte, epoch uint32) (group.Element, error) {
	var out group.Element
	err := k.withMaster(func(m *hierarchy.MasterKey) error {
		b := m.ExposeBytes()
		scalar, err := group.ParseScalar(b)
		clear(b)
		if err != nil {
			return fmt.Errorf("keys: master key: %w", err)
		}
		defer scalar.Zero()
		out, err = hierarchy.Evaluate(scalar, cluster, epoch)
		return err
	})
	return out, err
}

func (k *Keyring) withMaster(f func(*hierarchy.MasterKey) error) error {
	return k.read(func(s *state) error {
		if s.master == nil {
			return ErrNoMasterKey
		}
		return f(s.master)
	})
}
