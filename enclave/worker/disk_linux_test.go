package worker_test

import (
	"os/signal"
	"syscall"
	"testing"

	"github.com/phalanx-network/phalanx/wire"
)

// A disk that takes no more stops the cluster by name; nothing that is not durable is seen, and after a start with room
// again everything goes on, nothing lost and nothing twice.
func TestFullDisk(t *testing.T) {
	s, alice, id, code := counterStage(t)
	x := s.workers[0]
	before, receipts := x.Status(), s.Count()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	at := alice.Call(id, code.Input("inc"))
	s.Blocks(1)
	err := x.Sync()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Fatal("no error")
	}
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
