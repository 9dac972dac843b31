package client_test

import (
	"context"
	"fmt"
	"os"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/wire"
)

// ExampleClient_VerifyWorker verifies every member of a cluster, and so everybody who can read what is sent to it, under a
// policy that names the program.
func ExampleClient_VerifyWorker() {
	_ = func(ctx context.Context, c *client.Client, id wire.ClusterID) error {
		file, err := os.ReadFile("policy.json") // {"accept": [{"kind": "tdx", "measurements": ["..."]}]}
		if err != nil {
			return err
		}
		policy, err := attestation.ParsePolicy(file)
		if err != nil {
			return err
		}
		cluster, err := c.Cluster(ctx, id)
		if err != nil {
			return err
		}
		for _, member := range cluster.Record.Members {
			evidence, err := c.VerifyWorker(ctx, member.Identity, client.Judging{Policy: policy})
			if err != nil {
				return err
			}
			if err := evidence.Report.Err(); err != nil {
				return fmt.Errorf("member %s: %w", member.Identity, err)
			}
		}
		return nil
	}
}
