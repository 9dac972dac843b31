package clientcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/wire"
)

// target is what a call or query is for.
type target struct {
	id       wire.ContractID
	cluster  wire.ClusterID
	contract *abi.Contract
	message  *abi.Message
	input    []byte
}

// target resolves the contract, its cluster and the message.
func (f *contractFlags) target(ctx context.Context, s *session, args []string) (target, error) {
	var t target
	var err error
	if t.id, err = parseContract(args[0]); err != nil {
		return t, err
	}
	file := f.file
	if f.abi != "" {
		file = f.abi
	}
	var raw []byte
	if raw, t.contract, err = s.metadataFile(t.id, file); err != nil {
		return t, err
	}
	if t.message, err = t.contract.Message(args[1]); err != nil {
		return t, err
	}
	if t.input, err = t.contract.EncodeCall(t.message, args[2:]); err != nil {
		return t, badArguments(err)
	}
	var made wire.CodeHash
	if t.cluster, made, err = s.clusterHolding(ctx, t.id); err != nil {
		return t, err
	}
	if f.abi != "" {
		return t, nil
	}
	return t, f.checkFile(ctx, s, &t, made, raw)
}

// checkFile makes sure that the file is of the contract's code. That of a contract which has the code that it was made of is
// known from the chain; a contract may have taken other code since, or be one that a contract made, which only the cluster
// knows: it is asked where the file is another one, or is given. A given file that is right is remembered.
func (f *contractFlags) checkFile(ctx context.Context, s *session, t *target, made wire.CodeHash, raw []byte) error {
	code := wire.CodeHash(t.contract.CodeHash())
	if f.file == "" && (made.IsZero() || made == code) {
		return nil
	}
	from, err := s.account(f.from, "from")
	if err != nil {
		return err
	}
	now, err := s.client.ContractCode(ctx, t.cluster, t.id, client.Of(from))
	if err != nil {
		return fmt.Errorf("asking for the contract's code: %w", err)
	}
	if now.Code != code {
		return otherCode(code, now.Code)
	}
	if f.file == "" {
		return nil
	}
	return s.remember(t.id, raw)
}

func otherCode(file, contract wire.CodeHash) error {
	return usage("the file is of other code (%s) than the contract (%s): give the right one with --contract-file; "+
		"for a contract that hands messages on, give their file with --abi", file, contract)
}

// clusterHolding finds a contract's cluster, and the code it was made of; no code where the chain does not know it.
func (s *session) clusterHolding(ctx context.Context, id wire.ContractID) (wire.ClusterID, wire.CodeHash, error) {
	r, err := s.client.Contract(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return s.net.Cluster, wire.CodeHash{}, s.needCluster()
	}
	if err != nil {
		return wire.ClusterID{}, wire.CodeHash{}, err
	}
	if s.options.cluster != "" && r.Record.Cluster != s.net.Cluster {
		return wire.ClusterID{}, wire.CodeHash{}, usage("the contract is in another cluster: %s", r.Record.Cluster)
	}
	return r.Record.Cluster, r.Record.CodeHash, nil
}

func (s *session) needCluster() error {
	if s.net.Cluster.IsZero() {
		return usage("which cluster? give --cluster; `phalanx cluster list` lists them")
	}
	return nil
}

// contractPath is where deploy remembers a contract's file.
func (s *session) contractPath(id wire.ContractID) string {
	return filepath.Join(s.home, "contracts", id.String()+".contract")
}

func (s *session) remember(id wire.ContractID, file []byte) error {
	path := s.contractPath(id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the contract's file could not be remembered: %w", err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		return fmt.Errorf("the contract's file could not be remembered: %w", err)
	}
	return nil
}

// metadata reads the file of a contract.
func (s *session) metadata(id wire.ContractID, file string) (*abi.Contract, error) {
	_, c, err := s.metadataFile(id, file)
	return c, err
}

// metadataFile reads the file of a contract: the given one, or the one that is remembered.
func (s *session) metadataFile(id wire.ContractID, file string) ([]byte, *abi.Contract, error) {
	if file == "" {
		file = s.contractPath(id)
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil, nil, usage("the messages of %s are not known here: give its .contract or metadata file with --contract-file", id)
		}
	}
	return readContract(file)
}

func readContract(path string) ([]byte, *abi.Contract, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, usage("%v: give the path of a .contract file or of the metadata .json beside it", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, abi.MaxFile+1))
	if err != nil {
		return nil, nil, usage("%v: give the path of a .contract file or of the metadata .json beside it", err)
	}
	c, err := abi.Parse(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return raw, c, nil
}

// parseContract reads a contract's id, in hexadecimal or as the address that contracts know it by.
func parseContract(text string) (wire.ContractID, error) {
	if account, _, err := ss58.Decode(text); err == nil {
		return account, nil
	}
	id, err := wire.ParseDigest[wire.ContractID](text)
	if err != nil {
		return id, usage("contract id: %v; or an address as contracts return it (5…)", err)
	}
	return id, nil
}
