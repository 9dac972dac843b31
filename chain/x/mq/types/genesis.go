package types

import (
	"bytes"
	"fmt"

	"github.com/phalanx-network/phalanx/chain/queue"
)

// DefaultGenesisState is the empty queue.
func DefaultGenesisState() *GenesisState { return &GenesisState{} }

// Validate checks that every record is one of the module's and that their keys ascend.
func (g *GenesisState) Validate() error {
	for i, r := range g.Records {
		if i > 0 && bytes.Compare(g.Records[i-1].Key, r.Key) >= 0 {
			return fmt.Errorf("mq genesis: record %d is out of order", i)
		}
		if err := queue.CheckRecord(r.Key, r.Value); err != nil {
			return fmt.Errorf("mq genesis: record %d: %w", i, err)
		}
	}
	return nil
}
