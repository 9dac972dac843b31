package node

import (
	"fmt"
	"path/filepath"

	"cosmossdk.io/log/v2"
	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/server"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/spf13/viper"

	"github.com/phalanx-network/phalanx/chain/app"
)

// Open reads the configuration in a node's folder, for a program that then calls [Run]. The node logs to logger.
func Open(home string, logger log.Logger) (*server.Context, client.Context, error) {
	v := viper.New()
	v.SetConfigType("toml")
	for i, name := range []string{"config.toml", "app.toml"} {
		v.SetConfigFile(filepath.Join(home, "config", name))
		read := v.MergeInConfig
		if i == 0 {
			read = v.ReadInConfig
		}
		if err := read(); err != nil {
			return nil, client.Context{}, fmt.Errorf("read the node's %s: %w", name, err)
		}
	}
	v.Set(flags.FlagHome, home)
	cfg := cmtcfg.DefaultConfig()
	if err := v.Unmarshal(cfg); err != nil {
		return nil, client.Context{}, fmt.Errorf("read the node's config.toml: %w", err)
	}
	cfg.SetRoot(home)
	enc, err := app.NewEncoding()
	if err != nil {
		return nil, client.Context{}, err
	}
	return server.NewContext(v, cfg, logger), clientContext(enc, home), nil
}

// clientContext is what the server's commands and services take their encoding from.
func clientContext(enc app.Encoding, home string) client.Context {
	return client.Context{}.
		WithCodec(enc.Codec).
		WithInterfaceRegistry(enc.Registry).
		WithLegacyAmino(enc.Amino).
		WithTxConfig(enc.Tx).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithHomeDir(home).
		WithViper("PHALANX")
}
