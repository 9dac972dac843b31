package clientcmd

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/spf13/cobra"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

const policyLong = `The policy says which evidence validators believe: which TEEs, which programs, which state of the platform. It is in the genesis and
changed by governance: two thirds of all bonded stake must say yes, and it comes into force after the network's delay.

A policy is a file of JSON:

  {"accept": [{"kind": "sev-snp", "measurements": ["5f0c…"]},
              {"kind": "tdx", "measurements": [{"mrtd": "…", "rtmr0": "…", "rtmr1": "…", "rtmr2": "…"}], "max_age": 3600}],
   "statuses": ["UpToDate", "SWHardeningNeeded"], "tcb_floors": {"Milan": {"snp": 23}}, "require_crl": true,
   "min_evaluation": 18, "min_confidence": 5, "gatekeeper_confidence": 1}`

func policyCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "policy", Short: "The network's policy on evidence", Args: cobra.NoArgs, Long: policyLong,
		Example: "  phalanx policy check policy.json\n  phalanx policy propose policy.json --payer alice\n  phalanx policy show",
	}
	o.addTo(cmd)
	cmd.AddCommand(policyShowCommand(o), policyCheckCommand(o), policyGenesisCommand(o), policyProposeCommand(o))
	return cmd
}

// policyView is a policy as it is shown; its JSON is a policy file.
type policyView struct {
	*attestation.ForChain
	roots tee.Roots
	since uint64
	next  *policyView
}

func viewOfPolicy(policy, roots []byte, gatekeepers uint32, simulated bool) (*policyView, error) {
	trust, err := registrytypes.ParseTrust(policy, roots, gatekeepers, simulated)
	if err != nil {
		return nil, fmt.Errorf("the node's policy: %w", err)
	}
	of := attestation.OnChain{Policy: trust.Policy, Roots: trust.Roots, GatekeeperConfidence: trust.GatekeeperConfidence}
	return &policyView{ForChain: attestation.FromChain(of), roots: trust.Roots}, nil
}

func (p *policyView) text(w io.Writer) {
	for _, rule := range p.Accept {
		fmt.Fprintf(w, "%s\n", rule.Kind)
		if len(rule.Measurements) == 0 {
			fmt.Fprintf(w, "  no program\n")
		}
		for _, m := range rule.Measurements {
			for i, name := range slices.Sorted(maps.Keys(m)) {
				mark := "program"
				if i > 0 {
					mark = "    and"
				}
				fmt.Fprintf(w, "  %s  %s %s\n", mark, name, m[name])
			}
		}
		if rule.MaxAge > 0 {
			fmt.Fprintf(w, "  at most %d s old, %d s ahead\n", rule.MaxAge, rule.MaxAhead)
		}
		if rule.MinEvaluation > 0 {
			fmt.Fprintf(w, "  collateral of evaluation %d or later\n", rule.MinEvaluation)
		}
	}
	for _, k := range p.roots.Kinds {
		for _, der := range k.Keys {
			fmt.Fprintf(w, "root of %-12s %s\n", k.Kind, rootWords(der))
		}
	}
	for _, product := range slices.Sorted(maps.Keys(p.TCBFloors)) {
		fmt.Fprintf(w, "least of %-11s %s\n", product, p.TCBFloors[product])
	}
	fmt.Fprintf(w, "statuses             %s\n", strings.Join(p.Statuses, ", "))
	fmt.Fprintf(w, "debug                %s\n", map[bool]string{true: "ALLOWED", false: "refused"}[p.AllowDebug])
	fmt.Fprintf(w, "AMD's lists          %s\n", map[bool]string{true: "needed", false: "not needed"}[p.RequireCRL])
	fmt.Fprintf(w, "confidence           workers %d or better, gatekeepers %d or better (1 is best, 0 takes the simulated platform)\n",
		p.MinConfidence, p.GatekeeperConfidence)
	if p.next != nil {
		fmt.Fprintf(w, "\nFrom height %d on:\n\n", p.next.since)
		p.next.text(w)
	}
}

func rootWords(der []byte) string {
	sum := sha256.Sum256(der)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return "key " + hex.EncodeToString(der)
	}
	return fmt.Sprintf("%s (SHA-256 %s)", cert.Subject.CommonName, hex.EncodeToString(sum[:]))
}

func policyShowCommand(o *options) *cobra.Command {
	var pending bool
	cmd := &cobra.Command{
		Use: "show", Short: "Show the policy in force and the one that is decided, on the node's word", Args: cobra.NoArgs,
		Long: "Show the policy in force and, where one is decided, the next. With -o json it is a policy file, from which the next can be written: " +
			"the policy in force, or with --pending the one that is decided.",
		Example: "  phalanx policy show\n  phalanx policy show -o json > policy.json\n  phalanx policy show --pending",
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) {
			answer, err := s.registryParams(ctx)
			if err != nil {
				return nil, err
			}
			p := answer.Params
			view, err := viewOfPolicy(p.Policy, p.Roots, p.GatekeeperConfidence, p.Network.Simulated)
			switch {
			case err != nil:
				return nil, err
			case answer.Pending == nil && pending:
				return nil, usage("no policy is decided but not yet in force")
			case answer.Pending == nil:
				return view, nil
			}
			next := answer.Pending
			if view.next, err = viewOfPolicy(next.Policy, next.Roots, next.GatekeeperConfidence, p.Network.Simulated); err != nil {
				return nil, err
			}
			view.next.since = next.Since
			if pending {
				return nextPolicy{view.next}, nil
			}
			return view, nil
		}),
	}
	cmd.Flags().BoolVar(&pending, "pending", false, "only the policy that is decided and not yet in force")
	return cmd
}

// nextPolicy is a policy that is decided, alone.
type nextPolicy struct{ *policyView }

func (p nextPolicy) text(w io.Writer) {
	fmt.Fprintf(w, "From height %d on:\n\n", p.since)
	p.policyView.text(w)
}

func (s *session) registryParams(ctx context.Context) (*registrytypes.QueryParamsResponse, error) {
	var answer registrytypes.QueryParamsResponse
	err := s.node.Query(ctx, "/phalanx.registry.v1.Query/Params", &registrytypes.QueryParamsRequest{}, &answer)
	return &answer, err
}

// policyOf reads a policy file.
func policyOf(name string) (*attestation.ForChain, attestation.OnChain, error) {
	file, err := readBounded(name)
	if err != nil {
		return nil, attestation.OnChain{}, usage("%v", err)
	}
	p, err := attestation.ParseForChain(file)
	if err != nil {
		return nil, attestation.OnChain{}, usage("%s: %v", name, err)
	}
	c, err := p.Chain()
	return p, c, err
}

func policyCheckCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Check a policy file and show what it means", Args: cobra.ExactArgs(1),
		Example: "  phalanx policy check policy.json",
		RunE: o.run(func(_ context.Context, _ *session, args []string) (result, error) {
			_, c, err := policyOf(args[0])
			if err != nil {
				return nil, err
			}
			return &policyView{ForChain: attestation.FromChain(c), roots: c.Roots}, nil
		}),
	}
}

// policyWritten says which genesis file a policy went into.
type policyWritten struct {
	Genesis string `json:"genesis"`
}

func (p policyWritten) text(w io.Writer) { fmt.Fprintf(w, "wrote %s\n", p.Genesis) }

func policyGenesisCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "genesis POLICY GENESIS", Short: "Put a policy into the genesis file of a new network", Args: cobra.ExactArgs(2),
		Example: "  phalanx node init mine --home ./node --chain-id my-net\n  phalanx policy genesis policy.json ./node/config/genesis.json",
		RunE: o.run(func(_ context.Context, _ *session, args []string) (result, error) {
			_, c, err := policyOf(args[0])
			if err != nil {
				return nil, err
			}
			if err := writeGenesisPolicy(args[1], c); err != nil {
				return nil, fmt.Errorf("genesis file %s: %w", args[1], err)
			}
			return policyWritten{args[1]}, nil
		}),
	}
}

// writeGenesisPolicy replaces the policy, the roots and the gatekeepers' level in a genesis file, and leaves all else as it is.
func writeGenesisPolicy(name string, c attestation.OnChain) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	edits := map[string]any{
		"policy": scale.MustMarshal(&c.Policy), "roots": scale.MustMarshal(&c.Roots), "gatekeeper_confidence": c.GatekeeperConfidence,
	}
	out, err := edited(raw, []string{"app_state", registrytypes.ModuleName, "params"}, edits)
	if err != nil {
		return err
	}
	if err := fitsGenesis(out, c); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".genesis-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(out)
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}

// fitsGenesis checks that the network that a genesis file describes may have the policy.
func fitsGenesis(genesis []byte, c attestation.OnChain) error {
	var doc struct {
		State struct {
			Registry struct {
				Params struct {
					Network struct {
						Simulated bool `json:"simulated"`
					} `json:"network"`
				} `json:"params"`
			} `json:"registry"`
		} `json:"app_state"`
	}
	if err := json.Unmarshal(genesis, &doc); err != nil {
		return err
	}
	_, err := registrytypes.ParseTrust(scale.MustMarshal(&c.Policy), scale.MustMarshal(&c.Roots), uint32(c.GatekeeperConfidence),
		doc.State.Registry.Params.Network.Simulated)
	return err
}

// edited sets members of the object at a path within a JSON object.
func edited(raw []byte, path []string, edits map[string]any) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	if len(path) > 0 {
		inner, ok := object[path[0]]
		if !ok {
			return nil, fmt.Errorf("it has no %q: is it a genesis of this program?", path[0])
		}
		changed, err := edited(inner, path[1:], edits)
		if err != nil {
			return nil, err
		}
		object[path[0]] = changed
		return json.MarshalIndent(object, "", "  ")
	}
	for member, value := range edits {
		changed, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		object[member] = changed
	}
	return json.MarshalIndent(object, "", "  ")
}

func policyProposeCommand(o *options) *cobra.Command {
	p := &proposing{options: o}
	cmd := &cobra.Command{
		Use: "propose FILE", Short: "Propose a policy to governance", Args: cobra.ExactArgs(1),
		Long: "Propose a policy to governance, which votes on it with `phalanx proposal vote`. On a devnet, the key of the registry's authority " +
			"decides it at once.",
		Example: "  phalanx policy propose policy.json --payer alice --deposit 10phx\n  phalanx policy propose policy.json --payer authority",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			_, c, err := policyOf(args[0])
			if err != nil {
				return nil, err
			}
			return p.decide(ctx, s, "a policy on evidence", func(authority string) sdk.Msg {
				return &registrytypes.MsgUpdatePolicy{
					Authority: authority, Policy: scale.MustMarshal(&c.Policy), Roots: scale.MustMarshal(&c.Roots),
					GatekeeperConfidence: uint32(c.GatekeeperConfidence),
				}
			})
		}),
	}
	p.addTo(cmd)
	return cmd
}
