package main

import (
	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/chain/node"
	"github.com/phalanx-network/phalanx/chain/x/cluster"
	"github.com/phalanx-network/phalanx/chain/x/mq"
	"github.com/phalanx-network/phalanx/chain/x/registry"
	"github.com/phalanx-network/phalanx/cmd/phalanx/clientcmd"
	"github.com/phalanx-network/phalanx/relay"
	"github.com/phalanx-network/phalanx/testnet"
	"github.com/phalanx-network/phalanx/testnet/demo"
	"github.com/phalanx-network/phalanx/version"
)

// root assembles the command line.
func root() (*cobra.Command, error) {
	cmd := &cobra.Command{
		Use:           "phalanx",
		Short:         "Confidential smart contracts in TEEs",
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	nodes, err := node.Command()
	if err != nil {
		return nil, err
	}
	cmd.AddCommand(nodes, relay.Command(), testnet.Command(), demo.Command())
	cmd.AddCommand(clientcmd.Commands()...)
	query, err := clientcmd.QueryCommand(registry.AppModule{}.AutoCLIOptions(), mq.AppModule{}.AutoCLIOptions(),
		cluster.AppModule{}.AutoCLIOptions())
	if err != nil {
		return nil, err
	}
	cmd.AddCommand(query)
	return cmd, nil
}

// exitCode is 1 for a contract's error, trap or refusal, and 2 for whatever keeps a program from running.
func exitCode(err error) int { return clientcmd.ExitCode(err) }
