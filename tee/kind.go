package tee

import (
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Kind names the form of evidence. Its values are stored in chain state and never change.
type Kind uint8

// The kinds of evidence. [KindSimulated] gives no confidentiality whatever; a production network's policy does not
// accept it.
const (
	KindSimulated Kind = 0 // tee/simulated: signed by a root whose secret is public knowledge
	KindSGX       Kind = 1 // Intel SGX, DCAP quote v3
	KindTDX       Kind = 2 // Intel TDX, DCAP quote v4 and v5
	KindSEVSNP    Kind = 3 // AMD SEV-SNP attestation report
	KindNitro     Kind = 4 // AWS Nitro Enclaves attestation document
	KindTPM       Kind = 5 // TPM 2.0 quote

	kinds = 6
)

var kindNames = [kinds]string{"simulated", "sgx-dcap-v3", "tdx", "sev-snp", "nitro", "tpm"}

// String returns the kind's name as tools print it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Valid reports whether k is one of the kinds above.
func (k Kind) Valid() bool { return k < kinds }

// Scale visits the kind as one byte; an unknown one is an error.
func (k *Kind) Scale(c *scale.Codec) { c.Variant((*uint8)(k), kinds) }

// TCBStatus is the platform maker's verdict on the firmware and microcode that the evidence shows. Its values are
// stored in chain state and never change; the names are those of Intel's TCB info, to which other platforms are mapped.
type TCBStatus uint8

// The statuses, best first.
const (
	TCBUpToDate                  TCBStatus = 0
	TCBSWHardeningNeeded         TCBStatus = 1
	TCBConfigurationNeeded       TCBStatus = 2
	TCBConfigurationAndHardening TCBStatus = 3 // ConfigurationAndSWHardeningNeeded
	TCBOutOfDate                 TCBStatus = 4
	TCBOutOfDateConfiguration    TCBStatus = 5 // OutOfDateConfigurationNeeded
	TCBRevoked                   TCBStatus = 6 // no policy may accept it

	tcbStatuses = 7
)

var tcbNames = [tcbStatuses]string{
	"UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
	"OutOfDate", "OutOfDateConfigurationNeeded", "Revoked",
}

// String returns the status as Intel's TCB info spells it.
func (s TCBStatus) String() string {
	if int(s) < len(tcbNames) {
		return tcbNames[s]
	}
	return fmt.Sprintf("TCBStatus-%d", uint8(s))
}

// Scale visits the status as one byte; an unknown one is an error.
func (s *TCBStatus) Scale(c *scale.Codec) { c.Variant((*uint8)(s), tcbStatuses) }

// Confidence levels, as WorkerState shows them: 1 is the best, as the field's users know it, and 0 is none at all.
const (
	ConfidenceNone  = 0 // no protection: the only level of KindSimulated, and of no other kind
	ConfidenceBest  = 1 // genuine hardware, TCB up to date, no advisory open
	ConfidenceWorst = 5 // genuine hardware, whose TCB is known to be lacking
)

// ConfidenceAtLeast reports whether a level is as good as the level asked or better. Asking ConfidenceNone takes all;
// a level that does not exist is as good as none.
func ConfidenceAtLeast(level, asked uint8) bool { return strength(level) >= strength(asked) }

func strength(level uint8) uint8 {
	if level < ConfidenceBest || level > ConfidenceWorst {
		return 0
	}
	return ConfidenceWorst + 1 - level
}
