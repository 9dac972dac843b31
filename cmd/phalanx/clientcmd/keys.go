package clientcmd

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

func keysCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Keys of users: a chain account and an identity from one mnemonic",
		Long: `Keys of users. From one mnemonic come two keys that cannot be derived from each other: the account of the chain,
whose address (phx1…) posts, pays and is public, and the identity, which signs what is inside the encrypted messages
and which contracts see as their caller.`,
		Args: cobra.NoArgs,
	}
	o.addLocal(cmd)
	var protect bool
	add := &cobra.Command{
		Use: "add NAME", Short: "Make a new key; its mnemonic is shown this once", Args: cobra.ExactArgs(1),
		Example: "  phalanx keys add alice\n  phalanx keys add alice --protect",
		RunE: o.run(func(_ context.Context, s *session, args []string) (result, error) {
			a, err := account.Generate(rand.Reader)
			if err != nil {
				return nil, err
			}
			return s.keep(args[0], a, protect, true)
		}),
	}
	imports := &cobra.Command{
		Use: "import NAME", Short: "Take up a key from its mnemonic, read from stdin", Args: cobra.ExactArgs(1),
		Example: "  phalanx keys import alice < words.txt",
		RunE: o.run(func(_ context.Context, s *session, args []string) (result, error) {
			words, err := s.words()
			if err != nil {
				return nil, err
			}
			a, err := account.FromMnemonic(words)
			if err != nil {
				return nil, err
			}
			return s.keep(args[0], a, protect, false)
		}),
	}
	for _, c := range []*cobra.Command{add, imports} {
		c.Flags().BoolVar(&protect, "protect", false, "encrypt the key file with a passphrase")
	}
	cmd.AddCommand(add, imports, keysListCommand(o), keysShowCommand(o), keysExportCommand(o))
	return cmd
}

func keysListCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys", Args: cobra.NoArgs,
		RunE: o.run(func(_ context.Context, s *session, _ []string) (result, error) {
			entries, err := s.keys.List()
			if err != nil {
				return nil, err
			}
			out := keyList{Keys: []keyView{}}
			for _, e := range entries {
				out.Keys = append(out.Keys, view(e))
			}
			return out, nil
		}),
	}
}

func keysShowCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a key's address and identity", Args: cobra.ExactArgs(1),
		RunE: o.run(func(_ context.Context, s *session, args []string) (result, error) {
			e, err := s.keys.Entry(args[0])
			if err != nil {
				return nil, err
			}
			return view(e), nil
		}),
	}
}

func keysExportCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "export NAME", Short: "Write a key's mnemonic to stdout: whoever reads it has the key", Args: cobra.ExactArgs(1),
		Example: "  phalanx keys export alice | phalanx keys import alice --home /mnt/other",
		RunE: o.run(func(_ context.Context, s *session, args []string) (result, error) {
			a, err := s.account(args[0], "NAME")
			if err != nil {
				return nil, err
			}
			return mnemonic{Name: args[0], Mnemonic: a.ExposeMnemonic()}, nil
		}),
	}
}

// keep stores an account and shows it.
func (s *session) keep(name string, a *account.Account, protect, fresh bool) (result, error) {
	defer a.Zero()
	if err := account.CheckName(name); err != nil {
		return nil, err
	}
	var passphrase []byte
	if protect {
		var err error
		if passphrase, err = s.secret("new passphrase"); err != nil {
			return nil, err
		}
		defer clear(passphrase)
		if len(passphrase) == 0 {
			return nil, usage("the passphrase is empty")
		}
	}
	if err := s.keys.Put(name, a, passphrase, rand.Reader); err != nil {
		return nil, err
	}
	e, err := s.keys.Entry(name)
	if err != nil {
		return nil, err
	}
	out := added{keyView: view(e)}
	if fresh {
		out.Mnemonic = a.ExposeMnemonic()
	}
	if !protect {
		s.note(yellow, "The key file %s/%s.json is readable by its owner alone, and not encrypted; --protect encrypts it.", s.keys.Dir(), name)
	}
	return out, nil
}

const maxWords = 1024

// words reads a mnemonic.
func (s *session) words() (string, error) {
	if isTerminal(s.in) {
		b, err := s.hidden("mnemonic")
		return string(b), err
	}
	b, err := io.ReadAll(io.LimitReader(s.in, maxWords))
	if err != nil {
		return "", fmt.Errorf("mnemonic: %w", err)
	}
	defer clear(b)
	return strings.TrimSpace(string(b)), nil
}

// secret gets a passphrase: from its file or the terminal.
func (s *session) secret(what string) ([]byte, error) {
	if s.passphrase == "" {
		if !isTerminal(s.in) {
			return nil, usage("%s: there is no terminal to ask on; give --passphrase-file", what)
		}
		return s.hidden(what)
	}
	f, err := os.Open(s.passphrase)
	if err != nil {
		return nil, usage("--passphrase-file: %v", err)
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxWords)).ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("--passphrase-file: %w", err)
	}
	return trimEOL(line), nil
}

func trimEOL(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}

// hidden asks on the terminal without showing what is typed.
func (s *session) hidden(what string) ([]byte, error) {
	s.progress.clear()
	fmt.Fprintf(s.err, "%s: ", what)
	f, _ := s.in.(*os.File)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(s.err)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return b, nil
}

// keyView is what may be seen of a key.
type keyView struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	Identity  string `json:"identity"`
	AccountID string `json:"account_id"` // the identity as contracts and their arguments name it
	Protected bool   `json:"protected"`
}

func view(e account.Entry) keyView {
	v := keyView{Name: e.Name, Address: e.Address, Identity: e.Identity, Protected: e.Protected}
	var pk sr25519.PublicKey
	if pk.UnmarshalText([]byte(e.Identity)) == nil {
		v.AccountID, _ = ss58.Encode(pk.Array(), ss58.Generic) // the generic prefix always encodes
	}
	return v
}

func (k keyView) text(w io.Writer) {
	fmt.Fprintf(w, "name        %s\naddress     %s  (posts and pays; public)\nidentity    %s  (signs inside the envelope)\naccount id  %s  (the identity as contracts name it)\nprotected   %s\n",
		k.Name, k.Address, k.Identity, k.AccountID, yesNo(k.Protected))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

type keyList struct {
	Keys []keyView `json:"keys"`
}

func (l keyList) text(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tADDRESS\tACCOUNT ID\tPROTECTED")
	for _, k := range l.Keys {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.Name, k.Address, k.AccountID, yesNo(k.Protected))
	}
	t.Flush()
}

// added is a key that was just made. Its mnemonic is on its way to the user's eyes: this is the one place that shows it
// unasked.
type added struct {
	keyView
	Mnemonic string `json:"mnemonic,omitempty"`
}

func (a added) text(w io.Writer) {
	a.keyView.text(w)
	if a.Mnemonic != "" {
		fmt.Fprintf(w, "\nWrite these words down; they are shown this once and are all that the key can be recovered from:\n\n%s\n", a.Mnemonic)
	}
}

type mnemonic struct {
	Name     string `json:"name"`
	Mnemonic string `json:"mnemonic"`
}

func (m mnemonic) text(w io.Writer) { fmt.Fprintln(w, m.Mnemonic) }
