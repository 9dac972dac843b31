package testnet

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/chain/app/genesis"
	chainnode "github.com/phalanx-network/phalanx/chain/node"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

// chainID is the name of every devnet; their uids tell them apart.
const chainID = "phalanx-devnet"

// trustingPeriod outlasts any pause of a devnet. unbonding lies beyond it, as it must.
const (
	trustingPeriod = 10 * 365 * 24 * time.Hour
	unbonding      = 11 * 365 * 24 * time.Hour
)

// Parameters of a devnet, in blocks.
const (
	markInterval       = 40
	rotationInterval   = 5_000
	rotationGrace      = 200
	registrationExpiry = 14_400
	bodyRetention      = 1_000
	gasPrice           = 10
)

const (
	funds = 1_000_000_000_000 // uphx of each account
	stake = 10_000_000        // of each validator
)

// Names of accounts.
const (
	authorityAccount = "authority"
	operatorPrefix   = "operator-"
	validatorPrefix  = "validator-"
)

// plan is what a network was made with: HOME/devnet.json.
type plan struct {
	BlockTime time.Duration `json:"block_time_ns"`
	Nodes     []nodePlan    `json:"nodes"`
	Enclaves  []enclavePlan `json:"enclaves"`
	Accounts  []string      `json:"accounts"`

	home string
}

type nodePlan struct {
	ID      string `json:"id"`
	RPC     string `json:"rpc"` // host:port, as the others
	GRPC    string `json:"grpc"`
	Gateway string `json:"gateway"`
}

type enclavePlan struct {
	ID         string `json:"id"`
	Gatekeeper bool   `json:"gatekeeper"`
	Listen     string `json:"listen"` // of the client port; empty for gatekeepers
	Peer       string `json:"peer"`   // of the relay's door for others; empty for gatekeepers
}

func (p *plan) path(parts ...string) string {
	return filepath.Join(append([]string{p.home}, parts...)...)
}
func (p *plan) nodeHome(n nodePlan) string { return p.path("nodes", n.ID) }

func (p *plan) enclaveHome(e enclavePlan) string {
	if e.Gatekeeper {
		return p.path("gatekeepers", e.ID)
	}
	return p.path("workers", e.ID)
}

// socket is short, for a socket's path has a bound of about 100 bytes.
func (p *plan) socket(e enclavePlan) string { return p.path("run", e.ID+".sock") }

const planFile = "devnet.json"

// openPlan reads the plan of the network in a home, or makes the network.
func openPlan(o Options) (*plan, error) {
	if o.Reset {
		if err := reset(o.Home); err != nil {
			return nil, err
		}
	}
	raw, err := os.ReadFile(filepath.Join(o.Home, planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return makePlan(o)
	}
	if err != nil {
		return nil, fmt.Errorf("devnet: %w", err)
	}
	p := &plan{home: o.Home}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("devnet: %s is damaged: %w", planFile, err)
	}
	if err := p.fits(o); err != nil {
		return nil, err
	}
	return p, p.freePorts()
}

// fits checks that the options that were given are those of the network.
func (p *plan) fits(o Options) error {
	workers := len(p.Enclaves) - 1
	if o.Workers != 0 && o.Workers != workers {
		return fmt.Errorf("%w: it has %d workers", ErrOtherShape, workers)
	}
	if o.Validators != 0 && o.Validators != len(p.Nodes) {
		return fmt.Errorf("%w: it has %d validators", ErrOtherShape, len(p.Nodes))
	}
	if o.BlockTime != 0 && o.BlockTime != p.BlockTime {
		return fmt.Errorf("%w: its block time is %s", ErrOtherShape, p.BlockTime)
	}
	return nil
}

// reset removes what a devnet made, but for the key files, which a user may have added to.
func reset(home string) error {
	for _, name := range []string{planFile, networkFile, "nodes", "workers", "gatekeepers", "logs", "run", "client", "contracts"} {
		if err := os.RemoveAll(filepath.Join(home, name)); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

// makePlan writes the folders of a new network. The plan comes last: without it nothing of the rest counts.
func makePlan(o Options) (*plan, error) {
	if err := reset(o.Home); err != nil { // what a start that did not come this far has left
		return nil, err
	}
	p := &plan{home: o.Home, BlockTime: o.BlockTime}
	if p.BlockTime == 0 {
		p.BlockTime = DefaultBlockTime
	}
	workers, validators := orDefault(o.Workers, DefaultWorkers), orDefault(o.Validators, DefaultValidators)
	p.Enclaves = append(p.Enclaves, enclavePlan{ID: "gatekeeper-0", Gatekeeper: true})
	for i := range workers {
		p.Enclaves = append(p.Enclaves, enclavePlan{ID: fmt.Sprintf("worker-%d", i), Listen: anyPort, Peer: anyPort})
	}
	if err := p.freePorts(); err != nil {
		return nil, err
	}
	if err := p.makeNodes(o, validators); err != nil {
		return nil, err
	}
	return p, p.save()
}

func orDefault(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func (p *plan) save() error {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(p.path(planFile), raw)
}

// makeNodes initializes the validators' folders with one genesis.
func (p *plan) makeNodes(o Options, count int) error {
	g := genesis.Options{ChainID: chainID, Time: time.Now().Add(-time.Second), UnbondingTime: unbonding}
	accounts := []string{"alice", "bob", authorityAccount}
	for _, e := range p.Enclaves {
		accounts = append(accounts, operatorPrefix+e.ID)
	}
	var peers []string
	var homes []string
	for i := range count {
		id := fmt.Sprintf("node-%d", i)
		s := chainnode.Defaults(p.path("nodes", id), id)
		s.BlockTime = p.BlockTime
		for _, address := range []*string{&s.P2P, &s.RPC, &s.GRPC, &s.Gateway} {
			var err error
			if *address, err = freeAddress(); err != nil {
				return err
			}
		}
		s.Peers = strings.Join(peers, ",") // each keeps up with all before it
		made, err := chainnode.Init(s)
		if err != nil {
			return err
		}
		peers = append(peers, made.NodeID+"@"+made.Settings.P2P)
		homes = append(homes, s.Home)
		p.Nodes = append(p.Nodes, nodePlan{id, made.Settings.RPC, made.Settings.GRPC, made.Settings.Gateway})
		name := validatorPrefix + id
		address, err := p.account(name)
		if err != nil {
			return err
		}
		accounts = append(accounts, name)
		g.Validators = append(g.Validators, genesis.Validator{
			Moniker: id, Operator: address, ConsensusKey: made.ConsensusKey, Stake: math.NewInt(stake),
		})
	}
	for _, name := range accounts {
		address, err := p.account(name)
		if err != nil {
			return err
		}
		g.Accounts = append(g.Accounts, genesis.Account{Address: address, Balance: math.NewInt(funds)})
	}
	p.Accounts = accounts
	authority, err := p.account(authorityAccount)
	if err != nil {
		return err
	}
	g.Modules = map[string]proto.Message{registrytypes.ModuleName: registry(o, authority)}
	if o.Hardware != nil {
		g.Modules[govtypes.ModuleName] = o.Hardware.governance()
	}
	doc, err := genesis.Build(g)
	if err != nil {
		return err
	}
	for _, home := range homes {
		if err := chainnode.WriteGenesis(home, doc); err != nil {
			return err
		}
	}
	return nil
}

// registry returns the registry's genesis: simulated evidence counts, and the authority is an account; or what the options
// have for a network on hardware.
func registry(o Options, authority sdk.AccAddress) *registrytypes.GenesisState {
	var g *registrytypes.GenesisState
	if o.Hardware != nil {
		g = o.Hardware.Registry
	} else {
		measurement := simulated.Measurement(pruntimeName)
		g = genesis.SimulatedRegistry(authority, measurement[:])
	}
	n := &g.Params.Network
	n.RegistrationExpiry, n.GasPrice = registrationExpiry, gasPrice
	n.MarkInterval, n.BodyRetention, n.RotationInterval = markInterval, bodyRetention, rotationInterval
	for _, x := range []struct {
		to   *uint64
		from uint64
	}{
		{&n.MarkInterval, o.MarkInterval}, {&n.BodyRetention, o.BodyRetention}, {&n.RotationInterval, o.RotationInterval},
	} {
		if x.from != 0 {
			*x.to = x.from
		}
	}
	n.RotationGrace = min(rotationGrace, n.RotationInterval/2)
	return g
}

// account returns the address of an account of the key store, made unprotected unless it is there.
func (p *plan) account(name string) (sdk.AccAddress, error) {
	store := account.Open(p.home)
	entry, err := store.Entry(name)
	if errors.Is(err, account.ErrUnknown) {
		a, err := account.Generate(rand.Reader)
		if err != nil {
			return nil, err
		}
		defer a.Zero()
		if err := store.Put(name, a, nil, rand.Reader); err != nil {
			return nil, err
		}
		address := a.Address()
		return address[:], nil
	}
	if err != nil {
		return nil, err
	}
	address, err := account.ParseBech32(entry.Address)
	return address[:], err
}

// anyPort stands for an address that is yet to be found.
const anyPort = "127.0.0.1:0"

// freePorts gives each enclave ports that are free now, the same as before where they are.
func (p *plan) freePorts() error {
	for i := range p.Enclaves {
		for _, address := range []*string{&p.Enclaves[i].Listen, &p.Enclaves[i].Peer} {
			if *address == "" || free(*address) {
				continue
			}
			var err error
			if *address, err = freeAddress(); err != nil {
				return fmt.Errorf("port of %s: %w", p.Enclaves[i].ID, err)
			}
		}
	}
	return nil
}

// free reports whether an address names a port that nobody listens on.
func free(address string) bool {
	if address == anyPort {
		return false
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}
