// Package device is the guest's side of AMD SEV-SNP: reports about the machine that calls, as evidence ([Attester]), and
// keys that the firmware derives for this guest on this chip, as the platform's key of package sealing ([Keys]). Only the
// enclave program links it.
//
//	reports, err := device.OpenReports(device.Options{})
//	attester := device.NewAttester(reports, 0)
//	keys, err := device.NewKeys(ctx, reports, device.Options{}.Guest(), 0, rand.Reader)
//	sealer := sealing.New(keys, device.Label, rand.Reader)
//
// # Reports
//
// [OpenReports] prefers configfs-tsm (/sys/kernel/config/tsm/report, Linux 6.7, provider "sev_guest") and falls back to
// the ioctls of /dev/sev-guest (Linux 5.19). Both need root, or a udev rule. The report comes from the firmware over a
// channel that the host cannot read or change; that it carries the report data and the privilege level that were asked is
// checked all the same. The certificate table beside it is the host's: it is bounded, read strictly, and a table that
// does not parse counts as none, because whoever relays the evidence can add the certificates. No certificate is
// believed here.
//
// # Keys
//
// Sealing needs /dev/sev-guest: configfs-tsm derives no keys. The firmware derives a key out of a root and the fields
// that the request selects ("SEV Secure Nested Paging Firmware ABI Specification", document 56860, MSG_KEY_REQ). Asked
// for is:
//
//   - the root VCEK, the chip's own (KEY_SEL 1 where the firmware knows VLEKs): a VLEK is a cloud provider's, and the
//     same on all of its machines. A VMRK would let a migration agent take the key elsewhere. A platform that has
//     VLEK support but refuses the VCEK is refused;
//   - MEASUREMENT: another program gets another key;
//   - GUEST_POLICY: the host starts the same program with debug or migration allowed, and gets another key;
//   - TCB_VERSION, with the TCB that the platform had committed when the data was sealed, and which stands beside it. The
//     firmware derives for its committed TCB and older ones. So newer firmware opens what older firmware sealed, and a
//     host that puts back older firmware, whose holes are known, is refused the key ([ErrOlderFirmware]);
//   - the privilege level (VMPL), which the firmware always mixes in.
//
// Not mixed in are IMAGE_ID, FAMILY_ID and GUEST_SVN: they come from an ID block that the host may add at launch, and
// say nothing that the measurement does not say better. The launch mitigation vector is of a newer message version, which
// Linux does not send.
//
// To tell another machine from another program the sealed data names both: the machine by a hash of a key derived of the
// TCB version alone, which every guest on the chip could compute and which opens nothing; the program by measurement,
// policy and privilege level.
//
// What it does not protect from: sealing is as good as the launch measurement. Where the measured image lets other
// programs of the host's choice run, they get the same key. Whether a key derived of the VCEK really survives a firmware
// update is the firmware's promise, not something that this package can check: [Keys] was tested against an imitation
// of the firmware alone.
package device
