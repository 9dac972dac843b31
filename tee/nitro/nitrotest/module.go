package nitrotest

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// Module answers requests for attestation documents as the Nitro Secure Module does, byte for byte in its framing.
type Module struct {
	Authority *Authority
	Now       time.Time
	Debug     bool
	// Answer, if set, may change what is answered.
	Answer func(response []byte) ([]byte, error)
}

// Exchange answers one request. What is no request for a document with user data alone is an invalid argument, as the
// module says it.
func (m *Module) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	response, err := m.respond(request)
	if err != nil || m.Answer == nil {
		return response, err
	}
	return m.Answer(response)
}

func (m *Module) respond(request []byte) ([]byte, error) {
	head := append(append([]byte{0xa1}, Text("Attestation")...), 0xa3)
	head = append(head, Text("user_data")...)
	tail := append(append(append(Text("nonce"), 0xf6), Text("public_key")...), 0xf6)
	data, ok := bytes.CutPrefix(request, head)
	data, ok2 := bytes.CutSuffix(data, tail)
	if !ok || !ok2 {
		return Refusal("InvalidArgument"), nil
	}
	size := len(data) - 1
	if size > 23 {
		size--
	}
	if size < 0 || size > 255 || !bytes.Equal(data, Bytes(data[len(data)-size:])) {
		return nil, errors.New("nitrotest: user data of a size that is not tested")
	}
	document, err := m.Authority.Document(m.Now, data[len(data)-size:], m.Debug)
	if err != nil {
		return nil, err
	}
	return Response(document), nil
}

// Response returns the response that holds a document.
func Response(document []byte) []byte {
	b := append(append([]byte{0xa1}, Text("Attestation")...), 0xa1)
	return append(append(b, Text("document")...), Bytes(document)...)
}

// Refusal returns the response that names an error.
func Refusal(code string) []byte {
	return append(append([]byte{0xa1}, Text("Error")...), Text(code)...)
}
