package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer is how many bytes a node may answer: a block of the largest size that the chain allows (4 MiB) in base64, almost
// three times over. Without a bound a node could fill the memory of whoever asks.
const maxAnswer = 16 << 20

// bounded is a transport whose answers end with an error where they are longer than maxAnswer.
type bounded struct{ *http.Transport }

// RoundTrip does what [http.Transport.RoundTrip] does.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &boundedBody{answer.Body, maxAnswer}
	return answer, nil
}

// errTooLong says that an answer is longer than any that is true.
var errTooLong = errors.New("it answers without end")

// boundedBody is a body of which left bytes are still taken.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read gives an error once more is there than is taken.
func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// Block is a block as a node gave it. That the transactions are the header's, and the header the chain's, is for whoever
// asks to verify: the header's DataHash is the Merkle root of the transactions, and its hash names the block.
type Block struct {
	Header []byte   // protobuf of tendermint.types.Header
	Txs    [][]byte // protobuf of cosmos.tx.v1beta1.TxRaw each, if their authors kept to it
}

// Block fetches the block at a height. A node that has it no more, or not yet, gives [ErrNotFound].
func (n *Node) Block(ctx context.Context, height uint64) (Block, error) {
	h := int64(height)
	r, err := n.rpc.Block(ctx, &h)
	if err != nil {
		if err = n.unreachable(err); errors.Is(err, ErrRefused) {
			err = fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		return Block{}, fmt.Errorf("block %d: %w", height, err)
	}
	if r.Block == nil {
		return Block{}, fmt.Errorf("block %d: %w", height, ErrNotFound)
	}
	header, err := r.Block.Header.ToProto().Marshal()
	if err != nil {
		return Block{}, fmt.Errorf("block %d: %w", height, err)
	}
	b := Block{Header: header}
	for _, tx := range r.Block.Txs {
		b.Txs = append(b.Txs, tx)
	}
	return b, nil
}
