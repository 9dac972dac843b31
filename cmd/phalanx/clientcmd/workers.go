package clientcmd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// workerView is the proven state of a worker or gatekeeper.
type workerView struct {
	Worker       string           `json:"worker"`
	ID           string           `json:"id,omitempty"` // the devnet's name for it
	Status       string           `json:"status"`
	Gatekeeper   bool             `json:"gatekeeper"`
	Endpoints    []string         `json:"endpoints"`
	EcdhKey      string           `json:"ecdh_key"`
	EcdhEpoch    uint32           `json:"ecdh_epoch"`
	Incarnation  string           `json:"incarnation"`
	Operator     string           `json:"operator"`
	EvidenceKind uint8            `json:"evidence_kind"`
	Confidence   uint8            `json:"confidence"`
	Measurement  string           `json:"measurement"`
	AttestedAt   uint64           `json:"attested_at"`
	Software     string           `json:"software"`
	Clusters     []wire.ClusterID `json:"clusters"`
	ProvenAt     uint64           `json:"proven_at"`
}

func (s *session) workerOf(p client.Proven[wire.WorkerState], gatekeeper bool) workerView {
	x := &p.Record
	v := workerView{
		Worker: x.Identity.String(), ID: s.net.nameOf(x.Info.Endpoints), Status: x.Status.String(), Gatekeeper: gatekeeper, Endpoints: x.Info.Endpoints,
		EcdhKey: x.Ecdh.Key.String(), EcdhEpoch: x.Ecdh.Epoch, Incarnation: x.Incarnation.String(),
		Operator: account.Bech32(x.Operator), EvidenceKind: x.EvidenceKind, Confidence: x.Confidence,
		Measurement: hex.EncodeToString(x.Measurement), AttestedAt: x.AttestedAt, Software: printable([]byte(x.Info.Software)),
		Clusters: x.Clusters, ProvenAt: p.Header.Height,
	}
	for i, e := range v.Endpoints {
		v.Endpoints[i] = printable([]byte(e))
	}
	if v.Endpoints == nil {
		v.Endpoints = []string{}
	}
	if v.Clusters == nil {
		v.Clusters = []wire.ClusterID{}
	}
	return v
}

func (v workerView) text(w io.Writer) {
	role := "worker"
	if v.Gatekeeper {
		role = "gatekeeper"
	}
	fmt.Fprintf(w, "%-11s %s\nstatus      %s\n", role, v.Worker, v.Status)
	for _, e := range v.Endpoints {
		fmt.Fprintf(w, "endpoint    %s\n", e)
	}
	fmt.Fprintf(w, "ecdh key    %s of epoch %d\nincarnation %s\noperator    %s\nattested    at height %d, confidence %d, measurement %s\nsoftware    %s\n",
		v.EcdhKey, v.EcdhEpoch, v.Incarnation, v.Operator, v.AttestedAt, v.Confidence, v.Measurement, v.Software)
	for _, c := range v.Clusters {
		fmt.Fprintf(w, "cluster     %s\n", c)
	}
	fmt.Fprintf(w, "proven      at height %d\n", v.ProvenAt)
}

type workerList struct {
	Workers []workerView `json:"workers"`
}

func (l workerList) text(w io.Writer) { listText(w, "WORKER", l.Workers) }

func listText(w io.Writer, head string, list []workerView) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head+"\tID\tSTATUS\tCLUSTERS\tATTESTED\tENDPOINT")
	for _, v := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\n", v.Worker, dash(v.ID), v.Status, len(v.Clusters), v.AttestedAt, dash(strings.Join(v.Endpoints, " ")))
	}
	t.Flush()
}

// worker finds a worker by its identity, or by the devnet's name for it: then it is the one that is proven to publish
// the endpoint of that name. Empty text is the zero key.
func (s *session) worker(ctx context.Context, text string) (sr25519.PublicKey, error) {
	var pk sr25519.PublicKey
	if text == "" {
		return pk, nil
	}
	bad := pk.UnmarshalText([]byte(text))
	if bad == nil {
		return pk, nil
	}
	at := slices.IndexFunc(s.net.Workers, func(p process) bool { return p.ID == text && p.Endpoint != "" })
	if at < 0 {
		return pk, usage("worker %.80q: %v; `phalanx worker list` lists them", text, bad)
	}
	ids, err := s.client.Workers(ctx)
	if err != nil {
		return pk, err
	}
	for _, id := range ids {
		w, err := s.client.Worker(ctx, id)
		if err != nil {
			return pk, err
		}
		if slices.Contains(w.Record.Info.Endpoints, s.net.Workers[at].Endpoint) {
			return id, nil
		}
	}
	return pk, fmt.Errorf("no worker is proven to be at %s, where %s is: %w", s.net.Workers[at].Endpoint, text, client.ErrNotFound)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// gatekeepers returns the proven list, empty before one is named.
func (s *session) gatekeepers(ctx context.Context) (wire.Gatekeepers, error) {
	g, err := s.client.Gatekeepers(ctx)
	if errors.Is(err, client.ErrNotFound) {
		return wire.Gatekeepers{}, nil
	}
	return g.Record, err
}

// workers returns everybody in the registry who is, or is not, a gatekeeper.
func (s *session) workers(ctx context.Context, gatekeepers bool) ([]workerView, error) {
	named, err := s.gatekeepers(ctx)
	if err != nil {
		return nil, err
	}
	ids := named.Members
	if !gatekeepers {
		if ids, err = s.client.Workers(ctx); err != nil {
			return nil, err
		}
	}
	out := []workerView{}
	for _, id := range ids {
		if !gatekeepers && named.Has(id) {
			continue
		}
		w, err := s.client.Worker(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, s.workerOf(w, gatekeepers))
	}
	return out, nil
}

func workerCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{Use: "worker", Short: "Registered workers", Args: cobra.NoArgs}
	o.addTo(cmd)
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the workers, as the node has them, each proven", Args: cobra.NoArgs,
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) {
			list, err := s.workers(ctx, false)
			if err != nil {
				return nil, err
			}
			return workerList{list}, nil
		}),
	}, showWorkerCommand(o, "WORKER", "Show a worker's state, proven"))
	return cmd
}

// gatekeeperList is the gatekeepers and the key that they hold.
type gatekeeperList struct {
	Gatekeepers []workerView `json:"gatekeepers"`
	Since       uint64       `json:"since"`
	MasterKey   string       `json:"master_key"` // empty until it is announced
	MasterEpoch uint32       `json:"master_epoch"`
	Threshold   uint16       `json:"threshold"`
}

func (l gatekeeperList) text(w io.Writer) {
	listText(w, "GATEKEEPER", l.Gatekeepers)
	if l.MasterKey == "" {
		fmt.Fprintln(w, "master key: none yet")
		return
	}
	fmt.Fprintf(w, "master key %s of epoch %d, any %d of its holders together\n", l.MasterKey, l.MasterEpoch, l.Threshold)
}

func gatekeeperCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{Use: "gatekeeper", Short: "Gatekeepers, who hold the MasterKey", Args: cobra.NoArgs}
	o.addTo(cmd)
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the gatekeepers, proven", Args: cobra.NoArgs,
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) { return s.gatekeeperList(ctx) }),
	}, showWorkerCommand(o, "GATEKEEPER", "Show a gatekeeper's state, proven"), nameGatekeepersCommand(o))
	return cmd
}

func (s *session) gatekeeperList(ctx context.Context) (result, error) {
	list, err := s.workers(ctx, true)
	if err != nil {
		return nil, err
	}
	named, err := s.gatekeepers(ctx)
	if err != nil {
		return nil, err
	}
	out := gatekeeperList{Gatekeepers: list, Since: named.Since}
	master, err := s.client.MasterKey(ctx)
	if errors.Is(err, client.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	m := &master.Record
	out.MasterKey, out.MasterEpoch, out.Threshold = m.Key.String(), m.Epoch, m.Threshold
	return out, nil
}
