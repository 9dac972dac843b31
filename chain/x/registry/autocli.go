package registry

import autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

// AutoCLIOptions describes the module's commands. RegisterWorker is left out: a relay sends it; so is
// RequestHandover: `phalanx pruntime handover` does.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "phalanx.registry.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				command("Worker", "worker", "Query a worker or gatekeeper", "identity"),
				command("Workers", "workers", "Query all workers"),
				command("OperatorWorkers", "operator-workers", "Query an operator's workers", "operator"),
				command("Gatekeepers", "gatekeepers", "Query the gatekeepers"),
				command("Params", "params", "Query the parameters"),
				command("ChainUid", "chain-uid", "Query the chain's uid"),
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phalanx.registry.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "RegisterWorker", Skip: true},
				{RpcMethod: "RequestHandover", Skip: true},
				command("UpdateEndpoints", "update-endpoints", "Publish where a worker is reached", "identity"),
				{RpcMethod: "NameGatekeepers", Use: "name-gatekeepers [identity]...", Short: "Name the gatekeepers",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "identities", Varargs: true}}},
				{RpcMethod: "UpdatePolicy", Skip: true},
				{RpcMethod: "UpdateParams", Skip: true},
			},
		},
	}
}

// command describes one method whose arguments are the given fields in order.
func command(method, name, short string, fields ...string) *autocliv1.RpcCommandOptions {
	o := &autocliv1.RpcCommandOptions{RpcMethod: method, Use: name, Short: short}
	for _, f := range fields {
		o.Use += " [" + f + "]"
		o.PositionalArgs = append(o.PositionalArgs, &autocliv1.PositionalArgDescriptor{ProtoField: f})
	}
	return o
}
