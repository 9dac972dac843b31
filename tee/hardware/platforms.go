package hardware

import (
	"context"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine"
	"github.com/phalanx-network/phalanx/tee/dcap/tdx"
	nsm "github.com/phalanx-network/phalanx/tee/nitro/device"
	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/tee/tpm"
)

// platforms, in the order in which Auto tries them: an enclave may run inside a confidential machine, not the reverse.
var platforms = []platform{
	{"sgx", openSGX, []string{"gramine", "memory"}},
	{"sev-snp", openSNP, []string{"sev-snp", "tpm", "memory"}},
	{"tdx", openTDX, []string{"tpm", "memory"}},
	{"nitro", openNitro, []string{"memory"}},
}

// sealers are what seals keys.
var sealers = []sealer{
	{name: "gramine", open: sealGramine},
	{name: "sev-snp", open: sealSNP},
	{name: "tpm", open: sealTPM, warn: "a TPM seals the keys: one that the host imitates (most virtual ones) keeps them from whoever has only the disk, not from the host"},
	{name: "memory", open: sealMemory, warn: "nothing is sealed: this identity ends with the process, and the next start needs a new --home"},
}

func openSGX(_ context.Context, o *Options) (*opened, error) {
	files := o.Gramine
	if files == nil {
		files = gramine.Dir(gramine.DefaultRoot)
	}
	e, err := gramine.Open(files)
	if err != nil {
		return nil, err
	}
	return &opened{attester: e, words: "Gramine (" + gramine.DefaultRoot + ")", enclave: e}, nil
}

func openSNP(_ context.Context, o *Options) (*opened, error) {
	reports, err := device.OpenReports(o.SNP)
	if err != nil {
		return nil, err
	}
	words := "configfs-tsm"
	if g, ok := reports.(device.Guest); ok {
		words = g.Path
	}
	return &opened{attester: device.NewAttester(reports, o.VMPL), words: words, reports: reports}, nil
}

func openTDX(ctx context.Context, o *Options) (*opened, error) {
	a, err := tdx.Open(ctx, o.TDX)
	if err != nil {
		return nil, err
	}
	return &opened{attester: a, words: "configfs-tsm"}, nil
}

func openNitro(_ context.Context, o *Options) (*opened, error) {
	if o.module != nil {
		return &opened{attester: nsm.NewAttester(o.module), words: nsm.DefaultPath}, nil
	}
	a, err := nsm.Open(o.Nitro)
	if err != nil {
		return nil, err
	}
	return &opened{attester: a, words: nsm.DefaultPath}, nil
}

func sealGramine(_ context.Context, o *Options, p *opened) (tee.Sealer, string, error) {
	keys, err := p.enclave.Keys(o.Rand)
	if err != nil {
		return nil, "", err
	}
	return sealing.New(keys, gramine.Label, o.Rand), "the processor's sealing key of this enclave", nil
}

func sealSNP(ctx context.Context, o *Options, p *opened) (tee.Sealer, string, error) {
	var firmware device.Deriver = o.SNP.Guest()
	if o.deriver != nil {
		firmware = o.deriver
	}
	keys, err := device.NewKeys(ctx, p.reports, firmware, o.VMPL, o.Rand)
	if err != nil {
		return nil, "", err
	}
	return sealing.New(keys, device.Label, o.Rand), "a key that the firmware derives for this guest on this chip", nil
}

func sealTPM(ctx context.Context, o *Options, _ *opened) (tee.Sealer, string, error) {
	keys, err := tpm.Open(ctx, o.TPM)
	if err != nil {
		return nil, "", err
	}
	return sealing.New(keys, tpm.Label, o.Rand), "a TPM 2.0, for this boot chain", nil
}

func sealMemory(_ context.Context, o *Options, _ *opened) (tee.Sealer, string, error) {
	keys, err := sealing.Memory(o.Rand)
	if err != nil {
		return nil, "", err
	}
	return sealing.New(keys, "memory", o.Rand), "nothing but this process's memory", nil
}
