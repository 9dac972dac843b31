package clientcmd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/tee/ovmf"
	"github.com/phalanx-network/phalanx/tee/ovmf/ovmftest"
)

// tdxFirmware is a firmware of which one page is code and one the hand-off block.
func tdxFirmware() []byte {
	little := binary.LittleEndian
	block := []byte("TDVF")
	for _, x := range []uint32{16 + 2*32, 1, 2} {
		block = little.AppendUint32(block, x)
	}
	for _, s := range [][8]uint32{{0, 4096, 0xfffff000, 0, 4096, 0, 0, 1}, {0, 0, 0x809000, 0, 4096, 0, 2, 0}} {
		for _, x := range s {
			block = little.AppendUint32(block, x)
		}
	}
	name := ovmf.MustGUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
	return ovmftest.Build(4096, block, ovmftest.Number(name, uint32(ovmftest.BlockEnd+len(block))))
}

func TestMeasureTDX(t *testing.T) {
	dir := t.TempDir()
	firmware, other := filepath.Join(dir, "OVMF.fd"), filepath.Join(dir, "other")
	for name, data := range map[string][]byte{firmware: tdxFirmware(), other: make([]byte, 4096)} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		cmd := attestationCommand()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append([]string{"measure", "tdx"}, args...))
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	text, err := run("--ovmf", firmware)
	if err != nil || len(strings.TrimSpace(text)) != 96 {
		t.Fatalf("%q, %v", text, err)
	}
	var answer struct{ Kind, MRTD string }
	document, err := run("--ovmf", firmware, "-o", "json")
	if err = errors.Join(err, json.Unmarshal([]byte(document), &answer)); err != nil || answer.Kind != "tdx" || answer.MRTD != strings.TrimSpace(text) {
		t.Fatalf("%s, %v", document, err)
	}
	for want, args := range map[string][]string{
		"give --ovmf":        nil,
		"no such file":       {"--ovmf", filepath.Join(dir, "gone")},
		"its table is miss":  {"--ovmf", other},
		"unknown command \"": {"x"},
	} {
		if out, err := run(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %q, %v; want %q", args, out, err, want)
		}
	}
}
