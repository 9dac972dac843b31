// Package hardware finds the TEE that the program runs in, and what seals its keys there. Only the enclave program links
// it.
//
//	found, err := hardware.Find(ctx, hardware.Options{Rand: rand.Reader})
//	// found.Attester, found.Sealer, found.Words
//
// With the platform "auto" each is tried in this order, the innermost first (an enclave may run inside a confidential
// machine, not the reverse); the first that answers is taken:
//
//	sgx      Gramine's files below /dev/attestation, attestation_type "dcap"
//	sev-snp  configfs-tsm served by "sev_guest", else the device /dev/sev-guest
//	tdx      configfs-tsm served by "tdx_guest"
//	nitro    the device /dev/nsm
//
// A platform that is named is the only one tried. Looking writes nothing, but for an entry in configfs-tsm that is removed
// again (the kernel tells who serves it only there) and, where Gramine answers, the request for the enclave's own report.
// Whether the platform is genuine is not for this package to say: a host that imitates the files gets a program whose
// evidence nobody believes.
//
// What seals is the platform's own where there is one, and with the sealer "auto" nothing else is ever chosen; a platform
// whose keys cannot be had is an error:
//
//	platform  auto     or, named
//	sgx       gramine  memory
//	sev-snp   sev-snp  tpm, memory
//	tdx       tpm      memory
//	nitro     memory
//
// TDX derives no keys for a domain, and Nitro none for an enclave. A TPM is a choice with a condition: one that the host
// imitates (most virtual ones) keeps keys from whoever has only the disk, not from the host. A warning says so.
//
// Keys sealed by memory are gone with the process: the program is another identity after each start, which must be in a
// new home. A warning says so.
//
// A further platform or sealer is one more entry in the tables of platforms.go.
package hardware
