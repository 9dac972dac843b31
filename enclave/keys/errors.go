package keys

import "errors"

// Why a sealed file does not open. The file is left as it is in every case.
var (
	// ErrDamaged says that the file's bytes are not those that were written.
	ErrDamaged = errors.New("sealed keys are damaged")
	// ErrTruncated says that the file ends too early.
	ErrTruncated = errors.New("sealed keys are truncated")
	// ErrVersion says that a release with another file format wrote the file.
	ErrVersion = errors.New("sealed keys have an unknown version")
	// ErrOtherNetwork says that the file belongs to a network with another chain uid.
	ErrOtherNetwork = errors.New("sealed keys belong to another network")
	// ErrOtherKind says that the file belongs to another kind of program.
	ErrOtherKind = errors.New("sealed keys belong to another kind of program")
	// ErrOtherMachine says that another machine sealed the file. It wraps tee.ErrOtherMachine.
	ErrOtherMachine = errors.New("sealed keys belong to another machine")
	// ErrOtherProgram says that another measurement sealed the file; its keys come by handover only. It wraps
	// tee.ErrOtherMeasurement.
	ErrOtherProgram = errors.New("sealed keys belong to another release of the program")
)

// Why an operation is refused.
var (
	// ErrInUse says that another process holds the directory.
	ErrInUse = errors.New("keys: another process uses this directory")
	// ErrClosed says that the Keyring was closed.
	ErrClosed = errors.New("keys: the keyring is closed")
	// ErrNoKey says that no key of this Keyring is the recipient in the envelope's epoch.
	ErrNoKey = errors.New("keys: the envelope is for none of the held keys")
	// ErrPurpose says that the purpose of an envelope is not one that the key serves.
	ErrPurpose = errors.New("keys: the key does not serve this purpose")
	// ErrKind says that a kind of signed text or program is not 1 to 32 of a-z, 0-9 and '-'.
	ErrKind = errors.New("keys: malformed kind")
	// ErrUnknownOwnKey says that the chain names an EcdhKey of ours that we do not hold: the sealed file is older than
	// the chain. The caller registers the key that ReplaceEcdhKey makes.
	ErrUnknownOwnKey = errors.New("keys: the chain names a key of ours that is not held")
	// ErrOldEpoch says that what AdoptEpoch was told is older than what is held.
	ErrOldEpoch = errors.New("keys: an older epoch than the one held")
	// ErrGrace says that a rotation may not begin while the key before is in its grace period.
	ErrGrace = errors.New("keys: the key before is still in its grace period")
	// ErrEpochs says that epochs have run out.
	ErrEpochs = errors.New("keys: no epoch is left")
	// ErrNoMasterKey says that this entity holds no MasterKey.
	ErrNoMasterKey = errors.New("keys: no master key is held")
	// ErrTrusted says that a trusted header is over MaxTrusted bytes.
	ErrTrusted = errors.New("keys: trusted header is too long")
	// ErrReceiving says that the identity's keys have not come here yet: the old release has them.
	ErrReceiving = errors.New("keys: the identity's keys have not been handed over to this release yet")
	// ErrHandedOver says that the identity's keys are another release's.
	ErrHandedOver = errors.New("keys: handed over to a new release")
	// ErrNotHandedOver says that the keys are still here.
	ErrNotHandedOver = errors.New("keys: not handed over; the identity's keys are still here")
	// ErrNotReceiver says that the keys here are not waited for.
	ErrNotReceiver = errors.New("keys: this release holds its own keys and takes no others")
	// ErrOtherIdentity says that the directory holds, or waits for, the keys of another identity.
	ErrOtherIdentity = errors.New("keys: the directory belongs to another identity")
	// ErrOffer says that an offer is not the answer to this release's request, or not its identity's.
	ErrOffer = errors.New("keys: the offer does not answer this release's request")
)
