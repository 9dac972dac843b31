package worker

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/blake2b"

	"github.com/phalanx-network/phalanx/crypto/hierarchy"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of the compiled code that one cluster keeps on disk.
const (
	maxCompiledBytes = 256 << 20
	maxCompiledFiles = 1_024
)

// compiledTag begins a file of compiled code and is a part of what it is bound to.
const compiledTag = "phalanx compiled code v1"

// compiledFile is the suffix of such a file.
const compiledFile = ".compiled"

// compiledKind is the use of the enclave's local key.
const compiledKind = "compiled-code"

// compiledCode keeps a cluster's compiled code on disk, encrypted and authenticated: the host learns sizes and ages, and
// what it changes is not taken. Nor is what another member of the cluster has written, for it is run: whoever breaks into
// one worker knows the cluster's keys, and must not get into another by its disk. A file is
//
//	tag ‖ id [32] ‖ AES-256-GCM(FileKey(key, id), iv 0, AD = tag ‖ cluster ‖ code hash, compiled code)
//
// with key = BLAKE2b-256 keyed with the enclave's local key, of tag ‖ state key of the cluster. Each has a random id, so
// that its key encrypts once. Its name is a keyed hash of the code hash. What an older key epoch left cannot be read and
// goes when there is no room.
type compiledCode struct {
	dir     string
	cluster wire.ClusterID
	rand    io.Reader
	key     func() ([]byte, bool) // of this enclave, from the newest state key that is held

	mu sync.Mutex
}

var _ contract.CompiledStore = (*compiledCode)(nil)

// compiled is where the cluster's compiled code is kept.
func (cl *cluster) compiled() contract.CompiledStore { return cl.code }

func newCompiledCode(id wire.ClusterID, cfg Config, keys *clusterKeys) *compiledCode {
	return &compiledCode{
		dir: filepath.Join(cfg.Dir, hex.EncodeToString(id[:])+".code"), cluster: id, rand: cfg.Rand,
		key: func() ([]byte, bool) { return compiledKey(cfg.Keys, keys) },
	}
}

// compiledKey gives the key of this enclave for a cluster's compiled code; false where a part of it is not held.
func compiledKey(own Keys, keys *clusterKeys) ([]byte, bool) {
	state, ok := keys.newestState()
	if !ok {
		return nil, false
	}
	defer clear(state)
	local, err := own.LocalKey(compiledKind)
	if err != nil {
		return nil, false // the keyring is closed
	}
	defer clear(local)
	h := keyed(local)
	h.Write([]byte(compiledTag))
	h.Write(state)
	return h.Sum(nil), true
}

// keyed is BLAKE2b-256 with a key of 32 bytes.
func keyed(key []byte) hash.Hash {
	h, err := blake2b.New256(key)
	if err != nil {
		panic(err) // a key of 32 bytes is always a valid form
	}
	return h
}

// Load implements [contract.CompiledStore]. A file that is damaged or of another key is as if there were none.
func (c *compiledCode) Load(code [32]byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.key()
	if !ok {
		return nil, false
	}
	defer clear(key)
	path := c.path(key, code)
	raw, err := readBounded(path, contract.MaxCompiled+1<<10)
	if err != nil {
		return nil, false
	}
	head := len(compiledTag) + 32
	if len(raw) < head || string(raw[:len(compiledTag)]) != compiledTag {
		return nil, false
	}
	gcm, err := fileCipher(key, [32]byte(raw[len(compiledTag):head]))
	if err != nil {
		return nil, false
	}
	plain, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), raw[head:], c.associated(code))
	if err != nil {
		return nil, false
	}
	return plain, true
}

// Save implements [contract.CompiledStore].
func (c *compiledCode) Save(code [32]byte, compiled []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.key()
	if !ok {
		return errMissingKey
	}
	defer clear(key)
	if len(compiled) > contract.MaxCompiled {
		return fmt.Errorf("compiled code of %d bytes exceeds %d", len(compiled), contract.MaxCompiled)
	}
	var id [32]byte
	if _, err := io.ReadFull(c.rand, id[:]); err != nil {
		return err
	}
	gcm, err := fileCipher(key, id)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err := c.makeRoom(len(compiled)); err != nil {
		return err
	}
	out := append([]byte(compiledTag), id[:]...)
	out = gcm.Seal(out, make([]byte, gcm.NonceSize()), compiled, c.associated(code))
	path := c.path(key, code)
	if err := os.WriteFile(path+".new", out, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (c *compiledCode) associated(code [32]byte) []byte {
	return slices.Concat([]byte(compiledTag), c.cluster[:], code[:])
}

func (c *compiledCode) path(key []byte, code [32]byte) string {
	h := keyed(key)
	h.Write(c.associated(code))
	return filepath.Join(c.dir, hex.EncodeToString(h.Sum(nil))+compiledFile)
}

func fileCipher(base []byte, id [32]byte) (cipher.AEAD, error) {
	key, err := hierarchy.FileKey(base, id)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// makeRoom removes the files that were written the longest ago, and what a crash left, until size more bytes fit.
func (c *compiledCode) makeRoom(size int) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	total := int64(size)
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !strings.HasSuffix(e.Name(), compiledFile) {
			if err := os.Remove(filepath.Join(c.dir, e.Name())); err != nil {
				return err
			}
			continue
		}
		files = append(files, info)
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano()) })
	for len(files) > 0 && (total > maxCompiledBytes || len(files) >= maxCompiledFiles) {
		if err := os.Remove(filepath.Join(c.dir, files[0].Name())); err != nil {
			return err
		}
		total -= files[0].Size()
		files = files[1:]
	}
	return nil
}

// readBounded reads a whole file, unless it is larger than limit.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("file of over %d bytes", limit)
	}
	return raw, err
}
