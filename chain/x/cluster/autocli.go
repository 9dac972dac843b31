package cluster

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
)

// AutoCLIOptions describes the module's commands. Deposit is left out: the phalanx client encrypts the beneficiary.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "phalanx.cluster.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				command("Cluster", "show", "Query a cluster", "cluster"),
				command("Clusters", "list", "Query all clusters"),
				command("Contract", "contract", "Query a contract", "contract"),
				command("Contracts", "contracts", "Query a cluster's contracts", "cluster"),
				command("Finalized", "finalized", "Query what was finalized for a mark", "cluster", "mark"),
				command("Reports", "reports", "Query who has reported what for a mark", "cluster", "mark"),
				command("Held", "held", "Query a cluster's withdrawals that could not be paid", "cluster"),
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phalanx.cluster.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				variadic("CreateCluster", "create", "Make a cluster of workers", "members"),
				variadic("AddMembers", "add-members", "Add workers to a cluster", "cluster", "members"),
				variadic("RemoveMembers", "remove-members", "Remove workers from a cluster", "cluster", "members"),
				{RpcMethod: "Deposit", Skip: true},
				{RpcMethod: "ReleaseHeld", Skip: true},
			},
		},
	}
}

// command describes an RPC whose named fields are positional arguments.
func command(method, name, short string, fields ...string) *autocliv1.RpcCommandOptions {
	o := &autocliv1.RpcCommandOptions{RpcMethod: method, Use: name, Short: short}
	for _, f := range fields {
		o.Use += " [" + f + "]"
		o.PositionalArgs = append(o.PositionalArgs, &autocliv1.PositionalArgDescriptor{ProtoField: f})
	}
	return o
}

// variadic is command whose last argument may be repeated.
func variadic(method, name, short string, fields ...string) *autocliv1.RpcCommandOptions {
	o := command(method, name, short, fields...)
	o.Use += "..."
	o.PositionalArgs[len(o.PositionalArgs)-1].Varargs = true
	return o
}
