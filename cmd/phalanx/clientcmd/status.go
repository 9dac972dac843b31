package clientcmd

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/version"
	"github.com/phalanx-network/phalanx/wire"
)

func statusCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "status", Short: "Show where the network stands and whether its workers answer", Args: cobra.NoArgs,
		Long: "Show where the network stands, proven, and what each worker says of itself, which is not.",
		RunE: o.online(status),
	}
	o.addTo(cmd)
	return cmd
}

// statusView is the network at a glance.
type statusView struct {
	ChainID     string          `json:"chain_id"`
	UID         wire.ChainUID   `json:"chain_uid"`
	Node        string          `json:"node"`
	Height      uint64          `json:"height"`
	BlockHash   wire.Hash       `json:"block_hash"`
	BlockTime   string          `json:"block_time"`
	AgeMillis   int64           `json:"age_ms"`
	Simulated   bool            `json:"simulated"`
	GasPrice    uint64          `json:"gas_price"` // uphx per 2^20 gas
	Cluster     *clusterView    `json:"cluster"`   // the network's own, if it names one
	Workers     []workerStatus  `json:"workers"`
	Gatekeepers []gatekeeperRow `json:"gatekeepers"`
}

type gatekeeperRow struct {
	Gatekeeper string `json:"gatekeeper"`
	Status     string `json:"status"`
}

// workerStatus is a worker's proven status and what it says of itself.
type workerStatus struct {
	Worker    string        `json:"worker"`
	Status    string        `json:"status"`
	Reachable bool          `json:"reachable"`
	Height    uint64        `json:"height"`
	Clusters  []clusterSaid `json:"clusters"`
	Problem   string        `json:"problem,omitempty"`
}

type clusterSaid struct {
	Cluster string `json:"cluster"`
	Phase   string `json:"phase"`
	Count   uint64 `json:"count"`
	Head    uint64 `json:"head"`
	Problem string `json:"problem,omitempty"`
}

func status(ctx context.Context, s *session, _ []string) (result, error) {
	header, err := s.client.Header(ctx)
	if err != nil {
		return nil, err
	}
	params, err := s.client.Params(ctx)
	if err != nil {
		return nil, err
	}
	v := statusView{
		ChainID: s.net.ChainID, UID: s.net.UID, Node: s.net.RPC, Height: header.Height, BlockHash: header.Hash,
		BlockTime: header.Time.UTC().Format(time.RFC3339Nano), AgeMillis: time.Since(header.Time).Milliseconds(),
		Simulated: params.Record.Simulated, GasPrice: params.Record.GasPrice,
		Workers: []workerStatus{}, Gatekeepers: []gatekeeperRow{},
	}
	if !s.net.Cluster.IsZero() {
		x, err := s.client.Cluster(ctx, s.net.Cluster)
		if err != nil {
			return nil, err
		}
		view := clusterOfRecord(x)
		v.Cluster = &view
	}
	named, err := s.gatekeepers(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := s.client.Workers(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := v.add(ctx, s, id, named.Has(id)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *statusView) add(ctx context.Context, s *session, id sr25519.PublicKey, gatekeeper bool) error {
	w, err := s.client.Worker(ctx, id)
	if err != nil {
		return err
	}
	if gatekeeper {
		v.Gatekeepers = append(v.Gatekeepers, gatekeeperRow{id.String(), w.Record.Status.String()})
		return nil
	}
	v.Workers = append(v.Workers, said(ctx, s.client, &w.Record))
	return nil
}

// said asks a worker for what it says of itself.
func said(ctx context.Context, c *client.Client, w *wire.WorkerState) workerStatus {
	out := workerStatus{Worker: w.Identity.String(), Status: w.Status.String(), Clusters: []clusterSaid{}}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	info, err := c.Info(ctx, w)
	if err != nil {
		out.Problem = printable([]byte(err.Error()))
		return out
	}
	out.Reachable, out.Height = true, info.Height
	for _, x := range info.Clusters {
		out.Clusters = append(out.Clusters, clusterSaid{
			fmt.Sprintf("0x%x", x.Cluster), printable([]byte(x.Phase)), x.Count, x.Head, printable([]byte(x.Problem)),
		})
	}
	return out
}

func (v statusView) text(w io.Writer) {
	fmt.Fprintf(w, "network   %s, uid %s\nnode      %s\nheight    %d, %d ms ago, verified\n", v.ChainID, v.UID, v.Node, v.Height, v.AgeMillis)
	if v.Simulated {
		fmt.Fprintln(w, "platform  simulated: no confidentiality")
	}
	if v.Cluster != nil {
		fmt.Fprintln(w)
		v.Cluster.text(w)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WORKER\tSTATUS\tANSWERS\tHEIGHT\tCLUSTERS")
	for _, x := range v.Workers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t", x.Worker, x.Status, yesNo(x.Reachable), x.Height)
		for _, c := range x.Clusters {
			fmt.Fprintf(t, "%s %d/%d %s ", c.Phase, c.Count, c.Head, c.Problem)
		}
		fmt.Fprintf(t, "%s\n", x.Problem)
	}
	fmt.Fprintln(t, "GATEKEEPER\tSTATUS\t\t\t")
	for _, g := range v.Gatekeepers {
		fmt.Fprintf(t, "%s\t%s\t\t\t\n", g.Gatekeeper, g.Status)
	}
	t.Flush()
}

type versionView struct {
	Version string `json:"version"`
	Go      string `json:"go"`
}

func (v versionView) text(w io.Writer) { fmt.Fprintf(w, "phalanx %s (%s)\n", v.Version, v.Go) }

func versionCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "version", Short: "Show the release's version", Args: cobra.NoArgs,
		RunE: o.run(func(context.Context, *session, []string) (result, error) {
			return versionView{version.Version, runtime.Version()}, nil
		}),
	}
	o.addLocal(cmd)
	return cmd
}
