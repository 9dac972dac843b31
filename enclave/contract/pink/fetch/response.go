package fetch

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// Response is what a server answered.
type Response struct {
	Status  uint16
	Reason  string   // the usual phrase of the status, empty for one without
	Headers []Header // names in lower case, sorted; values of one name in the server's order
	Body    []byte
}

// read takes a response in, within the bounds.
func (f *Client) read(resp *http.Response) (Response, error) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return Response{}, ErrNetwork // nobody asked for another protocol
	}
	headers, err := f.readHeaders(resp.Header)
	if err != nil {
		return Response{}, err
	}
	limit := int64(f.limits.ResponseBytes)
	if resp.ContentLength > limit && resp.Request.Method != http.MethodHead {
		return Response{}, ErrTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	f.received.Add(uint64(len(body)))
	if err != nil {
		return Response{}, ErrNetwork
	}
	if int64(len(body)) > limit {
		return Response{}, ErrTooLarge
	}
	return Response{
		Status: uint16(resp.StatusCode), Reason: http.StatusText(resp.StatusCode), Headers: headers, Body: body,
	}, nil
}

func (f *Client) readHeaders(h http.Header) ([]Header, error) {
	var headers []Header
	for name, values := range h {
		for _, value := range values {
			headers = append(headers, Header{strings.ToLower(name), toText(value)})
		}
		if len(headers) > f.limits.Headers {
			return nil, ErrTooLarge
		}
	}
	slices.SortStableFunc(headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return headers, nil
}

// toText gives a header value as text: each byte is the code point of its number.
func toText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}
