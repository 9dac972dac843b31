package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// Defaults of [Config].
const (
	DefaultTrustingPeriod = 14 * 24 * time.Hour
	// MaxAge is how far a block's time may be from the own clock for anything to be believed current.
	MaxAge = 60 * time.Second
)

// Node is what a client needs of a node; [node.Node] is one. Nothing that it says is believed without proof, but for
// the chain's refusals and for hints that only cost time when they are wrong.
type Node interface {
	Latest(ctx context.Context) (uint64, error)
	LightBlock(ctx context.Context, height uint64) ([]byte, error)
	Prove(ctx context.Context, key wire.RecordKey, state uint64) (node.Proof, error)
	Query(ctx context.Context, method string, request, response proto.Message) error
	Block(ctx context.Context, height uint64) (node.Block, error)
}

// Payer posts transactions from an account of the chain, which is public and pays; [tx.Sender] is one.
type Payer interface {
	// Address is the account's, as the chain writes it.
	Address() string
	// Do signs and broadcasts one transaction and waits until it is in a block.
	Do(ctx context.Context, o tx.Options, msgs ...sdk.Msg) (tx.Result, error)
}

// Config says which network a client speaks to, and with what.
type Config struct {
	ChainID string
	// UID is the hash of the chain's first header. It must come from a source other than the node.
	UID wire.ChainUID
	// NodeURL is the node's RPC address, such as http://127.0.0.1:26657. Node, where set, is used instead.
	NodeURL string
	Node    Node
	// TrustRoot is where trust begins; the zero value means the first header, whose hash is the UID.
	TrustRoot light.TrustRoot
	// TrustingPeriod is how long a verified header vouches for later ones; it must be shorter than the chain's unbonding
	// period. The zero value means [DefaultTrustingPeriod].
	TrustingPeriod time.Duration
	// CacheDir keeps the verified header, nonces and heights over restarts, in a directory for each network. It holds no
	// secret, but who can write there decides what is believed. Empty means that nothing outlives the client.
	CacheDir string
	// Now and Rand are the machine's by default. HTTP reaches workers; the default follows no redirects.
	Now  func() time.Time
	Rand io.Reader
	HTTP *http.Client
	// Attested, where set, is the policy that a worker's evidence must meet, judged here (see [Client.VerifyWorker]) before
	// the worker is asked for anything: one that it refuses gives [ErrNotAttested].
	Attested *attestation.Policy
	// Progress is told what is being awaited. It must return at once.
	Progress func(Stage)
}

// Stage says what a client is waiting for.
type Stage string

// Stages, in the order in which a command goes through them.
const (
	StageHeader   Stage = "verifying the chain"
	StageEvidence Stage = "verifying the worker's evidence"
	StageKey      Stage = "waiting for the cluster's key"
	StagePost     Stage = "waiting for a block with the transaction"
	StageReceipt  Stage = "waiting for a worker's receipt"
	StageFinal    Stage = "waiting for a checkpoint with the receipt"
	StageQuery    Stage = "waiting for the worker's reply"
	StageContract Stage = "waiting for the contract's registration"
)

// Client speaks to one network. It is safe for concurrent use. See the package comment.
type Client struct {
	cfg     Config
	node    Node
	headers *headers
	memory  *memory
	owned   io.Closer // the node, if Dial made it

	mu    sync.Mutex
	facts map[wire.RecordKey]fact

	judged judgements
}

// Dial verifies the chain up to its newest header, from the trust root or from what an earlier client has left in
// CacheDir, and makes sure that it is the network of UID. Close the client after use.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, node: cfg.Node, facts: map[wire.RecordKey]fact{}}
	if c.node == nil {
		n, err := node.Dial(cfg.NodeURL)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		c.node, c.owned = n, n
	}
	c.memory = &memory{dir: cfg.CacheDir, now: cfg.Now, held: map[string]place{}}
	if c.headers, err = newHeaders(cfg, c.node); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.checkUID(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (cfg Config) complete() (Config, error) {
	if cfg.ChainID == "" || cfg.UID.IsZero() {
		return cfg, errors.New("client: chain id and chain uid are needed")
	}
	if cfg.TrustRoot == (light.TrustRoot{}) {
		cfg.TrustRoot = light.TrustRoot{Height: 1, Hash: cfg.UID}
	}
	if cfg.TrustingPeriod == 0 {
		cfg.TrustingPeriod = DefaultTrustingPeriod
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Stage) {}
	}
	if cfg.CacheDir == "" {
		return cfg, nil
	}
	cfg.CacheDir = filepath.Join(cfg.CacheDir, cfg.UID.String()[2:18])
	if err := os.MkdirAll(cfg.CacheDir, 0o700); err != nil {
		return cfg, fmt.Errorf("client: cache: %w", err)
	}
	return cfg, nil
}

// Close keeps what was verified and ends the connections.
func (c *Client) Close() error {
	var err error
	if c.headers != nil {
		err = c.headers.save()
	}
	if c.owned != nil {
		err = errors.Join(err, c.owned.Close())
	}
	c.cfg.HTTP.CloseIdleConnections()
	return err
}

// UID returns the network's uid.
func (c *Client) UID() wire.ChainUID { return c.cfg.UID }

// ChainID returns the network's chain id.
func (c *Client) ChainID() string { return c.cfg.ChainID }
