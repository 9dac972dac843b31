package worker_test

import (
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/phalanx-network/phalanx/wire"
)

// onFullDisk runs do while no file of this process takes more than 4 KiB, and demands that do fails.
func onFullDisk(t *testing.T, do func() error) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err := do()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Fatal("no error")
	}
}

// A disk that takes no more stops the cluster by name; nothing that is not durable is seen, and after a start with room
// again everything goes on, nothing lost and nothing twice.
func TestFullDisk(t *testing.T) {
	s, alice, id, code := counterStage(t)
	x := s.workers[0]
	before, receipts := x.Status(), s.Count()
	at := alice.Call(id, code.Input("inc"))
	s.Blocks(1)
	onFullDisk(t, x.Sync)
	st := x.Status()
	if st.Phase != "failed" || st.Problem == "" || st.Count != before.Count || st.Root != before.Root {
		t.Fatalf("%+v", st)
	}
	if _, err := alice.Receipt(x, at); err == nil {
		t.Fatal("a receipt of what is not durable")
	}
	if _, err := alice.Receipt(x, receipts-1); err != nil {
		t.Fatalf("a receipt of before: %v", err)
	}
	x.Restart()
	s.sync()
	s.want(alice, at, wire.StatusDone)
	if got := s.value(alice, id, code); got != 1 {
		t.Fatalf("the counter is %d", got)
	}
	s.agree()
}

// Logs of a command that did not become durable are not there.
func TestLogsOfWhatIsNotDurable(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	x := p.workers[0]
	p.must(p.alice, p.hers, logged("before"))
	kept := x.Role.LoggedBytes(p.Cluster.ID)
	if kept == 0 {
		t.Fatal("nothing is kept")
	}
	p.do(p.alice, p.hers, logged("lost"), set(1, strings.Repeat("x", 8000)))
	p.Blocks(1)
	onFullDisk(t, x.Sync)
	if got := x.Role.LoggedBytes(p.Cluster.ID); got != kept {
		t.Errorf("%d bytes are kept, were %d", got, kept)
	}
	x.Restart()
	p.sync()
	if got := texts(p.logs(x, p.alice, p.hers)); fmt.Sprint(got) != "[lost]" {
		t.Errorf("after the start there is %q", got)
	}
}
