// Command phalanx is the command line of the network: node, relay, devnet and client.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/phalanx-network/phalanx/cmd/phalanx/clientcmd"
)

func main() {
	cmd, err := root()
	if err == nil {
		cmd.SetArgs(clientcmd.Arguments(os.Args[1:]))
		err = cmd.ExecuteContext(context.Background())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "phalanx: %v\n", err)
		os.Exit(exitCode(err))
	}
}
