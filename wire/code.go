package wire

import (
	"errors"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// CodeRequest is the input of a query with a target of 32 zeros: it asks a worker which code a contract has now. The
// chain knows the code that a contract was made of, and only where a client made it.
type CodeRequest struct {
	Contract ContractID
}

// CodeRequestTag begins the input of a query that asks for a contract's code.
const CodeRequestTag = "phalanx/code-request/v1"

// ErrCodeRequest says that bytes are not a [CodeRequest].
var ErrCodeRequest = errors.New("not a request for a contract's code")

// Scale visits the fields in order, behind [CodeRequestTag].
func (r *CodeRequest) Scale(c *scale.Codec) {
	tag := []byte(CodeRequestTag)
	c.Fixed(tag)
	if string(tag) != CodeRequestTag {
		c.Fail(ErrCodeRequest)
	}
	r.Contract.Scale(c)
}

// CodeReply is the output of such a query.
type CodeReply struct {
	Code CodeHash // that the contract runs now
	Born CodeHash // that it was made of
	// Deployer is the contract that made it; nil where a client did.
	Deployer *ContractID
}

// Scale visits the fields in order.
func (r *CodeReply) Scale(c *scale.Codec) {
	r.Code.Scale(c)
	r.Born.Scale(c)
	scale.Option(c, &r.Deployer, func(d *ContractID) { d.Scale(c) })
}
