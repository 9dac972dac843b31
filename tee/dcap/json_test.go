package dcap

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJSONRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxJSONDepth+1) + "1" + strings.Repeat("}", maxJSONDepth+1)
	var wide strings.Builder
	for i := range maxJSONFields + 1 {
		fmt.Fprintf(&wide, `,"k%d":1`, i)
	}
	for name, text := range map[string]string{
		"empty": "", "no object": "[]", "no end": "{", "no value": `{"a"}`, "comma at the end": `{"a":1,}`,
		"two commas": `{"a":1,,"b":2}`, "double": `{"a":1,"a":1}`, "double by escape": `{"a":1,"\u0061":1}`,
		"deep": deep, "wide": "{" + wide.String()[1:] + "}", "something behind": `{}x`, "second object": `{}{}`,
		"control character": "{\"a\":\"\n\"}", "bad escape": `{"a":"\x"}`, "short escape": `{"a":"\u12"}`,
		"bad digits": `{"a":"\u12g4"}`, "half a pair": `{"a":"\ud83d"}`, "wrong pair": `{"a":"\ud83d\u0041"}`,
		"low half": `{"a":"\ude00\ud83d"}`, "not UTF-8": "{\"a\":\"\xff\"}", "not UTF-8 in an escape": "{\"a\":\"\\n\xff\"}",
		"leading zero": `{"a":01}`, "plus": `{"a":+1}`, "no digits": `{"a":1.}`, "no exponent": `{"a":1e}`,
		"bare word": `{"a":nul}`, "word in capitals": `{"a":True}`, "byte order mark": "\ufeff{}", "comment": `{/**/}`,
		"number as a name": `{1:1}`, "zero byte": "{}\x00",
	} {
		r := &jsonReader{data: []byte(text)}
		r.object(func(string) bool { return false })
		if err := r.end(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJSONTaken(t *testing.T) {
	for _, text := range []string{
		`{}`, " \t\r\n{ } ", `{"a":[],"b":[[],{}],"c":null}`, `{"a":-0.5e+10,"b":0,"c":1E5,"d":true,"e":false}`, `{"a":"é😀"}`,
	} {
		r := &jsonReader{data: []byte(text)}
		r.object(func(string) bool { return false })
		if err := r.end(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestJSONValues reads values of each type, at and over their bounds.
func TestJSONValues(t *testing.T) {
	var out [2]byte
	reads := map[string]func(*jsonReader){
		"uint": func(r *jsonReader) { r.uint(0xff) },
		"hex":  func(r *jsonReader) { r.hex(out[:]) },
		"time": func(r *jsonReader) { r.time() },
		"der":  func(r *jsonReader) { r.der() },
		"stat": func(r *jsonReader) { r.status() },
	}
	for _, c := range []struct {
		read, text string
		ok         bool
	}{
		{"uint", "0", true}, {"uint", "255", true}, {"uint", "256", false}, {"uint", "00", false}, {"uint", "-1", false},
		{"uint", "1.0", false}, {"uint", "1e0", false}, {"uint", `"1"`, false}, {"uint", "99999999999999999999999", false},
		{"hex", `"00fF"`, true}, {"hex", `"00f"`, false}, {"hex", `"00ff0"`, false}, {"hex", `"00fg"`, false}, {"hex", `""`, false},
		{"time", `"2025-06-19T10:56:11Z"`, true}, {"time", `"2025-06-19T10:56:11+00:00"`, false},
		{"time", `"2025-06-19T10:56:11.5Z"`, false}, {"time", `"2025-02-30T10:56:11Z"`, false}, {"time", `"2025-06-19"`, false},
		{"time", `"2025-06-19T1:56:11Z"`, false},
		{"der", `"3000"`, true}, {"der", `"MAA="`, true}, {"der", `"300"`, false}, {"der", `"MAA"`, false}, {"der", `""`, false},
		{"stat", `"UpToDate"`, true}, {"stat", `"uptodate"`, false}, {"stat", `""`, false},
	} {
		r := &jsonReader{data: []byte(c.text)}
		reads[c.read](r)
		if err := r.end(); (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.read, c.text, err)
		}
	}
}

// FuzzJSON holds the reader against encoding/json: what it takes is JSON, and a string means the same to both.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n"],"b":{"c":null,"d":true}}`))
	f.Add([]byte(`"\"\\\/\b\f\n\r\t"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := &jsonReader{data: text}
		if r.skip(); r.end() == nil && !json.Valid(text) {
			t.Fatalf("%q is not JSON", text)
		}
		r = &jsonReader{data: text}
		got := r.text()
		if r.end() != nil {
			return
		}
		var want string
		if err := json.Unmarshal(text, &want); err != nil || got != want || !utf8.ValidString(got) {
			t.Fatalf("%q is %q here, %q there, %v", text, got, want, err)
		}
	})
}

// FuzzDocuments parses TCB info and QE identity, which are signed when Verify comes to them.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"id":"QE","version":2,"issueDate":"2025-06-19T10:01:18Z","nextUpdate":"2025-07-19T10:01:18Z",` +
		`"tcbEvaluationDataNumber":17,"miscselect":"00000000","miscselectMask":"FFFFFFFF",` +
		`"attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000",` +
		`"mrsigner":"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF","isvprodid":1,` +
		`"tcbLevels":[{"tcb":{"isvsvn":8},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"UpToDate"}]}`))
	f.Add([]byte(`{"id":"TDX","version":3,"issueDate":"2025-06-19T10:01:18Z","nextUpdate":"2025-07-19T10:01:18Z",` +
		`"fmspc":"00A067110000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":17,"tdxModule":{},"tcbLevels":[]}`))
	report := parseEnclaveReport(make([]byte, enclaveBodySize))
	f.Fuzz(func(t *testing.T, text []byte) {
		if info, err := parseTCBInfo(text); err == nil {
			td := parseTDReport(make([]byte, td15BodySize))
			for version := range byte(3) {
				td.TEETCBSVN[1] = version
				_, _ = info.moduleLevel(td)
				if l, sgx, err := info.platformLevel(new(platform), td); (err == nil) != (l != nil && sgx != nil) {
					t.Fatalf("level %v, %v, %v", l, sgx, err)
				}
			}
		} else if Reason(err) != "format" {
			t.Fatal(err)
		}
		if q, err := parseQEIdentity(text); err == nil {
			_, _ = q.level(report)
		} else if Reason(err) != "format" {
			t.Fatal(err)
		}
	})
}
