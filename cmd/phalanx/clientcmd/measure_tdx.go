package clientcmd

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/mrtd"
	"github.com/phalanx-network/phalanx/tee/ovmf"
)

func measureTDXCommand(o *options) *cobra.Command {
	var firmware string
	cmd := &cobra.Command{
		Use: "tdx", Short: "MRTD of a TDX guest of QEMU", Args: cobra.NoArgs,
		Long: `Compute MRTD of a TDX guest that QEMU with KVM (Linux 6.16 or later) starts: the measurement of its firmware. The kernel is not in it but in
RTMR1 and RTMR2, and RTMR0 depends on the hypervisor: a policy needs all four. No network and no TDX machine is needed.`,
		Example: "  phalanx attestation measure tdx --ovmf OVMF.inteltdx.ms.fd\n  phalanx attestation measure tdx --ovmf OVMF.inteltdx.ms.fd -o json",
		RunE: o.run(func(context.Context, *session, []string) (result, error) {
			if firmware == "" {
				return nil, usage("give --ovmf, the firmware as QEMU's -bios")
			}
			data, err := readFile(firmware, ovmf.MaxSize)
			if err != nil {
				return nil, usage("--ovmf: %v", err)
			}
			register, err := mrtd.Of(data)
			if err != nil {
				return nil, usage("--ovmf %s: %v", firmware, err)
			}
			return measuredTDX{Kind: tee.KindTDX.String(), MRTD: hex.EncodeToString(register[:])}, nil
		}),
	}
	cmd.Flags().StringVar(&firmware, "ovmf", "", "the firmware, as QEMU's -bios: OVMF with TDX")
	return cmd
}

// measuredTDX is the register that a firmware file gives; its name is that of a policy.
type measuredTDX struct {
	Kind string `json:"kind"`
	MRTD string `json:"mrtd"`
}

func (m measuredTDX) text(w io.Writer) { fmt.Fprintln(w, m.MRTD) }
