package pink

import (
	"github.com/phalanx-network/phalanx/crypto/scale"
)

// empty decodes the arguments of a function that has none.
func (c *call) empty() error { return c.arguments(func(*scale.Codec) {}) }

func (c *call) log() (uint32, []byte, error) {
	var (
		level   uint8
		message string
	)
	if err := c.arguments(func(s *scale.Codec) { s.U8(&level); s.Text(&message, MaxInput) }); err != nil {
		return 0, nil, err
	}
	c.env.Log(level, message)
	return nothing()
}

func (c *call) getrandom() (uint32, []byte, error) {
	var length uint8
	if err := c.arguments(func(s *scale.Codec) { s.U8(&length) }); err != nil {
		return 0, nil, err
	}
	if c.env.Command() {
		return vector(nil)
	}
	c.env.Charge(priceRandomByte * uint64(length))
	b := make([]byte, length)
	defer clear(b)
	c.env.Random("pink getrandom", b)
	return vector(b)
}

func (c *call) isInTransaction() (uint32, []byte, error) {
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	return boolean(c.env.Command())
}

// systemContractID traps, as in a cluster of Phala's whose system contract is missing: there is none here.
func (c *call) systemContractID() (uint32, []byte, error) {
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	return 0, nil, trap("there is no system contract")
}

// importLatestSystemCode traps, as for every contract that is not the system contract.
func (c *call) importLatestSystemCode() (uint32, []byte, error) {
	var payer [32]byte
	if err := c.arguments(func(s *scale.Codec) { s.Fixed(payer[:]) }); err != nil {
		return 0, nil, err
	}
	return 0, nil, trap("only a system contract imports system code")
}

// balanceOf gives the balance as total and as free: nothing of the ledger is ever reserved.
func (c *call) balanceOf() (uint32, []byte, error) {
	var account [32]byte
	if err := c.arguments(func(s *scale.Codec) { s.Fixed(account[:]) }); err != nil {
		return 0, nil, err
	}
	balance := c.env.Balance(account)
	return result(func(s *scale.Codec) { s.U128(&balance); s.U128(&balance) })
}

func (c *call) workerPubkey() (uint32, []byte, error) {
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	var key [32]byte
	if !c.env.Command() {
		key = c.config.Worker
	}
	return result(func(s *scale.Codec) { s.Fixed(key[:]) })
}

func (c *call) untrustedMillis() (uint32, []byte, error) {
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	var millis uint64
	if !c.env.Command() {
		millis = uint64(max(c.config.Now().UnixMilli(), 0))
	}
	return result(func(s *scale.Codec) { s.U64(&millis) })
}

// codeExists knows contract code only; there are no side programs, so no code of one exists.
func (c *call) codeExists() (uint32, []byte, error) {
	var (
		hash    [32]byte
		sidevm  bool
		visitor = func(s *scale.Codec) { s.Fixed(hash[:]); s.Bool(&sidevm) }
	)
	if err := c.arguments(visitor); err != nil {
		return 0, nil, err
	}
	return boolean(!sidevm && c.env.HasCode(hash))
}

func (c *call) runtimeVersion() (uint32, []byte, error) {
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	major, minor := uint32(versionMajor), uint32(versionMinor)
	return result(func(s *scale.Codec) { s.U32(&major); s.U32(&minor) })
}

func (c *call) currentEventChainHead() (uint32, []byte, error) {
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	head := c.env.EventHead()
	return result(func(s *scale.Codec) { s.U64(&head.Count); s.Fixed(head.Hash[:]) })
}

// Indices of JsCode and JsValue.
const (
	jsCodes     = 2 // source, bytecode
	jsException = 5
	jsValues    = 6
)

// jsEval answers as a cluster of Phala's without a JavaScript runtime beside it. JavaScript runs inside contracts.
func (c *call) jsEval() (uint32, []byte, error) {
	err := c.arguments(func(s *scale.Codec) {
		var (
			codes []struct{}
			args  []struct{}
		)
		scale.Slice(s, &codes, MaxInput, func(*struct{}) { skipCode(s) })
		scale.Slice(s, &args, MaxInput, func(*struct{}) { var arg string; s.Text(&arg, MaxInput) })
	})
	if err != nil {
		return 0, nil, err
	}
	why := "No js runtime"
	if c.env.Command() {
		why = "Js evaluation is not supported in transaction"
	}
	index := uint8(jsException)
	return result(func(s *scale.Codec) { s.Variant(&index, jsValues); s.Text(&why, len(why)) })
}

func skipCode(s *scale.Codec) {
	var (
		index    uint8
		source   string
		bytecode []byte
	)
	if s.Variant(&index, jsCodes); index == 0 {
		s.Text(&source, MaxInput)
		return
	}
	s.Bytes(&bytecode, MaxInput)
}

// attestationDcap is the variant of AttestationType that a quote is given with. The type knows no other but EPID; what the
// evidence is, it says itself.
const (
	attestationDcap  = 1
	attestationTypes = 2
	maxQuote         = 1 << 20
)

// workerSgxQuote gives the evidence of the worker, made once for a query however often it is asked for: making it takes
// the platform milliseconds.
func (c *call) workerSgxQuote() (uint32, []byte, error) {
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	t := c.tree()
	if !c.env.Command() && c.config.Quote != nil && !t.quoted {
		quote, err := c.config.Quote(c.ctx)
		if c.ctx.Err() != nil {
			return 0, nil, c.ctx.Err()
		}
		t.quoted = true
		if err == nil && len(quote) <= maxQuote {
			t.quote = quote
		}
	}
	some := &t.quote
	if c.env.Command() || len(t.quote) == 0 {
		some = nil
	}
	kind := uint8(attestationDcap)
	return result(func(s *scale.Codec) {
		scale.Option(s, &some, func(quote *[]byte) {
			s.Variant(&kind, attestationTypes)
			s.Bytes(quote, maxQuote)
		})
	})
}
