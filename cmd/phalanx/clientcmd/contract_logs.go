package clientcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// logLevels are the words for levels, the first for 1.
var logLevels = []string{"error", "warn", "info", "debug", "trace"}

// followPause is how long `logs --follow` waits between two questions.
const followPause = time.Second

// logFlags are the flags of `contract logs`.
type logFlags struct {
	*contractFlags
	since  uint64
	all    bool
	follow bool
	level  string
}

func logsCommand(o *options) *cobra.Command {
	f := &logFlags{contractFlags: &contractFlags{options: o}}
	cmd := &cobra.Command{
		Use: "logs CONTRACT", Short: "Show what a contract of yours logged", Args: cobra.ExactArgs(1),
		Long: `Show what a contract logged: its debug messages, and what it wrote through the chain extension. Only the contract's owner
(who deployed it, or owns the contract that made it) is answered, and only the owner's key opens what comes.

Each worker keeps the newest of what was logged since its start, in memory. What commands logged, also commands that
failed, is alike on every worker; what queries logged is on the worker that was asked: --worker names it, --all-workers
asks each. Every call that logs has a number, on each worker its own; --since shows what has that number or a higher one.

Nothing of this is under a root or in a receipt: it is the word of one attested worker, for finding mistakes.`,
		Example: "  phalanx contract logs 0x4f1c… --from alice\n" +
			"  phalanx contract logs 0x4f1c… --from alice --all-workers --level warn\n" +
			"  phalanx contract logs 0x4f1c… --from alice --worker worker-1 --follow",
	}
	once := o.online(f.show)
	following := o.run(f.watch)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(logLevels, f.level) {
			return usage("--level %.20q: it is one of %s", f.level, strings.Join(logLevels, ", "))
		}
		if f.follow {
			return following(cmd, args)
		}
		return once(cmd, args)
	}
	f.addFrom(cmd)
	cmd.Flags().Lookup("from").Usage = "key of the contract's owner"
	f.addWorker(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all-workers", false, "ask every worker of the cluster")
	flags.Uint64Var(&f.since, "since", 0, "number of the first call that is shown")
	flags.BoolVar(&f.follow, "follow", false, "go on showing what is logged until interrupted; with -o json a line for each call")
	flags.StringVar(&f.level, "level", "trace", "the least severe level that is shown: "+strings.Join(logLevels, ", "))
	cmd.MarkFlagsMutuallyExclusive("worker", "all-workers")
	return cmd
}

// logView is what a contract logged in one call.
type logView struct {
	Number     uint64    `json:"number"`
	Worker     string    `json:"worker"`
	Kind       string    `json:"kind"` // command or query
	Invocation wire.Hash `json:"invocation"`
	Height     uint64    `json:"height"`
	Time       string    `json:"time"`
	Lines      []logLine `json:"lines"`
	Dropped    uint32    `json:"dropped"` // lines of the call, whichever contract's
	name       string    // of the worker, where it is to be shown
}

type logLine struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

// text writes a line for each line, with further lines of one message indented so that none passes for another entry.
func (v logView) text(w io.Writer) {
	head := fmt.Sprintf("%s  %6d  %-7s", v.Time, v.Height, v.Kind)
	if v.name != "" {
		head += "  " + v.name
	}
	for _, l := range v.Lines {
		lines := strings.Split(strings.TrimRight(printable([]byte(l.Text)), "\n"), "\n")
		fmt.Fprintf(w, "%s  %-5s  %s\n", head, l.Level, strings.Join(lines, "\n"+strings.Repeat(" ", 8)+"| "))
	}
	if v.Dropped > 0 {
		fmt.Fprintf(w, "%s  (%d more lines of this call are over its bounds)\n", head, v.Dropped)
	}
}

// logList is what is shown at a time.
type logList struct {
	Contract wire.ContractID `json:"contract"`
	Entries  []logView       `json:"entries"`
	Workers  []logPlace      `json:"workers"`
}

// logPlace is what a worker keeps.
type logPlace struct {
	Worker string `json:"worker"`
	First  uint64 `json:"first"` // lowest number that is kept
	Next   uint64 `json:"next"`  // number that is given out next; --since for what comes
}

func (l logList) text(w io.Writer) {
	for _, v := range l.Entries {
		v.text(w)
	}
	if len(l.Entries) == 0 {
		fmt.Fprintln(w, "nothing is logged")
	}
}

// levelName gives a level in words, or its number where it has none.
func levelName(level uint8) string {
	if level >= 1 && int(level) <= len(logLevels) {
		return logLevels[level-1]
	}
	return fmt.Sprintf("level %d", level)
}

// viewOf is an entry with the lines that are severe enough; false where none is left.
func (s *session) viewOf(e *client.Log, most uint8) (logView, bool) {
	v := logView{
		Number: e.Sequence, Worker: e.Worker.String(), Kind: "query", Invocation: e.Invocation, Height: e.Height,
		Time: time.UnixMilli(int64(e.Time)).UTC().Format("2006-01-02T15:04:05.000Z"), Lines: []logLine{}, Dropped: e.Dropped,
	}
	if e.Command {
		v.Kind = "command"
	}
	for _, l := range e.Lines {
		if l.Level <= most || int(most) == len(logLevels) {
			v.Lines = append(v.Lines, logLine{levelName(l.Level), l.Text})
		}
	}
	return v, len(v.Lines) > 0
}

// request resolves what is asked for.
func (f *logFlags) request(ctx context.Context, s *session, args []string) (client.LogQuery, error) {
	q := client.LogQuery{Since: f.since}
	var err error
	if q.Contract, err = parseContract(args[0]); err != nil {
		return q, err
	}
	from, err := s.account(f.from, "from")
	if err != nil {
		return q, err
	}
	q.From = client.Of(from)
	if q.Worker, err = s.worker(ctx, f.worker); err != nil {
		return q, err
	}
	q.Cluster, _, err = s.clusterHolding(ctx, q.Contract)
	return q, err
}

// least is the number of the least severe level that is shown.
func (f *logFlags) least() uint8 { return uint8(slices.Index(logLevels, f.level) + 1) }

// show is `contract logs` without --follow.
func (f *logFlags) show(ctx context.Context, s *session, args []string) (result, error) {
	q, err := f.request(ctx, s, args)
	if err != nil {
		return nil, err
	}
	lists, err := f.fetch(ctx, s, q)
	if len(lists) == 0 {
		return nil, err
	}
	out := logList{Contract: q.Contract, Entries: []logView{}, Workers: []logPlace{}}
	for _, l := range lists {
		out.Workers = append(out.Workers, logPlace{l.Worker.String(), l.First, l.Next})
		f.gap(s, l, q.Since)
	}
	for _, e := range client.MergeLogs(lists) {
		if v, some := s.viewOf(&e, f.least()); some {
			v.name = f.nameOf(s, e.Worker, e.Command)
			out.Entries = append(out.Entries, v)
		}
	}
	if err != nil {
		s.note(yellow, "Not every worker has answered: %s", oneLine(err.Error()))
	}
	return out, nil
}

// fetch asks one worker or all.
func (f *logFlags) fetch(ctx context.Context, s *session, q client.LogQuery) ([]*client.Logs, error) {
	if f.all {
		return s.client.LogsOfAll(ctx, q)
	}
	l, err := s.client.Logs(ctx, q)
	if err != nil {
		return nil, err
	}
	return []*client.Logs{l}, nil
}

// gap says so where entries that were asked for are gone.
func (f *logFlags) gap(s *session, l *client.Logs, since uint64) {
	if l.First > since && l.First < l.Next {
		s.note(yellow, "Worker %s has dropped what was logged before number %d.", l.Worker, l.First)
	}
}

// nameOf names the worker of what a query logged, where several are shown.
func (f *logFlags) nameOf(s *session, worker sr25519.PublicKey, command bool) string {
	if !f.all || command {
		return ""
	}
	return fmt.Sprintf("%.10s…", worker)
}

// follower shows what is new, and remembers where it stands on each worker.
type follower struct {
	*logFlags
	s      *session
	query  client.LogQuery
	places map[sr25519.PublicKey]client.Logs // without entries
	shown  map[wire.Hash]bool                // commands that another worker has shown already
}

// watch is `contract logs --follow`. It ends without an error when it is interrupted, and with one where the only worker
// that is asked does not answer.
func (f *logFlags) watch(ctx context.Context, s *session, args []string) (result, error) {
	w := &follower{
		logFlags: f, s: s, places: map[sr25519.PublicKey]client.Logs{}, shown: map[wire.Hash]bool{},
	}
	err := w.begin(ctx, args)
	for err == nil {
		if err = w.poll(ctx); err != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(followPause):
		}
		err = ctx.Err()
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	return nil, err
}

func (w *follower) begin(ctx context.Context, args []string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	if err := w.s.dial(ctx); err != nil {
		return err
	}
	if err := w.s.warn(ctx); err != nil {
		return err
	}
	w.query, err = w.request(ctx, w.s, args)
	return err
}

// poll asks for what is new and shows it.
func (w *follower) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	targets := []sr25519.PublicKey{w.query.Worker}
	if w.all {
		cluster, err := w.s.client.Cluster(ctx, w.query.Cluster)
		if err != nil {
			return err
		}
		targets = targets[:0]
		for _, m := range cluster.Record.Members {
			targets = append(targets, m.Identity)
		}
	}
	var lists []*client.Logs
	var errs error
	for _, id := range targets {
		l, err := w.newOn(ctx, id)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		lists = append(lists, l)
	}
	w.s.progress.stop()
	if len(lists) == 0 {
		return errs
	}
	return w.print(client.MergeLogs(lists))
}

// newOn reads what is new on one worker, and everything on one that has started anew.
func (w *follower) newOn(ctx context.Context, id sr25519.PublicKey) (*client.Logs, error) {
	q := w.query
	q.Worker = id
	place, known := w.places[id]
	if known {
		q.Since = place.Next
	}
	l, err := w.s.client.Logs(ctx, q)
	if err == nil && known && (l.Incarnation != place.Incarnation || l.Next < place.Next) {
		q.Since = 0
		l, err = w.s.client.Logs(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	w.gap(w.s, l, q.Since)
	if id.IsZero() { // from now on the one that has answered
		w.query.Worker = l.Worker
	}
	w.places[l.Worker] = client.Logs{Incarnation: l.Incarnation, First: l.First, Next: l.Next}
	return l, nil
}

// maxShown is how many commands are remembered as shown.
const maxShown = 1 << 14

func (w *follower) print(entries []client.Log) error {
	for i := range entries {
		e := &entries[i]
		if e.Command && w.shown[e.Invocation] {
			continue
		}
		if len(w.shown) >= maxShown {
			clear(w.shown)
		}
		w.shown[e.Invocation] = true
		v, some := w.s.viewOf(e, w.least())
		if !some {
			continue
		}
		v.name = w.nameOf(w.s, e.Worker, e.Command)
		if err := w.s.show(v); err != nil {
			return err
		}
	}
	return nil
}
