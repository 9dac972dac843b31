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

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/tx"
)

// Hardware makes a network as production has it: no account decides anything, and simulated evidence does not count.
// Governance names the gatekeeper: the validators vote. The caller has the platform that the enclaves run on.
type Hardware struct {
	// Registry is the registry's genesis, of genesis.HardwareRegistry say; the intervals of the devnet replace its own.
	Registry *registrytypes.GenesisState
	// Program is the pruntime of every enclave, and Arguments are those that one is given beside its usual ones; both are
	// for this run only, as Relay, which are every relay's.
	Program   string
	Arguments func(id string) []string
	Relay     []string
	// VotingPeriod is how long governance votes.
	VotingPeriod time.Duration
}

// minimalDeposit is what a proposal of a devnet needs, in uphx.
const minimalDeposit = 1_000_000

func (h *Hardware) check() error {
	if h.Registry == nil || h.Program == "" || h.Arguments == nil || h.VotingPeriod < 2*time.Second {
		return fmt.Errorf("%w: hardware needs a registry, a program with its arguments, and at least two seconds to vote", ErrOptions)
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

// propose brings a message that governance alone may send to a vote, and has every validator say yes.
func (f *founder) propose(ctx context.Context, title string, message func(authority string) sdk.Msg) error {
	governance := account.Bech32([20]byte(authtypes.NewModuleAddress(govtypes.ModuleName)))
	inner, err := codectypes.NewAnyWithValue(message(governance))
	if err != nil {
		return err
	}
	result, err := f.send(ctx, []sdk.Msg{&govv1.MsgSubmitProposal{
		Messages: []*codectypes.Any{inner}, Proposer: f.sender.Address(), Title: title, Summary: title,
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

// named waits until the gatekeepers that governance has named are in force.
func (f *founder) named(ctx context.Context) error {
	return f.await(ctx, "the gatekeeper to be in force", nil, func() (bool, error) {
		var out registrytypes.QueryGatekeepersResponse
		err := f.query(ctx, "/phalanx.registry.v1.Query/Gatekeepers", &registrytypes.QueryGatekeepersRequest{}, &out)
		return err == nil && len(out.Identities) > 0, err
	})
}
