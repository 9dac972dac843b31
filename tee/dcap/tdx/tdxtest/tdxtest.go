// Package tdxtest serves configfs-tsm as the kernel of a TDX guest does, with quotes of package dcaptest, for tests of what
// uses it.
package tdxtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"sync"

	"github.com/google/go-configfs-tsm/configfs/configfsi"
	"github.com/google/go-configfs-tsm/configfs/faketsm"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// TSM is configfs-tsm in a trust domain. Its fields are read for each request; they must not change while it is in use.
type TSM struct {
	World    *dcaptest.World // whose quotes are served; their report data is the caller's
	Provider string
	// Quote, if set, may change what outblob holds.
	Quote func(quote []byte) ([]byte, error)
	// Before, if set, is called with each attribute before it is read; its error is the read's.
	Before func(c configfsi.Client, file string) error

	fake    *faketsm.Client
	mu      sync.Mutex // guards World while a quote is built, and entries
	entries int        // made and not removed
}

var _ configfsi.Client = (*TSM)(nil)

// New returns configfs-tsm with quotes of a TDX guest that is up to date, in the given version (4 or 5), padded as the
// kernel does.
func New(version int) *TSM {
	w := dcaptest.New(tee.KindTDX, version)
	w.Padding = 1000
	t := &TSM{World: w, Provider: "tdx_guest"}
	s := faketsm.ReportV7(0)
	attribute := s.ReadAttr
	s.ReadAttr = func(e *faketsm.ReportEntry, name string) ([]byte, error) {
		if name == "outblob" {
			return t.outblob(e.InAttrs["inblob"].Value)
		}
		return attribute(e, name)
	}
	t.fake = &faketsm.Client{Subsystems: map[string]configfsi.Client{"report": s}}
	return t
}

// Entries returns how many entries were made and not removed.
func (t *TSM) Entries() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries
}

func (t *TSM) count(n int, err error) {
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.entries += n
	}
}

// MkdirTemp makes an entry.
func (t *TSM) MkdirTemp(dir, pattern string) (string, error) {
	p, err := t.fake.MkdirTemp(dir, pattern)
	t.count(1, err)
	return p, err
}

// RemoveAll removes an entry.
func (t *TSM) RemoveAll(name string) error {
	err := t.fake.RemoveAll(name)
	t.count(-1, err)
	return err
}

// ReadDir is not served.
func (t *TSM) ReadDir(name string) ([]os.DirEntry, error) { return t.fake.ReadDir(name) }

// WriteFile writes an attribute.
func (t *TSM) WriteFile(name string, b []byte) error { return t.fake.WriteFile(name, b) }

// ReadFile reads an attribute. The kernel serves provider from the start, the fake below only after a write.
func (t *TSM) ReadFile(name string) ([]byte, error) {
	if t.Before != nil {
		if err := t.Before(t.fake, name); err != nil {
			return nil, err
		}
	}
	if path.Base(name) == "provider" {
		return []byte(t.Provider + "\n"), nil
	}
	return t.fake.ReadFile(name)
}

func (t *TSM) outblob(in []byte) ([]byte, error) {
	if len(in) != tee.ReportDataSize {
		return nil, fmt.Errorf("inblob of %d bytes", len(in))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.World.TD.ReportData = [tee.ReportDataSize]byte(in)
	t.World.Enclave.ReportData = t.World.TD.ReportData
	ev, err := t.World.Build()
	if err != nil || t.Quote == nil {
		if err != nil {
			return nil, err
		}
		return ev.Quote, nil
	}
	return t.Quote(ev.Quote)
}

// Collateral returns what the relay would fetch, and the root.
func (t *TSM) Collateral() (collateral []byte, roots tee.Roots, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ev, err := t.World.Build()
	if err != nil {
		return nil, roots, err
	}
	if collateral, err = json.Marshal(ev.Collateral); err != nil {
		return nil, roots, err
	}
	for _, root := range ev.Roots {
		roots.Kinds = []tee.KindRoots{{Kind: tee.KindTDX, Keys: [][]byte{root.Raw}}}
	}
	return collateral, roots, nil
}
