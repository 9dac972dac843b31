package clientcmd

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client/handover"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
)

func pruntimeCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{Use: "pruntime", Short: "A pruntime of yours on this machine", Args: cobra.NoArgs}
	o.addTo(cmd)
	cmd.AddCommand(handoverCommand(o))
	return cmd
}

// handoverView is how a handover ended.
type handoverView struct {
	Worker      string `json:"worker"`
	Incarnation string `json:"incarnation"`
	Role        string `json:"role"`
	Software    string `json:"software"`
	Measurement string `json:"measurement"`
	StateFiles  int    `json:"state_files"` // copied in this run
	StateBytes  int64  `json:"state_bytes"`
}

func (v handoverView) text(w io.Writer) {
	fmt.Fprintf(w, "worker      %s\nincarnation %s, of the new release, is active as %s\nsoftware    %s\nmeasurement %s\n",
		v.Worker, v.Incarnation, v.Role, v.Software, v.Measurement)
	fmt.Fprintln(w, "The old pruntime holds no keys any more: stop it and its relay. Keep its home until the new one runs its clusters.")
}

func handoverCommand(o *options) *cobra.Command {
	var from, to, name string
	var cfg handover.Config
	var services collateral.Flags
	cmd := &cobra.Command{
		Use: "handover", Short: "Hand a worker's or gatekeeper's keys over to a new release", Args: cobra.NoArgs,
		Long: "Hand a worker's or gatekeeper's keys over to a new release of pruntime.\n\n" +
			"Both run, each with its relay: the old one as ever, the new one with a home of its own and --receive IDENTITY. Governance " +
			"must have allowed the new release's measurement. Only the account that operates the worker may ask. The command waits at " +
			"every step and says for what; when it or anything else was interrupted, run it again.",
		Example: "  pruntime --home /var/lib/phalanx/w2 --receive 0x52aa… --chain-id … --chain-uid … --listen 0.0.0.0:8001 &\n" +
			"  phalanx relay --socket /var/lib/phalanx/w2/relay.sock --account operator --node … --endpoint https://worker.example.org:8001 &\n" +
			"  phalanx pruntime handover --from /var/lib/phalanx/w1/relay.sock --to /var/lib/phalanx/w2/relay.sock \\\n" +
			"    --from-home /var/lib/phalanx/w1 --to-home /var/lib/phalanx/w2 --account operator",
		PreRunE: func(*cobra.Command, []string) error {
			if (cfg.FromHome == "") != (cfg.ToHome == "") {
				return usage("--from-home and --to-home belong together")
			}
			if cfg.FromHome != "" && cfg.WithoutState {
				return usage("--without-state is for where no home is given")
			}
			return nil
		},
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) {
			a, sender, err := s.poster(name, "account")
			if err != nil {
				return nil, err
			}
			source, err := sourceOf(&services)
			if err != nil {
				return nil, err
			}
			cfg.Complete = func(ctx context.Context, evidence []byte) ([]byte, error) { return completed(ctx, source, evidence) }
			cfg.Old, cfg.New = handover.Dial(from), handover.Dial(to)
			cfg.Chain, cfg.Payer, cfg.Account = s.client, sender, a.Address()
			cfg.Say = func(format string, args ...any) {
				s.progress.clear()
				fmt.Fprintf(s.err, format+"\n", args...)
			}
			r, err := handover.Run(ctx, cfg)
			if err != nil {
				return nil, err
			}
			return handoverView{
				Worker: r.Identity.String(), Incarnation: r.Incarnation.String(), Role: r.Role, Software: printable([]byte(r.Software)),
				Measurement: hex.EncodeToString(r.Measurement), StateFiles: r.State.Files, StateBytes: r.State.Bytes,
			}, nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the old pruntime's Unix socket for its relay")
	f.StringVar(&to, "to", "", "the new pruntime's")
	f.StringVar(&cfg.FromHome, "from-home", "", "the old pruntime's home, whose encrypted state is copied")
	f.StringVar(&cfg.ToHome, "to-home", "", "the new pruntime's home")
	f.BoolVar(&cfg.WithoutState, "without-state", false, "copy no state although the worker is the only member of a cluster")
	f.StringVar(&name, "account", "", "key of the account that operates the worker")
	services.AddTo(f, "collateral-")
	for _, flag := range []string{"from", "to", "account"} {
		required(cmd, flag)
	}
	return cmd
}

// completed adds the maker's collateral to evidence in SCALE.
func completed(ctx context.Context, source *collateral.Source, raw []byte) ([]byte, error) {
	var ev tee.Evidence
	if err := scale.Unmarshal(raw, &ev); err != nil {
		return nil, fmt.Errorf("evidence of the new release: %w", err)
	}
	ev, _, err := source.Complete(ctx, ev)
	if err != nil {
		return nil, err
	}
	return scale.Marshal(&ev)
}
