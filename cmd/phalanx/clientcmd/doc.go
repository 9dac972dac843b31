// Package clientcmd is the part of the command line that users of a network need: keys, contracts, clusters, workers,
// status, attestation evidence. It links no node: [Commands] gives the commands to the root, [ExitCode] the code that an
// error ends with.
//
// Every command writes its result to stdout, for people or, with -o json, as one line of JSON; what else is to be said
// goes to stderr. A contract's failure is a result too: it is written, and the exit code tells.
package clientcmd

import "github.com/spf13/cobra"

// Commands returns the client's commands.
func Commands() []*cobra.Command {
	return []*cobra.Command{
		contractCommand(), clusterCommand(), workerCommand(), gatekeeperCommand(), statusCommand(), keysCommand(),
		coinsCommand(), attestationCommand(), policyCommand(), proposalCommand(), pruntimeCommand(), versionCommand(),
	}
}
