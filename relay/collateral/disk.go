package collateral

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bounds of the cache on disk.
const (
	maxFiles    = 256
	maxFile     = maxAnswer + maxChainHeader + 1<<10
	maxAnswer   = 256 << 10 // bytes of any answer
	maxURL      = 2 << 10
	fileSuffix  = ".collateral"
	fileVersion = 1
)

// errAbsent says that the cache does not have a file, or has it of another service.
var errAbsent = errors.New("not in the cache")

// disk is a folder with a file for each answer, named by what it is. Files hold nothing secret.
type disk struct{ dir string }

// entry is a file.
type entry struct {
	version uint8
	url     string // it was fetched from
	fetched uint64 // Unix seconds
	answer  answer
}

// Scale visits the entry: version u8, url, fetched u64, chain, body.
func (e *entry) Scale(c *scale.Codec) {
	c.U8(&e.version)
	if e.version != fileVersion {
		c.Fail(fmt.Errorf("version %d is not known", e.version))
	}
	c.Text(&e.url, maxURL)
	c.U64(&e.fetched)
	c.Bytes(&e.answer.chain, maxChainHeader)
	c.Bytes(&e.answer.body, maxAnswer)
}

// openDisk removes what an interrupted write has left. The folder is made when something is written.
func openDisk(dir string) (*disk, error) {
	left, err := filepath.Glob(filepath.Join(dir, "*"+fileSuffix+".*.tmp"))
	if err != nil {
		return nil, err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return &disk{dir}, nil
}

func (d *disk) path(q *request) string { return filepath.Join(d.dir, q.name+fileSuffix) }

// read returns what was fetched from a request's URL, and when.
func (d *disk) read(q *request) (answer, time.Time, error) {
	f, err := os.Open(d.path(q))
	if errors.Is(err, fs.ErrNotExist) {
		return answer{}, time.Time{}, errAbsent
	}
	if err != nil {
		return answer{}, time.Time{}, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return answer{}, time.Time{}, err
	}
	var e entry
	if err := scale.Unmarshal(raw, &e); err != nil {
		return answer{}, time.Time{}, err
	}
	if e.url != q.url.String() {
		return answer{}, time.Time{}, errAbsent
	}
	const year9999 = 253402300799
	if e.fetched > year9999 {
		return answer{}, time.Time{}, errors.New("its time is out of range")
	}
	return e.answer, time.Unix(int64(e.fetched), 0).UTC(), nil
}

// write puts an answer in its file, whole or not at all.
func (d *disk) write(q *request, a answer, now time.Time) error {
	raw, err := scale.Marshal(&entry{fileVersion, q.url.String(), uint64(max(now.Unix(), 0)), a})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	if err := d.makeRoom(); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.dir, q.name+fileSuffix+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(q))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// makeRoom removes the oldest files where there are too many.
func (d *disk) makeRoom() error {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	type file struct {
		name string
		at   time.Time
	}
	var files []file
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), fileSuffix) {
			files = append(files, file{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	for i := 0; i+maxFiles <= len(files); i++ {
		if err := os.Remove(filepath.Join(d.dir, files[i].name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
