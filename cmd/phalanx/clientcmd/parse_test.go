package clientcmd

import (
	"errors"
	"fmt"
	"strings"
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

// TestContractIDs reads an id as the chain writes it and as contracts do; what is almost one is none.
func TestContractIDs(t *testing.T) {
	const id = "0xb784096bf157c229f3430ece02ac957e2198a497deab4fa0e346b3cbb01e10a9"
	const address = "5GDKqrj7tCxALpzZ2HN3kBfrbV1pBgA5BPqJVqCP6jDqRMNS"
	for _, text := range []string{id, id[2:], address} {
		if got, err := parseContract(text); err != nil || got.String() != id {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0x", id[:65], id + "00", address[1:], address[:47] + "T"} {
		if got, err := parseContract(text); !errors.Is(err, errUsage) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

// TestOutcomeWords says how a call ended once, and why where that is more.
func TestOutcomeWords(t *testing.T) {
	for want, e := range map[string]client.OutcomeError{
		"trapped":                    {Status: wire.StatusTrapped, Fault: "trapped"},
		"trapped: unreachable":       {Status: wire.StatusTrapped, Fault: "unreachable"},
		"trapped: sign: invalid key": {Status: wire.StatusTrapped, Fault: "trapped: sign: invalid key"},
		"out of gas":                 {Status: wire.StatusOutOfGas},
		"refused: no such contract":  {Status: wire.StatusRefused, Fault: "no such contract"},
	} {
		if e.Error() != want {
			t.Errorf("%q, want %q", e.Error(), want)
		}
	}
	if got := advise(&client.OutcomeError{Status: wire.StatusOutOfGas}).Error(); !strings.HasSuffix(got, "--gas") {
		t.Errorf("out of gas: %q", got)
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
