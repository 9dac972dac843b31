package clientcmd

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"cosmossdk.io/math"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/spf13/cobra"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/tx"
)

// proposalCommand is what validators and those who hold stake need of x/gov.
func proposalCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "proposal", Short: "Governance: look at proposals and vote", Args: cobra.NoArgs,
		Long: "Governance. Who holds bonded stake votes with its weight. A proposal passes only if two thirds of all bonded stake say " +
			"yes, but for texts, payments from the community pool and cancelled upgrades, which a majority of those who vote decides.",
	}
	o.addTo(cmd)
	cmd.AddCommand(proposalListCommand(o), proposalShowCommand(o), proposalVoteCommand(o))
	return cmd
}

// proposing are the flags of commands that bring something to governance.
type proposing struct {
	*options
	payer, deposit, title, summary string
}

func (p *proposing) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.payer, "payer", "", "key whose account proposes, pays and deposits")
	cmd.Flags().StringVar(&p.deposit, "deposit", "", "coins to deposit (default: what the network asks); they come back unless the proposal is vetoed")
	cmd.Flags().StringVar(&p.title, "title", "", "the proposal's title (default: what it changes)")
	cmd.Flags().StringVar(&p.summary, "summary", "", "why, for those who vote")
	required(cmd, "payer")
}

// decided is how far a change has come.
type decided struct {
	Proposal uint64 `json:"proposal,omitempty"` // 0 where the authority decided it at once
	Height   uint64 `json:"height"`
	TxHash   string `json:"tx_hash"`
}

func (d decided) text(w io.Writer) {
	if d.Proposal == 0 {
		fmt.Fprintf(w, "decided by the registry's authority\nheight    %d\n", d.Height)
		return
	}
	fmt.Fprintf(w, "proposal  %d\nheight    %d\n\nVote with:  phalanx proposal vote %d yes --payer KEY\n", d.Proposal, d.Height, d.Proposal)
}

// decide has the payer decide a message as the registry's authority, where it is, and otherwise propose it.
func (p *proposing) decide(ctx context.Context, s *session, what string, message func(authority string) sdk.Msg) (result, error) {
	_, sender, err := s.poster(p.payer, "payer")
	if err != nil {
		return nil, err
	}
	params, err := s.registryParams(ctx)
	if err != nil {
		return nil, err
	}
	if params.Params.Authority == sender.Address() {
		r, err := sender.Do(ctx, tx.Options{}, message(sender.Address()))
		if err != nil {
			return nil, err
		}
		return decided{Height: r.Height, TxHash: upperHex(r.Hash)}, nil
	}
	deposit, err := p.coins(ctx, s)
	if err != nil {
		return nil, err
	}
	governance := account.Bech32([20]byte(authtypes.NewModuleAddress(govtypes.ModuleName)))
	inner, err := codectypes.NewAnyWithValue(message(governance))
	if err != nil {
		return nil, err
	}
	m := &govv1.MsgSubmitProposal{
		Messages: []*codectypes.Any{inner}, InitialDeposit: deposit, Proposer: sender.Address(), Title: p.title, Summary: p.summary,
	}
	if m.Title == "" {
		m.Title = strings.ToUpper(what[:1]) + what[1:]
	}
	if m.Summary == "" {
		m.Summary = m.Title
	}
	r, err := sender.Do(ctx, tx.Options{}, m)
	if err != nil {
		return nil, err
	}
	var answer govv1.MsgSubmitProposalResponse
	if err := r.Response(0, &answer); err != nil {
		return nil, err
	}
	return decided{Proposal: answer.ProposalId, Height: r.Height, TxHash: upperHex(r.Hash)}, nil
}

// coins is the deposit: as given, or what the network asks before it lets vote.
func (p *proposing) coins(ctx context.Context, s *session) (sdk.Coins, error) {
	if p.deposit != "" {
		amount, err := parseAmount(p.deposit)
		if err != nil {
			return nil, usage("--deposit: %v", errAmount)
		}
		return sdk.NewCoins(sdk.NewCoin(registrytypes.Denom, math.NewIntFromBigInt(amount.Big()))), nil
	}
	var answer govv1.QueryParamsResponse
	if err := s.node.Query(ctx, "/cosmos.gov.v1.Query/Params", &govv1.QueryParamsRequest{ParamsType: "deposit"}, &answer); err != nil {
		return nil, err
	}
	if answer.Params == nil {
		return nil, usage("the node does not say what deposit is asked; give --deposit")
	}
	return sdk.NewCoins(answer.Params.MinDeposit...), nil
}

// proposalView is a proposal as it is shown.
type proposalView struct {
	ID       uint64   `json:"id"`
	Title    string   `json:"title"`
	Summary  string   `json:"summary"`
	Messages []string `json:"messages"` // types
	Status   string   `json:"status"`
	Reason   string   `json:"failed_reason,omitempty"`
	Ends     string   `json:"voting_ends,omitempty"` // RFC 3339
	Yes      string   `json:"yes"`                   // uphx of bonded stake, as the other three
	No       string   `json:"no"`
	Abstain  string   `json:"abstain"`
	Veto     string   `json:"veto"`
}

func viewOfProposal(p *govv1.Proposal, t *govv1.TallyResult) proposalView {
	v := proposalView{
		ID: p.Id, Title: p.Title, Summary: p.Summary, Messages: []string{}, Reason: p.FailedReason,
		Status: strings.ToLower(strings.TrimPrefix(p.Status.String(), "PROPOSAL_STATUS_")),
	}
	for _, m := range p.Messages {
		v.Messages = append(v.Messages, strings.TrimPrefix(m.TypeUrl, "/"))
	}
	if p.VotingEndTime != nil {
		v.Ends = p.VotingEndTime.UTC().Format(time.RFC3339)
	}
	if t != nil {
		v.Yes, v.No, v.Abstain, v.Veto = t.YesCount, t.NoCount, t.AbstainCount, t.NoWithVetoCount
	}
	return v
}

func (v proposalView) text(w io.Writer) {
	fmt.Fprintf(w, "proposal  %d\ntitle     %s\n", v.ID, v.Title)
	if v.Summary != v.Title {
		fmt.Fprintf(w, "summary   %s\n", v.Summary)
	}
	fmt.Fprintf(w, "does      %s\nstatus    %s\n", strings.Join(v.Messages, ", "), v.Status)
	if v.Reason != "" {
		fmt.Fprintf(w, "failed    %s\n", v.Reason)
	}
	if v.Ends != "" {
		fmt.Fprintf(w, "voting    until %s\n", v.Ends)
	}
	fmt.Fprintf(w, "yes       %s uphx\nno        %s\nabstain   %s\nveto      %s\n", v.Yes, v.No, v.Abstain, v.Veto)
}

type proposalList struct {
	Proposals []proposalView `json:"proposals"`
}

func (l proposalList) text(w io.Writer) {
	if len(l.Proposals) == 0 {
		fmt.Fprintln(w, "no proposals")
	}
	for _, v := range l.Proposals {
		fmt.Fprintf(w, "%-6d %-16s %s\n", v.ID, v.Status, v.Title)
	}
}

func proposalListCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the newest hundred proposals, on the node's word", Args: cobra.NoArgs,
		Example: "  phalanx proposal list",
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) {
			request := &govv1.QueryProposalsRequest{Pagination: newestFirst()}
			var answer govv1.QueryProposalsResponse
			if err := s.node.Query(ctx, "/cosmos.gov.v1.Query/Proposals", request, &answer); err != nil {
				return nil, err
			}
			list := proposalList{Proposals: []proposalView{}}
			for _, p := range answer.Proposals {
				list.Proposals = append(list.Proposals, viewOfProposal(p, p.FinalTallyResult))
			}
			return list, nil
		}),
	}
}

func proposalShowCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a proposal and its votes, on the node's word", Args: cobra.ExactArgs(1),
		Example: "  phalanx proposal show 1 -o json",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			id, err := proposalID(args[0])
			if err != nil {
				return nil, err
			}
			var answer govv1.QueryProposalResponse
			if err := s.node.Query(ctx, "/cosmos.gov.v1.Query/Proposal", &govv1.QueryProposalRequest{ProposalId: id}, &answer); err != nil {
				return nil, err
			}
			if answer.Proposal == nil {
				return nil, usage("there is no proposal %d", id)
			}
			var tally govv1.QueryTallyResultResponse
			if err := s.node.Query(ctx, "/cosmos.gov.v1.Query/TallyResult", &govv1.QueryTallyResultRequest{ProposalId: id}, &tally); err != nil {
				return nil, err
			}
			return viewOfProposal(answer.Proposal, tally.Tally), nil
		}),
	}
}

// votes are the words for x/gov's options.
var votes = map[string]govv1.VoteOption{
	"yes": govv1.OptionYes, "no": govv1.OptionNo, "abstain": govv1.OptionAbstain, "veto": govv1.OptionNoWithVeto,
}

// voted says that a vote is in a block.
type voted struct {
	Proposal uint64 `json:"proposal"`
	Vote     string `json:"vote"`
	Height   uint64 `json:"height"`
	TxHash   string `json:"tx_hash"`
}

func (v voted) text(w io.Writer) {
	fmt.Fprintf(w, "voted     %s on proposal %d\nheight    %d\n", v.Vote, v.Proposal, v.Height)
}

func proposalVoteCommand(o *options) *cobra.Command {
	var payer string
	cmd := &cobra.Command{
		Use: "vote ID yes|no|abstain|veto", Short: "Vote with an account's bonded stake", Args: cobra.ExactArgs(2),
		Example: "  phalanx proposal vote 1 yes --payer validator",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			id, err := proposalID(args[0])
			if err != nil {
				return nil, err
			}
			option, ok := votes[args[1]]
			if !ok {
				return nil, usage("%q is no vote: it is yes, no, abstain or veto", args[1])
			}
			_, sender, err := s.poster(payer, "payer")
			if err != nil {
				return nil, err
			}
			r, err := sender.Do(ctx, tx.Options{}, &govv1.MsgVote{ProposalId: id, Voter: sender.Address(), Option: option})
			if err != nil {
				return nil, err
			}
			return voted{id, args[1], r.Height, upperHex(r.Hash)}, nil
		}),
	}
	cmd.Flags().StringVar(&payer, "payer", "", "key whose account votes and pays")
	required(cmd, "payer")
	return cmd
}

func newestFirst() *query.PageRequest { return &query.PageRequest{Limit: 100, Reverse: true} }

func proposalID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, usage("%q is no proposal's number", text)
	}
	return id, nil
}
