// Package genesis builds the first state of a Phalanx chain in a program: a devnet's, a test's, or the start of a
// production genesis file that people then sign with gentx ([HardwareRegistry]).
//
// [Build] bonds the given validators at once (no genesis transactions), funds the given accounts and returns a document
// that `phalanx node start` takes; [ConsensusParams] are the parameters that every new chain of ours begins with.
package genesis

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/math"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/chain/app"
	"github.com/phalanx-network/phalanx/chain/x/registry/types"
)

// Bounds of every block of a new chain.
const (
	// BlockBytes bounds a block's size in bytes.
	BlockBytes = 4 << 20
	// BlockGas bounds the gas of a block's transactions: enough to fill BlockBytes with stored bytes (30 gas each)
	// twice over, little enough that a block executes within its time.
	BlockGas = 300_000_000
)

// Validator is one that is bonded from the first block on.
type Validator struct {
	Moniker string
	// Operator is the account that controls the validator and holds its self-delegation.
	Operator sdk.AccAddress
	// ConsensusKey is the ed25519 public key that signs blocks: 32 bytes.
	ConsensusKey []byte
	// Stake is the self-delegation in uphx, at least 1,000,000 (one unit of voting power).
	Stake math.Int
}

// Account is one that holds coins from the first block on.
type Account struct {
	Address sdk.AccAddress
	// Balance is in uphx.
	Balance math.Int
}

// Options say what the chain begins with.
type Options struct {
	ChainID string
	// Time is the genesis time; blocks start when it is reached.
	Time       time.Time
	Validators []Validator
	Accounts   []Account
	// UnbondingTime of staking; zero leaves the SDK's 21 days. A light client's trusting period must be below it.
	UnbondingTime time.Duration
	// Modules replaces the default genesis state of modules by name, for instance the registry's.
	Modules map[string]proto.Message
}

// ConsensusParams returns the consensus parameters of a new chain.
func ConsensusParams() *cmttypes.ConsensusParams {
	p := cmttypes.DefaultConsensusParams()
	p.Block.MaxBytes = BlockBytes
	p.Block.MaxGas = BlockGas
	return p
}

// Build returns the genesis document that o describes. It fails where a validator or account is given twice, a key or
// stake is out of range, or the resulting state does not pass the modules' own validation.
func Build(o Options) (*genutiltypes.AppGenesis, error) {
	if o.ChainID == "" || len(o.Validators) == 0 {
		return nil, errors.New("genesis needs a chain id and at least one validator")
	}
	enc, err := app.NewEncoding()
	if err != nil {
		return nil, err
	}
	b := builder{codec: enc.Codec, basics: app.BasicManager()}
	b.state = b.basics.DefaultGenesis(enc.Codec)
	if err := b.staking(o); err != nil {
		return nil, err
	}
	if err := b.accounts(o); err != nil {
		return nil, err
	}
	for name, msg := range o.Modules {
		if _, known := b.state[name]; !known {
			return nil, fmt.Errorf("genesis of unknown module %q", name)
		}
		if err := b.set(name, msg); err != nil {
			return nil, err
		}
	}
	if err := b.basics.ValidateGenesis(enc.Codec, enc.Tx, b.state); err != nil {
		return nil, fmt.Errorf("genesis state: %w", err)
	}
	raw, err := json.Marshal(b.state)
	if err != nil {
		return nil, fmt.Errorf("genesis state: %w", err)
	}
	doc := genutiltypes.NewAppGenesisWithVersion(o.ChainID, raw)
	doc.AppName = app.Name
	doc.GenesisTime = o.Time.UTC()
	doc.InitialHeight = 1
	doc.Consensus.Params = ConsensusParams()
	if err := doc.ValidateAndComplete(); err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	return doc, nil
}

type builder struct {
	codec  codec.Codec
	basics module.BasicManager
	state  map[string]json.RawMessage
}

func (b *builder) set(module string, msg proto.Message) error {
	raw, err := b.codec.MarshalJSON(msg)
	if err != nil {
		return fmt.Errorf("genesis of %s: %w", module, err)
	}
	b.state[module] = raw
	return nil
}

// staking bonds the validators, and gives each its slashing record: only bonding at run time makes one, and without it
// the chain halts at its second block.
func (b *builder) staking(o Options) error {
	var staking stakingtypes.GenesisState
	var slashing slashingtypes.GenesisState
	b.codec.MustUnmarshalJSON(b.state[stakingtypes.ModuleName], &staking)
	b.codec.MustUnmarshalJSON(b.state[slashingtypes.ModuleName], &slashing)
	if o.UnbondingTime > 0 {
		staking.Params.UnbondingTime = o.UnbondingTime
	}
	seen := make(map[string]bool)
	for _, v := range o.Validators {
		record, delegation, err := bonded(v)
		if err != nil {
			return fmt.Errorf("validator %q: %w", v.Moniker, err)
		}
		if seen[string(v.ConsensusKey)] || seen[string(v.Operator)] {
			return fmt.Errorf("validator %q: key or operator given twice", v.Moniker)
		}
		seen[string(v.ConsensusKey)], seen[string(v.Operator)] = true, true
		staking.Validators = append(staking.Validators, record)
		staking.Delegations = append(staking.Delegations, delegation)
		address := sdk.ConsAddress((&ed25519.PubKey{Key: v.ConsensusKey}).Address())
		slashing.SigningInfos = append(slashing.SigningInfos, slashingtypes.SigningInfo{
			Address:              address.String(),
			ValidatorSigningInfo: slashingtypes.NewValidatorSigningInfo(address, 0, 0, time.Unix(0, 0).UTC(), false, 0),
		})
	}
	if err := b.set(stakingtypes.ModuleName, &staking); err != nil {
		return err
	}
	return b.set(slashingtypes.ModuleName, &slashing)
}

// bonded returns the staking records of a validator that is in the set from the start.
func bonded(v Validator) (stakingtypes.Validator, stakingtypes.Delegation, error) {
	if len(v.ConsensusKey) != ed25519.PubKeySize {
		return stakingtypes.Validator{}, stakingtypes.Delegation{}, fmt.Errorf("consensus key has %d bytes, not %d",
			len(v.ConsensusKey), ed25519.PubKeySize)
	}
	if v.Stake.IsNil() || v.Stake.LT(sdk.DefaultPowerReduction) {
		return stakingtypes.Validator{}, stakingtypes.Delegation{}, fmt.Errorf("stake is below %s%s",
			sdk.DefaultPowerReduction, types.Denom)
	}
	operator := sdk.ValAddress(v.Operator).String()
	record, err := stakingtypes.NewValidator(operator, &ed25519.PubKey{Key: v.ConsensusKey},
		stakingtypes.Description{Moniker: v.Moniker})
	if err != nil {
		return stakingtypes.Validator{}, stakingtypes.Delegation{}, err
	}
	record.Status = stakingtypes.Bonded
	record.Tokens = v.Stake
	record.DelegatorShares = math.LegacyNewDecFromInt(v.Stake)
	return record, stakingtypes.NewDelegation(v.Operator.String(), operator, record.DelegatorShares), nil
}

// accounts funds the accounts and the pool of bonded stake.
func (b *builder) accounts(o Options) error {
	var auth authtypes.GenesisState
	var bank banktypes.GenesisState
	b.codec.MustUnmarshalJSON(b.state[authtypes.ModuleName], &auth)
	b.codec.MustUnmarshalJSON(b.state[banktypes.ModuleName], &bank)
	stake := math.ZeroInt()
	listed := make(map[string]bool)
	list := func(address sdk.AccAddress) error {
		if listed[string(address)] {
			return nil
		}
		listed[string(address)] = true
		account, err := codectypes.NewAnyWithValue(authtypes.NewBaseAccountWithAddress(address))
		if err != nil {
			return fmt.Errorf("account %s: %w", address, err)
		}
		auth.Accounts = append(auth.Accounts, account)
		return nil
	}
	for _, a := range o.Accounts {
		if listed[string(a.Address)] {
			return fmt.Errorf("account %s given twice", a.Address)
		}
		if a.Balance.IsNil() || !a.Balance.IsPositive() {
			return fmt.Errorf("account %s: balance must be positive", a.Address)
		}
		if err := list(a.Address); err != nil {
			return err
		}
		bank.Balances = append(bank.Balances, balance(a.Address, a.Balance))
	}
	for _, v := range o.Validators {
		if err := list(v.Operator); err != nil {
			return err
		}
		stake = stake.Add(v.Stake)
	}
	bank.Balances = append(bank.Balances, balance(authtypes.NewModuleAddress(stakingtypes.BondedPoolName), stake))
	if err := b.set(authtypes.ModuleName, &auth); err != nil {
		return err
	}
	return b.set(banktypes.ModuleName, &bank)
}

func balance(address sdk.AccAddress, amount math.Int) banktypes.Balance {
	return banktypes.Balance{Address: address.String(), Coins: sdk.NewCoins(sdk.NewCoin(types.Denom, amount))}
}
