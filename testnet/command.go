package testnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/tee/simulated"
)

const (
	envHome      = "PHALANX_HOME"
	startTimeout = 2 * time.Minute
)

// DefaultHome returns the folder of the network: $PHALANX_HOME, else ~/.phalanx.
func DefaultHome() string {
	if home := os.Getenv(envHome); home != "" {
		return home
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return ".phalanx"
	}
	return filepath.Join(user, ".phalanx")
}

// Command returns `phalanx devnet`.
func Command() *cobra.Command {
	var o Options
	var home string
	cmd := &cobra.Command{
		Use:   "devnet",
		Short: "Run a whole network on this machine, for development",
		Long: "Run a whole network on this machine until Ctrl-C: validators, and workers and a gatekeeper on the simulated " +
			"platform, which gives no confidentiality. Its state stays in --home and is taken up again at the next start.\n\n" +
			"On standard output it prints a line that is exactly `ready`, then one line of JSON that says where everything is. " +
			"The accounts alice and bob hold coins; key files are unprotected.",
		Example: "  phalanx devnet\n  phalanx devnet --reset --workers 3\n  phalanx devnet restart worker-0",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Home = home
			inherit(cmd, &o)
			return o.serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.PersistentFlags().StringVar(&home, "home", DefaultHome(), "folder of the network (env "+envHome+")")
	f := cmd.Flags()
	f.BoolVar(&o.Reset, "reset", false, "begin anew; key files stay")
	f.IntVar(&o.Workers, "workers", DefaultWorkers, "number of workers")
	f.IntVar(&o.Gatekeepers, "gatekeepers", 1, "number of gatekeepers; this version runs with one")
	f.IntVar(&o.Validators, "validators", DefaultValidators, "number of validators")
	f.DurationVar(&o.BlockTime, "block-time", DefaultBlockTime, "pause after each block")
	f.Uint64Var(&o.MarkInterval, "mark-interval", 0, "blocks between two checkpoint marks (default 40; a new network only)")
	f.StringSliceVar(&o.HTTPAllow, "http-allow", nil, "addresses, as CIDR, that contracts may reach although they are not public, such as 127.0.0.0/8")
	f.StringVar(&o.Binaries.Pruntime, "pruntime", "", "the pruntime-sim program (default beside this one, or in PATH)")
	cmd.AddCommand(
		remoteCommand(&home, "restart ID", "Start a process of a running devnet again", (*Remote).Restart),
		remoteCommand(&home, "kill ID", "End a process of a running devnet by SIGKILL", (*Remote).Kill),
	)
	return cmd
}

// inherit leaves what was not asked for to the network that is in the home.
func inherit(cmd *cobra.Command, o *Options) {
	if o.Reset {
		return
	}
	for name, clear := range map[string]func(){
		"workers":    func() { o.Workers = 0 },
		"validators": func() { o.Validators = 0 },
		"block-time": func() { o.BlockTime = 0 },
	} {
		if !cmd.Flags().Changed(name) {
			clear()
		}
	}
}

// serve runs the network until a signal or ctx ends it.
func (o Options) serve(ctx context.Context, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	banner(stderr)
	o.Stderr = stderr
	if o.Binaries.Phalanx == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Binaries.Phalanx = self
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	d, err := Start(starting, o)
	cancel()
	if err != nil && ctx.Err() != nil {
		return nil // it was interrupted, and has stopped
	}
	if err != nil {
		return err
	}
	d.say("ready; home %s; Ctrl-C stops it", d.plan.home)
	if err := announce(d, stdout); err != nil {
		return errors.Join(err, d.Stop())
	}
	<-ctx.Done()
	fmt.Fprintln(stderr, "stopping")
	return d.Stop()
}

func announce(d *Devnet, stdout io.Writer) error {
	n, err := d.Network()
	if err != nil {
		return err
	}
	line, err := json.Marshal(n)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "ready\n%s\n", line)
	return err
}

func banner(stderr io.Writer) {
	fmt.Fprintf(stderr, "\x1b[1;31m%s\x1b[0m\n", simulated.Banner)
}

func remoteCommand(home *string, use, short string, do func(*Remote, context.Context, string) (Network, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Long:  short + ". ID is that of a node, worker or gatekeeper, or of an enclave's relay, such as worker-0/relay.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := do(Dial(*home), cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(n)
		},
	}
}
