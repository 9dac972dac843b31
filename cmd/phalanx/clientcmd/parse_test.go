package clientcmd

import (
	"errors"
	"fmt"
	"testing"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/wire"
)

func TestAmounts(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "5": "5", "5uphx": "5", "1phx": "1000000", "0.5phx": "500000", "0.000001phx": "1", "1.phx": "1000000",
		"340282366920938463463374607431768211455": "340282366920938463463374607431768211455",
	} {
		if got, err := parseAmount(text); err != nil || got.String() != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "phx", "uphx", "-1", "1.5", "1e3", "0.0000001phx", ".5phx", "1 phx", "0x10", "٣", "1.5uphx", "1..2phx", "1.-2phx",
		"340282366920938463463374607431768211456", "99999999999999999999999999999999999999999999phx",
	} {
		if got, err := parseAmount(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for want, list := range map[int][]error{
		exitDone: {nil},
		exitRefused: {
			&client.OutcomeError{Status: wire.StatusTrapped}, fmt.Errorf("x: %w", errContract), client.ErrNoReceipt,
			&client.WorkerError{Err: client.ErrWorker}, &client.AgeError{}, &client.AbsentError{}, &node.TxError{}, client.ErrNodeLied,
		},
		exitUsage: {usage("x"), client.ErrUnreachable, client.ErrNoWorker, client.ErrStaleChain, errors.New("anything"), usageOf(errors.New("x"))},
	} {
		for _, err := range list {
			if got := ExitCode(err); got != want {
				t.Errorf("%v: %d, want %d", err, got, want)
			}
			if got := ExitCode(advise(err)); got != want {
				t.Errorf("%v with advice: %d, want %d", err, got, want)
			}
		}
	}
}

// TestPrintable keeps what others wrote from steering the user's terminal.
func TestPrintable(t *testing.T) {
	if got := printable([]byte("a\x1b[31mb\u009bc\xff\n")); got != "a\uFFFD[31mb\uFFFDc\uFFFD\n" {
		t.Errorf("%q", got)
	}
}

func TestSalt(t *testing.T) {
	a, err := parseSalt("")
	b, err2 := parseSalt("")
	if err != nil || err2 != nil || a == b {
		t.Error("salts are not random")
	}
	if s, err := parseSalt("0x0102"); err != nil || s != [32]byte{1, 2} {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := parseSalt("zz"); !errors.Is(err, errUsage) {
		t.Errorf("%v", err)
	}
}
