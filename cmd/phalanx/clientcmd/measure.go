package clientcmd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp/launch"
)

// maxBootFile is the size up to which a kernel or initrd is read, in bytes.
const maxBootFile = 1 << 30

func attestationMeasureCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "measure", Short: "Compute the measurement that a guest will have", Args: cobra.NoArgs,
		Long: "Compute from a guest's files what its evidence will say, to put it into a policy before any such guest runs.",
		Example: "  phalanx attestation measure snp --ovmf OVMF.amdsev.fd --kernel vmlinuz --initrd initrd --cmdline cmdline --vcpus 4 --vcpu-type EPYC-v4\n" +
			"  phalanx attestation measure tdx --ovmf OVMF.inteltdx.ms.fd",
	}
	cmd.AddCommand(measureSNPCommand(o), measureTDXCommand(o))
	return cmd
}

// measureFlags are the flags of attestation measure snp.
type measureFlags struct {
	ovmf, kernel, initrd, append, cmdline, model, features string
	vcpus                                                  int
}

func measureSNPCommand(o *options) *cobra.Command {
	f := &measureFlags{}
	cmd := &cobra.Command{
		Use: "snp", Short: "The measurement of an SEV-SNP guest of QEMU", Args: cobra.NoArgs,
		Long: `Compute the measurement of an SEV-SNP guest that QEMU with KVM starts by direct boot with kernel-hashes=on. Firmware, kernel,
initrd, command line, the number of vCPUs and their model all decide it. No network and no SNP machine is needed.`,
		Example: "  phalanx attestation measure snp --ovmf OVMF.amdsev.fd --kernel vmlinuz --initrd initrd --cmdline cmdline --vcpus 4 --vcpu-type EPYC-v4\n" +
			"  phalanx attestation measure snp --ovmf OVMF.amdsev.fd --kernel vmlinuz --append 'console=ttyS0' --vcpus 1 --vcpu-type EPYC-Milan -o json",
		RunE: o.run(f.measure),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.ovmf, "ovmf", "", "the firmware: OVMF's AmdSev build")
	flags.StringVar(&f.kernel, "kernel", "", "the kernel, as QEMU's -kernel")
	flags.StringVar(&f.initrd, "initrd", "", "the initrd, as QEMU's -initrd")
	flags.StringVar(&f.append, "append", "", "the command line, as QEMU's -append")
	flags.StringVar(&f.cmdline, "cmdline", "", "a file with the command line, instead of --append")
	flags.IntVar(&f.vcpus, "vcpus", 0, "number of vCPUs, as QEMU's -smp")
	flags.StringVar(&f.model, "vcpu-type", "", "QEMU's -cpu: "+strings.Join(models(), ", ")+", each with or without a version such as -v4")
	flags.StringVar(&f.features, "guest-features", "1", "SEV_FEATURES of the guest, decimal or 0x")
	return cmd
}

func models() []string {
	var names []string
	for name := range launch.Models {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// modelSignature finds a model by its name, with or without a version.
func modelSignature(name string) (uint32, error) {
	model := name
	if at := strings.LastIndex(name, "-v"); at > 0 {
		if n, err := strconv.ParseUint(name[at+2:], 10, 8); err == nil && n > 0 {
			model = name[:at]
		}
	}
	if s, ok := launch.Models[model]; ok {
		return s, nil
	}
	return 0, usage("--vcpu-type %q: give one of %s", name, strings.Join(models(), ", "))
}

func (f *measureFlags) measure(context.Context, *session, []string) (result, error) {
	if f.ovmf == "" || f.kernel == "" {
		return nil, usage("give --ovmf and --kernel: without a kernel the measurement says nothing about what runs in the guest")
	}
	if f.append != "" && f.cmdline != "" {
		return nil, usage("give --append or --cmdline, not both")
	}
	g := launch.Guest{VCPUs: f.vcpus, CommandLine: f.append}
	var err error
	if g.Signature, err = modelSignature(f.model); err != nil {
		return nil, err
	}
	if g.Features, err = strconv.ParseUint(f.features, 0, 64); err != nil {
		return nil, usage("--guest-features %q: give a number such as 0x1", f.features)
	}
	var line []byte
	for _, file := range []struct {
		flag, name string
		limit      int64
		to         *[]byte
	}{
		{"--ovmf", f.ovmf, launch.MaxFirmware, &g.Firmware},
		{"--kernel", f.kernel, maxBootFile, &g.Kernel},
		{"--initrd", f.initrd, maxBootFile, &g.Initrd},
		{"--cmdline", f.cmdline, 4 << 10, &line},
	} {
		if file.name == "" {
			continue
		}
		if *file.to, err = readFile(file.name, file.limit); err != nil {
			return nil, usage("%s: %v", file.flag, err)
		}
	}
	if f.cmdline != "" {
		g.CommandLine = string(line)
	}
	digest, err := launch.Compute(g)
	if err != nil {
		return nil, usage("%v", err)
	}
	return measured{Kind: tee.KindSEVSNP.String(), Measurement: hex.EncodeToString(digest[:])}, nil
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: over %d bytes", name, limit)
	}
	return data, nil
}

// measured is a measurement as a policy names programs by.
type measured struct {
	Kind        string `json:"kind"`
	Measurement string `json:"measurement"`
}

func (m measured) text(w io.Writer) { fmt.Fprintln(w, m.Measurement) }
