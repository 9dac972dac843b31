// Package tpm has a TPM 2.0 wrap data keys, as the platform's key of package sealing: they come out again only on the
// machine whose TPM it is, and only after the same boot. Only the enclave program links it.
//
//	keys, err := tpm.Open(ctx, tpm.Options{})
//	sealer := sealing.New(keys, tpm.Label, rand.Reader)
//
// # What it does
//
// A data key becomes a sealed object (a KEYEDHASH of 32 bytes) below the storage root key, with a policy on platform
// configuration registers (PCRs). The storage root key is the standard one of elliptic curve P-256 (TCG TPM v2.0
// Provisioning Guidance, section 7.5.1, template L): the persistent one at 0x81000001 if it has that form, else it is made
// anew each time, which gives the same key until somebody clears the TPM.
//
// To open it, the TPM itself compares the registers (TPM2_PolicyPCR). This package reads them too, but only to say why.
//
// Anybody who may use the TPM can make a sealed object for any registers, and so plant a key of his own. So what was
// sealed is taken only with the TPM's creation ticket: it says in which state of the registers, and bound to what, the
// object was made. The TPM checks that ticket (TPM2_CertifyCreation, without a key to sign) before the object is opened.
// A program of another boot can therefore neither read what this one sealed nor seal in its name.
//
// Commands that carry the key are encrypted, and all answers authenticated, by sessions salted to the storage root key:
// who listens on the bus of a discrete TPM learns nothing. Who replaces the TPM's answers from the first start on is not
// kept out. Randomness of the sessions is the library's (crypto/rand). Sealed objects and the root key are exempt from
// the lockout after wrong passwords (noDA), for they have none.
//
// # Registers
//
// [DefaultPCRs] are those that measure what runs in a machine that boots a unified kernel image (UAPI group, "Linux TPM
// PCR Registry"): 0 firmware, 2 its drivers, 4 the boot loader or kernel image, 7 Secure Boot, 9 what the kernel's own
// loader measured (initrd and command line), 11 the sections of the image, 12 command line and credentials from outside
// the image, 13 system extensions. Not among them are 1, 3 and 5 (settings, boot attempts, partitions), which differ
// between two boots of the same program. systemd extends 11 as it passes phases of the boot (systemd-pcrphase): the program
// must always start in the same phase.
//
// Changed firmware, kernel or command line is another measurement, and what was sealed before stays shut: keys go to a new
// release by handover, not through the disk.
//
// # What it is worth
//
// It keeps keys from whoever takes the disk, and from another program on the same machine. A TPM outside the TEE is
// believed in both: **a virtual TPM that the host runs gives every key to the host**, and so does a host that holds a
// discrete one's bus from the start. Where the processor derives keys (SEV-SNP, SGX) those are better. TDX has none; there
// a TPM is all there is, and it should be one inside a service domain or of somebody who is not the host.
//
// # Wrapped key
//
//	PCR selection [3] ‖ PCR digest [32] ‖ name of the root key [32] ‖ unique [32] ‖ ticket length u8 ‖ ticket ‖
//	private length u16 ‖ private
//
// Bit n of the selection (bit n%8 of byte n/8) is PCR n of the bank SHA-256, the digest SHA-256 of their values in order,
// the name without its algorithm, unique, ticket (TPMT_TK_CREATION.digest) and private as the TPM gave them; the length is
// little-endian. Everything else of the object is fixed and rebuilt. The associated data is bound as SHA-256
// ("phalanx tpm sealed key v1" ‖ aad) in the creation data's outsideInfo.
package tpm
