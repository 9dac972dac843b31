package e2e

import (
	"context"
	"encoding/hex"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device/devicetest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/testnet"
	"github.com/phalanx-network/phalanx/testnet/e2e/snpguest"
)

// levels are those of the machines; low is below the floor that the network asks for.
var (
	levels = sevsnp.TCB{BootLoader: 4, TEE: 0, SNP: 23, Microcode: 213}
	low    = sevsnp.TCB{BootLoader: 4, TEE: 0, SNP: 22, Microcode: 213}
	floor  = tee.TCBFloor{Product: "Milan", Levels: tee.Levels{BootLoader: 4, TEE: 0, SNP: 23, Microcode: 213}}
)

// snpMeasurement is that of the image that all guests of the network run.
var snpMeasurement = [sevsnp.MeasurementSize]byte{0x5f, 0x0c, 47: 0x11}

// guests are imitated guests, each on a chip of its own, all under one root.
type guests struct {
	dir string

	mu   sync.Mutex
	all  []*sevsnptest.Machine
	byID map[string]*sevsnptest.Machine // by the chip, as the service's paths have it
	done sync.WaitGroup
	open []net.Listener
}

// startGuests makes the folder for their sockets; they end with the test.
func startGuests(t *testing.T) *guests {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "g")
	must(t, err)
	g := &guests{dir: dir, byID: map[string]*sevsnptest.Machine{}}
	t.Cleanup(func() {
		for _, l := range g.open {
			must(t, l.Close())
		}
		g.done.Wait()
	})
	return g
}

func (g *guests) socket(id string) string { return filepath.Join(g.dir, id+".sock") }

// cache is the folder where a relay keeps the collateral.
func (g *guests) cache(id string) string { return filepath.Join(g.dir, "collateral-"+id) }

// add starts a guest.
func (g *guests) add(t *testing.T, id string, tcb sevsnp.TCB) *sevsnptest.Machine {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	chip := [sevsnp.ChipIDSize]byte{0xc1, byte(len(g.all))}
	m, err := sevsnptest.New(sevsnptest.Setup{ChipID: chip, TCB: tcb})
	must(t, err)
	l, err := net.Listen("unix", g.socket(id))
	must(t, err)
	guest := &devicetest.Guest{
		Machine: m, Secret: [32]byte{byte(len(g.all)) + 1}, Measurement: snpMeasurement, Policy: devicetest.PolicyDefault,
		Committed: uint64(tcb.BootLoader) | uint64(tcb.TEE)<<8 | uint64(tcb.SNP)<<48 | uint64(tcb.Microcode)<<56,
	}
	g.all, g.open = append(g.all, m), append(g.open, l)
	g.byID[hex.EncodeToString(chip[:])] = m
	g.done.Go(func() {
		if err := snpguest.Serve(l, guest); err != nil {
			t.Errorf("guest %s: %v", id, err)
		}
	})
	return m
}

// service is AMD's key distribution service for the guests.
type service struct {
	*httptest.Server
	lists atomic.Int64 // revocation lists that were fetched
}

// serve starts a service whose revocation lists name the serials. They come from the first machine, as the intermediates do: all
// machines have the same keys of AMD's.
func (g *guests) serve(t *testing.T, revoked ...*big.Int) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		m := g.all[0]
		for chip, other := range g.byID {
			if strings.HasSuffix(r.URL.Path, "/"+chip) {
				m = other
			}
		}
		g.mu.Unlock()
		if !strings.HasSuffix(r.URL.Path, "/crl") {
			sevsnptest.Handler(m, time.Now).ServeHTTP(w, r)
			return
		}
		s.lists.Add(1)
		list, err := m.CRL(time.Now().Add(-time.Hour), revoked...)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(list) // a client that has gone is no fault of the service
	}))
	t.Cleanup(s.Close)
	return s
}

// snpProgram compiles pruntime-snp, once.
var snpProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "snp", "pruntime-snp")
	out, err := exec.Command("go", "build", "-o", path, "./pruntime-snp").CombinedOutput()
	if err != nil {
		err = errors.Join(err, errors.New(string(out)))
	}
	return path, err
})

// joiner starts a pruntime and a relay that are no part of the network, and returns the relay's log.
func (n *network) joiner(t *testing.T, g *guests, program, id, account, amd string) (log string) {
	t.Helper()
	home := filepath.Join(g.dir, id)
	must(t, os.MkdirAll(home, 0o700))
	socket := filepath.Join(g.dir, id+"-r.sock")
	run := func(name, path string, args ...string) string {
		file, err := os.Create(filepath.Join(home, name+".log"))
		must(t, err)
		cmd := exec.Command(path, args...)
		cmd.Stdout, cmd.Stderr = file, file
		must(t, cmd.Start())
		t.Cleanup(func() {
			must(t, cmd.Process.Kill())
			if err := cmd.Wait(); err == nil {
				t.Errorf("%s of %s ended by itself", name, id)
			}
			must(t, file.Close())
		})
		return file.Name()
	}
	run("pruntime", program, "--home", home, "--socket", socket, "--guest", g.socket(id),
		"--chain-id", n.where.ChainID, "--chain-uid", n.where.UID.String(), "--trusting-period", n.where.TrustingPeriod)
	eventually(t, func(context.Context) error {
		_, err := os.Stat(socket)
		return err
	})
	return run("relay", binaries.Phalanx, "relay", "--home", n.home, "--socket", socket, "--account", account,
		"--chain-id", n.where.ChainID, "--node", n.where.RPC, "--collateral-amd", amd,
		"--collateral-cache", g.cache(id))
}

// hardware says how the guests are run.
func (g *guests) hardware(program string, s *service) *testnet.Hardware {
	return &testnet.Hardware{
		Program: program, VotingPeriod: 3 * time.Second,
		Pruntime: func(id string) []string { return []string{"--guest", g.socket(id)} },
		Relay: func(id string) []string {
			return []string{"--collateral-amd", s.URL, "--collateral-cache", g.cache(id)}
		},
	}
}
