package testnet

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/phalanx-network/phalanx/wire"
)

// Defaults of [Options].
const (
	DefaultWorkers    = 2
	DefaultBlockTime  = 500 * time.Millisecond
	DefaultValidators = 1
)

// Bounds of a network on one machine.
const (
	maxWorkers    = 16
	maxValidators = 7
)

// Errors that a caller can act on.
var (
	// ErrOptions says that a network cannot be made as asked.
	ErrOptions = errors.New("bad devnet option")
	// ErrHomeInUse says that another devnet runs in the home.
	ErrHomeInUse = errors.New("another devnet runs in this home")
	// ErrOtherShape says that the home holds a network that was made with other options.
	ErrOtherShape = errors.New("the home holds a devnet made with other options; --reset begins anew")
	// ErrUnknownProcess says that the network has no process of that id.
	ErrUnknownProcess = errors.New("no such process")
)

// Options say what to run. Home is needed; zero values of the others mean their defaults, or for a network that exists
// what it was made with.
type Options struct {
	Home        string
	Workers     int
	Gatekeepers int // 1: the key management of this version has one holder
	Validators  int
	BlockTime   time.Duration // the pause after each block
	Reset       bool          // begin anew; key files stay
	Binaries    Binaries
	Stderr      io.Writer // progress, for people; nil for none
	// MarkInterval, BodyRetention and RotationInterval replace the devnet's parameters of those names, in blocks.
	MarkInterval, BodyRetention, RotationInterval uint64
	// HTTPAllow are addresses, as CIDR, that contracts may reach although they are not public; for this run only.
	HTTPAllow []string
	// Hardware, if not nil, makes a network without the simulated platform.
	Hardware *Hardware
}

// Process is a program of the network. A worker or gatekeeper is its pruntime; its relay is beside it.
type Process struct {
	ID       string `json:"id"`
	PID      int    `json:"pid"`       // 0 while it is down
	RelayPID int    `json:"relay_pid"` // 0 for nodes
	Endpoint string `json:"endpoint"`  // URL: a worker's client port, a node's RPC; empty for gatekeepers
	Home     string `json:"home"`
	Socket   string `json:"socket,omitempty"` // a pruntime's, for its relay
}

// AccountInfo is an account of the network's key store.
type AccountInfo struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Identity string `json:"identity"`
}

// Network is where a running network is found. It is HOME/network.json.
type Network struct {
	ChainID        string         `json:"chain_id"`
	UID            wire.ChainUID  `json:"chain_uid"`
	RPC            string         `json:"rpc"`
	GRPC           string         `json:"grpc"`
	Gateway        string         `json:"gateway"`
	TrustingPeriod string         `json:"trusting_period"`
	Nodes          []Process      `json:"nodes"`
	Workers        []Process      `json:"workers"`
	Gatekeepers    []Process      `json:"gatekeepers"`
	Cluster        wire.ClusterID `json:"cluster"`
	Accounts       []AccountInfo  `json:"accounts"`
}

func (o *Options) check() error {
	if o.Home == "" {
		return fmt.Errorf("%w: home is missing", ErrOptions)
	}
	for _, x := range []struct {
		name             string
		value, low, high int
	}{
		{"workers", o.Workers, 0, maxWorkers},
		{"validators", o.Validators, 0, maxValidators},
	} {
		if x.value < x.low || x.value > x.high {
			return fmt.Errorf("%w: %d %s; at most %d", ErrOptions, x.value, x.name, x.high)
		}
	}
	if o.Gatekeepers != 0 && o.Gatekeepers != 1 {
		return fmt.Errorf("%w: %d gatekeepers; this version's MasterKey has one holder", ErrOptions, o.Gatekeepers)
	}
	if o.BlockTime < 0 {
		return fmt.Errorf("%w: block time %s", ErrOptions, o.BlockTime)
	}
	if o.Hardware != nil {
		if err := o.Hardware.check(); err != nil {
			return err
		}
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	return nil
}
