package types

import (
	"bytes"
	"fmt"
)

// DefaultGenesisState has no cluster.
func DefaultGenesisState() *GenesisState { return &GenesisState{} }

// Validate checks that the keys ascend. What the records hold the keeper's CheckGenesis looks at.
func (g *GenesisState) Validate() error {
	for i := 1; i < len(g.Records); i++ {
		if bytes.Compare(g.Records[i-1].Key, g.Records[i].Key) >= 0 {
			return fmt.Errorf("cluster genesis: record %d is out of order", i)
		}
	}
	return nil
}
