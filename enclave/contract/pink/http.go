package pink

import (
	"errors"
	"sync"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// httpError is the index of HttpRequestError in the crate; as a status it is one higher.
type httpError uint8

const (
	invalidURL httpError = iota
	invalidMethod
	invalidHeaderName
	invalidHeaderValue
	failedToCreateClient // not given here
	timedOut
	notAllowed
	tooManyRequests
	networkError
	responseTooLarge
	httpErrors // how many there are
)

func (e httpError) status() uint32 { return uint32(e) + 1 }

// names are the variants as Rust prints them: Phala gives them to contracts as the body of a response.
var names = [httpErrors]string{
	"InvalidUrl", "InvalidMethod", "InvalidHeaderName", "InvalidHeaderValue", "FailedToCreateClient", "Timeout",
	"NotAllowed", "TooManyRequests", "NetworkError", "ResponseTooLarge",
}

// kinds gives the variant for an error of the client.
var kinds = []struct {
	err  error
	kind httpError
}{
	{fetch.ErrURL, invalidURL},
	{fetch.ErrMethod, invalidMethod},
	{fetch.ErrHeaderName, invalidHeaderName},
	{fetch.ErrHeaderValue, invalidHeaderValue},
	{fetch.ErrNotAllowed, notAllowed},
	{fetch.ErrBusy, tooManyRequests},
	{fetch.ErrTooLarge, responseTooLarge},
}

// The statuses with which Phala answers in a server's place.
const (
	statusUnreachable = 523
	statusFailed      = 524
)

// maxHeaders is how many header lines decode; a request with more than the client sends is refused by it.
const maxHeaders = 4096

func visitHeaders(s *scale.Codec, headers *[]fetch.Header) {
	scale.Slice(s, headers, maxHeaders, func(h *fetch.Header) { s.Text(&h.Name, MaxInput); s.Text(&h.Value, MaxInput) })
}

func visitRequest(s *scale.Codec, r *fetch.Request) {
	s.Text(&r.URL, MaxInput)
	s.Text(&r.Method, MaxInput)
	visitHeaders(s, &r.Headers)
	s.Bytes(&r.Body, MaxInput)
}

func visitResponse(s *scale.Codec, r *fetch.Response) {
	s.U16(&r.Status)
	s.Text(&r.Reason, MaxInput)
	visitHeaders(s, &r.Headers)
	s.Bytes(&r.Body, MaxInput)
}

// outcome is what one request came to.
type outcome struct {
	response fetch.Response
	failed   bool
	kind     httpError // where failed
}

func (o *outcome) size() uint64 {
	n := len(o.response.Body)
	for _, h := range o.response.Headers {
		n += len(h.Name) + len(h.Value) + 8
	}
	return uint64(n)
}

func failure(kind httpError) outcome { return outcome{failed: true, kind: kind} }

// instead is a response in a server's place.
func instead(status uint16, reason, body string) fetch.Response {
	return fetch.Response{Status: status, Reason: reason, Body: []byte(body)}
}

// admit counts n requests and gives the time that is left for them, or the reason why there are none.
func (c *call) admit(n int) (left time.Duration, refused *httpError) {
	refuse := func(kind httpError) (time.Duration, *httpError) { return 0, &kind }
	if c.config.HTTP == nil {
		return refuse(notAllowed)
	}
	t := c.tree()
	if t.requests+n > MaxRequests {
		return refuse(tooManyRequests)
	}
	t.requests += n
	now := c.config.Now()
	if t.until.IsZero() {
		t.until = now.Add(c.config.HTTPTime)
	}
	if left = t.until.Sub(now); left <= 0 {
		return refuse(timedOut)
	}
	return left, nil
}

// fetch makes one admitted request.
func (c *call) fetch(contract [32]byte, r fetch.Request, left time.Duration) outcome {
	r.Timeout = left
	response, err := c.config.HTTP.Do(c.ctx, contract, r)
	if err == nil {
		return outcome{response: response}
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return failure(k.kind)
		}
	}
	if errors.Is(err, fetch.ErrUnreachable) {
		return outcome{response: instead(statusUnreachable, "Unreachable", err.Error())}
	}
	return failure(networkError)
}

func (c *call) httpRequest() (uint32, []byte, error) {
	var r fetch.Request
	if err := c.arguments(func(s *scale.Codec) { visitRequest(s, &r) }); err != nil {
		return 0, nil, err
	}
	if c.env.Command() {
		response := instead(statusUnreachable, "API Unavailable", "HTTP request is not supported in transaction")
		return result(func(s *scale.Codec) { visitResponse(s, &response) })
	}
	var o outcome
	if left, refused := c.admit(1); refused != nil {
		o = failure(*refused)
	} else if o = c.fetch(c.env.Contract(), r, left); c.ctx.Err() != nil {
		return 0, nil, c.ctx.Err()
	}
	switch {
	case o.failed && o.kind <= timedOut:
		return 0, nil, trap("HTTP request: " + names[o.kind]) // the function's type has no place for the error
	case o.failed:
		o.response = instead(statusFailed, "IO Error", names[o.kind])
	}
	c.env.Charge(priceResponseByte * o.size())
	return result(func(s *scale.Codec) { visitResponse(s, &o.response) })
}

// errBatch stops the decoding of a batch that is too long.
var errBatch = errors.New("too many requests")

// visitBatch decodes a batch of at most MaxBatch requests; of a longer one it reads the length only.
func visitBatch(s *scale.Codec, requests *[]fetch.Request, tooMany *bool) {
	var n uint64
	s.Compact(&n)
	if n > MaxBatch {
		*tooMany = s.Err() == nil
		s.Fail(errBatch)
		return
	}
	*requests = make([]fetch.Request, n)
	for i := range *requests {
		visitRequest(s, &(*requests)[i])
	}
}

func (c *call) batchHTTPRequest() (uint32, []byte, error) {
	var (
		requests []fetch.Request
		millis   uint64
		tooMany  bool
	)
	err := c.arguments(func(s *scale.Codec) { visitBatch(s, &requests, &tooMany); s.U64(&millis) })
	if err != nil && !tooMany {
		return 0, nil, err
	}
	switch {
	case c.env.Command():
		return notAllowed.status(), nil, nil
	case tooMany:
		return tooManyRequests.status(), nil, nil
	}
	left, refused := c.admit(len(requests))
	if refused != nil {
		return refused.status(), nil, nil
	}
	if millis < uint64(left/time.Millisecond) {
		left = time.Duration(millis) * time.Millisecond
	}
	outcomes := c.fetchAll(requests, left)
	if c.ctx.Err() != nil {
		return 0, nil, c.ctx.Err()
	}
	for i := range outcomes {
		c.env.Charge(priceResponseByte * outcomes[i].size())
	}
	return result(func(s *scale.Codec) {
		scale.Slice(s, &outcomes, MaxBatch, func(o *outcome) { visitOutcome(s, o) })
	})
}

// visitOutcome encodes Result<HttpResponse, HttpRequestError>.
func visitOutcome(s *scale.Codec, o *outcome) {
	s.Bool(&o.failed)
	if !o.failed {
		visitResponse(s, &o.response)
		return
	}
	kind := uint8(o.kind)
	s.Variant(&kind, uint8(httpErrors))
}

// fetchAll makes the requests of a batch at once.
func (c *call) fetchAll(requests []fetch.Request, left time.Duration) []outcome {
	outcomes := make([]outcome, len(requests))
	if left <= 0 {
		for i := range outcomes {
			outcomes[i] = failure(timedOut)
		}
		return outcomes
	}
	contract := c.env.Contract()
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() { outcomes[i] = c.fetch(contract, r, left) })
	}
	wg.Wait()
	return outcomes
}
