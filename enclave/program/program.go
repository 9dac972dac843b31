// Package program is the command line of a pRuntime: the flags, the process's own protection, and the exit codes. The
// mains of cmd/pruntime and cmd/pruntime-sim choose the platform and call [Main].
package program

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/phalanx-network/phalanx/enclave"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// Exit codes.
const (
	exitDone  = 0
	exitFault = 1 // it could not start, or stopped for a fault
	exitUsage = 2
)

// Opener finds the platform and tells the log what it found; home is where a simulated one keeps its machine.
type Opener func(ctx context.Context, home string, log *slog.Logger) (enclave.Platform, error)

// Program is a pRuntime's command line.
type Program struct {
	Name    string
	Version string
	Banner  string // shown first, in red on a terminal; empty for none
	// Flags adds the platform's own flags to those that every pRuntime has, and Help says in --help what they are for.
	// Both may be left out.
	Flags func(*flag.FlagSet)
	Help  string
	Open  Opener
}

// readyLine is what the program prints when its doors are open: one line of JSON. Fields may be added, none changes.
type readyLine struct {
	enclave.Doors
	Platform string `json:"platform"` // the kind of its evidence
}

const usage = `%[1]s runs the enclave program of a Phalanx worker or gatekeeper; the chain gives the role.

  %[1]s --home DIR --chain-id ID --chain-uid HASH [--listen HOST:PORT]

When its doors are open it prints one line of JSON on standard output: {"identity","socket","endpoint","platform"}. A
relay connects to the socket; clients call the endpoint. A gatekeeper runs without --listen. Ctrl-C or SIGTERM stops it.

Example:
  %[1]s --home /var/lib/phalanx/worker --chain-id phalanx-1 --chain-uid 0x1f…9c --listen 127.0.0.1:8000

Queries of contracts may use HTTP. They reach the public internet on ports 80, 443 and from 1024 on, and no address of
the operator's network unless --http-allow names it:
  %[1]s … --http-allow 10.1.2.0/24 --http-refuse 198.51.100.7/32

A new release has a measurement of its own and cannot read what the old one sealed. It is started in a home of its own and
waits there for the old one's keys, which "phalanx pruntime handover" brings:
  %[1]s --home /var/lib/phalanx/worker-next --receive 0x4a…e1 --chain-id phalanx-1 --chain-uid 0x1f…9c --listen 127.0.0.1:8001

%[2]s
Flags:
`

type options struct {
	home, socket, listen, chainID, uid, trustHash, level string
	trustHeight                                          uint64
	trustingPeriod                                       time.Duration
	stage, receive                                       string
	noHTTP                                               bool
	allow, refuse                                        prefixes
	ports                                                ports
}

// Main runs the program with its arguments, without the program's name, and returns the exit code.
func (p Program) Main(args []string, stdout, stderr io.Writer) int {
	if err := protect(); err != nil {
		fmt.Fprintf(stderr, "%s: protecting the process: %v\n", p.Name, err)
		return exitFault
	}
	cfg, code := p.configure(args, stdout, stderr)
	if cfg == nil {
		return code
	}
	p.showBanner(stderr)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	platform, err := p.Open(ctx, cfg.Home, cfg.Log)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitFault
	}
	cfg.Platform = platform
	cfg.Ready = func(d enclave.Doors) {
		// A reader that has gone away is no reason to stop: the doors are open.
		_ = json.NewEncoder(stdout).Encode(readyLine{d, platform.Attester.Kind().String()})
	}
	if err := enclave.Run(ctx, *cfg); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitFault
	}
	return exitDone
}

// protect keeps secrets out of core dumps and other processes' reach, and stacks, whose words may hold secrets, out of
// crash reports.
func protect() error {
	debug.SetTraceback("none")
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("core dumps: %w", err)
	}
	return undumpable()
}

func (p Program) configure(args []string, stdout, stderr io.Writer) (*enclave.Config, int) {
	var o options
	fs := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintf(stderr, usage, p.Name, p.Help)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.home, "home", "", "directory of sealed keys and encrypted state (required)")
	fs.StringVar(&o.socket, "socket", "", "Unix socket for the relay (default HOME/relay.sock)")
	fs.StringVar(&o.listen, "listen", "", "host:port of the client port; none by default")
	fs.StringVar(&o.chainID, "chain-id", "", "id of the chain (required)")
	fs.StringVar(&o.uid, "chain-uid", "", "hash of the chain's first block header (required)")
	fs.Uint64Var(&o.trustHeight, "trust-height", 0, "height of another header to trust; needs --trust-hash")
	fs.StringVar(&o.trustHash, "trust-hash", "", "its hash. A new trust root erases what this enclave holds for others")
	fs.DurationVar(&o.trustingPeriod, "trusting-period", 14*24*time.Hour, "how long a header vouches for later ones; shorter than the chain's unbonding period")
	fs.StringVar(&o.stage, "stage", defaultStage, "directory on a file system in memory (tmpfs), through which compiled contracts are kept; empty for none")
	fs.BoolVar(&o.noHTTP, "no-http", false, "refuse every HTTP request of contracts")
	fs.Var(&o.allow, "http-allow", "addresses, as CIDR, that contracts may reach although they are not public; repeatable")
	fs.Var(&o.refuse, "http-refuse", "addresses, as CIDR, that contracts may not reach although they are public; repeatable")
	fs.Var(&o.ports, "http-port", "port below 1024 that contracts may reach beside 80 and 443; repeatable")
	fs.StringVar(&o.receive, "receive", "", "identity whose keys this release takes over from the one before; for a home without keys")
	fs.StringVar(&o.level, "log-level", "info", "debug, info, warn or error")
	if p.Flags != nil {
		p.Flags(fs)
	}
	version := fs.Bool("version", false, "print the version and exit")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, exitDone
	} else if err != nil {
		return nil, exitUsage
	}
	if *version {
		fmt.Fprintln(stdout, p.Name, p.Version)
		return nil, exitDone
	}
	cfg, err := o.config(p.Version, stderr)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\nRun '%s --help' for usage.\n", p.Name, err, p.Name)
		return nil, exitUsage
	}
	return cfg, exitDone
}

func (o options) config(software string, stderr io.Writer) (*enclave.Config, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	if o.home == "" || o.chainID == "" || o.uid == "" {
		return nil, errors.New("--home, --chain-id and --chain-uid are required")
	}
	home, err := filepath.Abs(o.home)
	if err != nil {
		return nil, fmt.Errorf("--home: %w", err)
	}
	uid, err := wire.ParseDigest[wire.ChainUID](o.uid)
	if err != nil {
		return nil, fmt.Errorf("--chain-uid: %w", err)
	}
	cfg := &enclave.Config{
		Home: home, Socket: o.socket, Listen: o.listen, ChainID: o.chainID, UID: uid,
		TrustingPeriod: o.trustingPeriod, Software: software, Rand: rand.Reader, Now: time.Now, Stage: o.stage,
		Outside: enclave.Outside{Off: o.noHTTP, Allowed: o.allow, Refused: o.refuse, Ports: o.ports},
		Log:     slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
	}
	if o.receive != "" {
		if err := cfg.Receive.UnmarshalText([]byte(o.receive)); err != nil {
			return nil, fmt.Errorf("--receive: %w", err)
		}
	}
	if (o.trustHeight == 0) != (o.trustHash == "") {
		return nil, errors.New("--trust-height and --trust-hash go together")
	}
	if o.trustHeight != 0 {
		hash, err := wire.ParseDigest[wire.Hash](o.trustHash)
		if err != nil {
			return nil, fmt.Errorf("--trust-hash: %w", err)
		}
		cfg.Trust = light.TrustRoot{Height: o.trustHeight, Hash: hash}
	}
	return cfg, nil
}

func (p Program) showBanner(stderr io.Writer) {
	if p.Banner == "" {
		return
	}
	if f, ok := stderr.(*os.File); ok && isTerminal(f) {
		fmt.Fprintf(stderr, "\x1b[1;31m%s\x1b[0m\n", p.Banner)
		return
	}
	fmt.Fprintln(stderr, p.Banner)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
