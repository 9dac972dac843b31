package testnet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cosmossdk.io/math"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/cosmos/gogoproto/proto"

	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/wire"
)

// Hardware makes a network as production has it: no account decides anything, and simulated evidence does not count.
// Governance names the gatekeeper and creates the cluster, whose workers have an operator each: the validators vote. The caller
// has the platform that the enclaves run on.
type Hardware struct {
	// Registry is the registry's genesis, of genesis.HardwareRegistry say; the intervals of the devnet replace its own.
	Registry *registrytypes.GenesisState
	// Program is the pruntime of every enclave. Pruntime and Relay return the arguments that an enclave's and its relay's are
	// given beside their usual ones. All three are for this run only.
	Program         string
	Pruntime, Relay func(id string) []string
	// VotingPeriod is how long governance votes.
	VotingPeriod time.Duration
}

// minimalDeposit is what a proposal of a devnet needs, in uphx.
const minimalDeposit = 1_000_000

func (h *Hardware) check() error {
	if h.Registry == nil || h.Program == "" || h.Pruntime == nil || h.Relay == nil || h.VotingPeriod < 2*time.Second {
		return fmt.Errorf("%w: hardware needs a registry, a program, arguments, and at least two seconds to vote", ErrOptions)
	}
	if h.Registry.Params.Network.Simulated {
		return fmt.Errorf("%w: hardware with a registry that takes the simulated platform", ErrOptions)
	}
	return nil
}

// governance is the genesis of x/gov, with a time to vote that a test can wait for.
func (h *Hardware) governance() proto.Message {
	g := govv1.DefaultGenesisState()
	p, half := g.Params, h.VotingPeriod/2
	p.VotingPeriod, p.ExpeditedVotingPeriod = &h.VotingPeriod, &half
	p.MinDeposit = sdk.NewCoins(sdk.NewInt64Coin(registrytypes.Denom, minimalDeposit))
	p.ExpeditedMinDeposit = sdk.NewCoins(sdk.NewInt64Coin(registrytypes.Denom, 2*minimalDeposit))
	return g
}

// founding has governance name the gatekeeper and create the cluster, in one proposal.
func (f *founder) founding(ctx context.Context, name *registrytypes.MsgNameGatekeepers, create *clustertypes.MsgCreateCluster) error {
	governance := account.Bech32([20]byte(authtypes.NewModuleAddress(govtypes.ModuleName)))
	name.Authority, create.Creator = governance, governance
	if err := f.propose(ctx, "Name the gatekeeper and create a cluster", name, create); err != nil {
		return err
	}
	var made clustertypes.QueryClustersResponse
	if err := f.query(ctx, "/phalanx.cluster.v1.Query/Clusters", &clustertypes.QueryClustersRequest{}, &made); err != nil {
		return err
	}
	if len(made.Clusters) != 1 {
		return fmt.Errorf("governance has created %d clusters", len(made.Clusters))
	}
	id, err := wire.ParseDigest[wire.ClusterID](made.Clusters[0].Id)
	if err != nil {
		return err
	}
	f.cluster = id
	f.say("governance has decided: cluster %s", id)
	return nil
}

// propose brings messages that governance alone may send to a vote, and has every validator say yes.
func (f *founder) propose(ctx context.Context, title string, messages ...sdk.Msg) error {
	var inner []*codectypes.Any
	for _, m := range messages {
		x, err := codectypes.NewAnyWithValue(m)
		if err != nil {
			return err
		}
		inner = append(inner, x)
	}
	result, err := f.send(ctx, []sdk.Msg{&govv1.MsgSubmitProposal{
		Messages: inner, Proposer: f.sender.Address(), Title: title, Summary: title,
		InitialDeposit: sdk.NewCoins(sdk.NewCoin(registrytypes.Denom, math.NewInt(minimalDeposit))),
	}})
	if err != nil {
		return fmt.Errorf("propose: %s: %w", title, err)
	}
	var answer govv1.MsgSubmitProposalResponse
	if err := result.Response(0, &answer); err != nil {
		return err
	}
	for _, name := range f.plan.Accounts {
		if strings.HasPrefix(name, validatorPrefix) {
			if err := f.vote(ctx, name, answer.ProposalId); err != nil {
				return fmt.Errorf("%s votes: %w", name, err)
			}
		}
	}
	f.say("proposal %d (%s) is voted on for %s", answer.ProposalId, title, f.hardware.VotingPeriod)
	return f.await(ctx, "governance to decide", nil, func() (bool, error) {
		var out govv1.QueryProposalResponse
		err := f.query(ctx, "/cosmos.gov.v1.Query/Proposal", &govv1.QueryProposalRequest{ProposalId: answer.ProposalId}, &out)
		if err != nil {
			return false, err
		}
		switch p := out.Proposal; p.Status {
		case govv1.StatusPassed:
			return true, nil
		case govv1.StatusVotingPeriod:
			return false, nil
		default:
			return false, fmt.Errorf("proposal %d is %s: %s", p.Id, p.Status, p.FailedReason)
		}
	})
}

func (f *founder) vote(ctx context.Context, name string, proposal uint64) error {
	voter, err := account.Open(f.plan.home).Get(name, nil)
	if err != nil {
		return err
	}
	defer voter.Zero()
	sender, err := tx.New(f.node, voter, tx.Config{ChainID: chainID})
	if err != nil {
		return err
	}
	_, err = sender.Do(ctx, tx.Options{Gas: bootstrapGas}, &govv1.MsgVote{ProposalId: proposal, Voter: sender.Address(), Option: govv1.OptionYes})
	return err
}
