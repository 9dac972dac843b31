package clientcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
)

// session is one run of a command.
type session struct {
	*options
	net      network
	client   *client.Client // nil for a command that needs no network
	node     *node.Node
	in       io.Reader
	out, err io.Writer
	progress *progress
	keys     *account.Store
	opened   []*account.Account // erased at the end
}

// result is what a command shows: JSON by its fields, and a form for people.
type result interface{ text(w io.Writer) }

// action is what a command does. A result is shown also where there is an error.
type action func(ctx context.Context, s *session, args []string) (result, error)

// online makes a command's action run on a verified network.
func (o *options) online(do action) func(*cobra.Command, []string) error {
	return o.run(func(ctx context.Context, s *session, args []string) (result, error) {
		ctx, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		if err := s.dial(ctx); err != nil {
			return nil, err
		}
		if err := s.warn(ctx); err != nil {
			return nil, err
		}
		return do(ctx, s, args)
	})
}

// run makes a command's action run.
func (o *options) run(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		if o.output != "text" && o.output != "json" {
			return usage("-o %s: it is text or json", o.output)
		}
		cmd.SilenceUsage = true
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		s := &session{
			options: o, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), keys: account.Open(o.home),
		}
		s.progress = newProgress(s.err)
		defer func() { err = errors.Join(err, s.close()) }()
		shown, err := do(ctx, s, plain(args))
		s.progress.stop()
		if shown != nil {
			err = errors.Join(err, s.show(shown))
		}
		if err = advise(err); err != nil {
			err = printableError{err}
		}
		return err
	}
}

// show writes a result, in which there may be text that contracts and others wrote.
func (s *session) show(r result) error {
	var out bytes.Buffer
	if s.output == "text" {
		r.text(&out)
		_, err := io.WriteString(s.out, printable(out.Bytes()))
		return err
	}
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return err
	}
	_, err := s.out.Write(escaped(out.Bytes()))
	return err
}

// dial verifies the network.
func (s *session) dial(ctx context.Context) error {
	var err error
	if s.net, err = s.network(); err != nil {
		return err
	}
	cfg, err := s.config(s.net)
	if err != nil {
		return err
	}
	if s.node, err = node.Dial(s.net.RPC); err != nil {
		return usage("--node: %v", err)
	}
	cfg.Node = s.node
	cfg.Progress = func(stage client.Stage) { s.progress.say(string(stage)) }
	s.client, err = client.Dial(ctx, cfg)
	return err
}

// warn says so where the network's enclaves need not be any.
func (s *session) warn(ctx context.Context) error {
	params, err := s.client.Params(ctx)
	if err != nil {
		return err
	}
	if params.Record.Simulated {
		s.note(red, "This network accepts simulated enclaves: it gives no confidentiality. Use it for tests only.")
	}
	return nil
}

const (
	red    = "31"
	yellow = "33"
)

// note writes a line to stderr, in colour on a terminal.
func (s *session) note(colour, format string, args ...any) {
	s.progress.clear()
	line := fmt.Sprintf(format, args...)
	if isTerminal(s.err) {
		line = "\x1b[" + colour + "m" + line + "\x1b[0m"
	}
	fmt.Fprintln(s.err, line)
}

func (s *session) close() error {
	s.progress.stop()
	for _, a := range s.opened {
		a.Zero()
	}
	var err error
	if s.client != nil {
		err = s.client.Close()
	}
	if s.node != nil {
		err = errors.Join(err, s.node.Close())
	}
	return err
}

// account opens a key of the key store.
func (s *session) account(name, flag string) (*account.Account, error) {
	if name == "" {
		return nil, usage("--%s is needed: the name of a key, see `phalanx keys list`", flag)
	}
	entry, err := s.keys.Entry(name)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	var passphrase []byte
	if entry.Protected {
		if passphrase, err = s.secret("passphrase of " + name); err != nil {
			return nil, err
		}
		defer clear(passphrase)
	}
	a, err := s.keys.Get(name, passphrase)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, name, err)
	}
	s.opened = append(s.opened, a)
	return a, nil
}

// who are the accounts of a command that posts: the one that signs inside the envelope, and the one that posts and pays.
type who struct {
	from  *account.Account
	payer *tx.Sender
	named string
}

// signer opens the accounts of --from and --payer; the payer is the account of --from where none is named.
func (s *session) signer(from, payer string) (who, error) {
	a, err := s.account(from, "from")
	if err != nil {
		return who{}, err
	}
	pays := a
	if payer != "" && payer != from {
		if pays, err = s.account(payer, "payer"); err != nil {
			return who{}, err
		}
	}
	sender, err := tx.New(s.node, pays, tx.Config{ChainID: s.net.ChainID})
	return who{from: a, payer: sender, named: pays.Bech32()}, err
}
