package keys

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// errMarshal is what every marshaller of a type with secrets returns.
var errMarshal = errors.New("keys: secrets are never marshalled")

// Format hides the Keyring from every verb.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[keyring]") }

// String returns "[keyring]".
func (k *Keyring) String() string { return "[keyring]" }

// GoString returns "[keyring]".
func (k *Keyring) GoString() string { return "[keyring]" }

// LogValue hides the Keyring from log/slog.
func (k *Keyring) LogValue() slog.Value { return slog.StringValue("[keyring]") }

// MarshalJSON fails.
func (k *Keyring) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalText fails.
func (k *Keyring) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalBinary fails.
func (k *Keyring) MarshalBinary() ([]byte, error) { return nil, errMarshal }

// GobEncode fails.
func (k *Keyring) GobEncode() ([]byte, error) { return nil, errMarshal }

// Format hides the key from every verb.
func (o *OneTime) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[one-time key]") }

// String returns "[one-time key]".
func (o *OneTime) String() string { return "[one-time key]" }

// GoString returns "[one-time key]".
func (o *OneTime) GoString() string { return "[one-time key]" }

// LogValue hides the key from log/slog.
func (o *OneTime) LogValue() slog.Value { return slog.StringValue("[one-time key]") }

// MarshalJSON fails.
func (o *OneTime) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalText fails.
func (o *OneTime) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalBinary fails.
func (o *OneTime) MarshalBinary() ([]byte, error) { return nil, errMarshal }

// GobEncode fails.
func (o *OneTime) GobEncode() ([]byte, error) { return nil, errMarshal }
