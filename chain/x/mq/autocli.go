package mq

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
)

// AutoCLIOptions describes the commands of Query. Msg is left out: the phalanx client encrypts what it pushes, and
// relays submit; neither is for typing.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "phalanx.mq.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod:      "Head",
					Use:            "head [topic]",
					Short:          "Query a topic's running head",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "topic"}},
				},
				{
					RpcMethod:      "Sequence",
					Use:            "sequence [identity]",
					Short:          "Query how far an enclave's messages have been accepted",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "identity"}},
				},
				{
					RpcMethod: "Messages",
					Use:       "messages [topic] [from]",
					Short:     "Query a topic's messages from an index on",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{
						{ProtoField: "topic"}, {ProtoField: "from"},
					},
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phalanx.mq.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Push", Skip: true},
				{RpcMethod: "Submit", Skip: true},
			},
		},
	}
}
