package contract

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hostPage is where the host functions and bounds are written down for people.
const hostPage = "../../docs/spec/host-functions.md"

// tableRows gives the cells of a page's table rows that have so many columns, without headings.
func tableRows(page string, columns int) (rows [][]string) {
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) != columns || strings.HasPrefix(line, "| ---") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows[1:]
}

// number reads a number with commas.
func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.ReplaceAll(s, ",", ""), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// commas writes a number below a million with its comma.
func commas(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// testNames finds the tests of this package.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// TestHostFunctionsPage: the page lists every host function, in order, with its type, names, price and a test that
// exists, and every bound with its number.
func TestHostFunctionsPage(t *testing.T) {
	raw, err := os.ReadFile(filepath.FromSlash(hostPage))
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	rows := tableRows(page, 10)
	if len(rows) != len(hostFunctions) {
		t.Fatalf("%d functions on the page, there are %d", len(rows), len(hostFunctions))
	}
	for i := range hostFunctions {
		h := &hostFunctions[i]
		var params, result string
		for p := range strings.SplitSeq(rows[i][2], ", ") {
			switch {
			case strings.HasSuffix(p, ": i64"):
				params += "l"
			case p != "":
				params += "i"
			}
		}
		result = map[byte]string{0: "", 'i': "u32", 'l': "u64"}[h.result]
		var also []string
		if h.flags&aliased != 0 {
			also = append(also, "`seal_`")
		}
		if h.flags&unstable != 0 {
			also = append(also, "`__unstable__`")
		}
		readOnly := map[bool]string{true: "no", false: "yes"}[h.flags&mutating != 0]
		r := rows[i]
		requireEqual(t, "row", []any{r[0], r[1], params, r[3], r[4], r[5], number(t, r[6]), number(t, r[7])},
			[]any{h.module, h.name, h.params, result, strings.Join(also, " "), readOnly, h.price.base, h.price.byte})
		if !strings.HasPrefix(r[9], "Test") {
			t.Errorf("%s.%s names no test", h.module, h.name)
		}
	}
	prose := strings.Join(strings.Fields(page), " ")
	for format, price := range map[string]uint64{
		"a value costs %s gas": priceMoney, "start: %s,": priceStart.base, "%s for each page": pricePage,
		"%s for each table entry": priceTable, "%s for each function": priceFunction, "costs %s gas for each byte of it": priceLoad,
		"%s more per topic": priceTopic,
	} {
		if phrase := fmt.Sprintf(format, commas(price)); !strings.Contains(prose, phrase) {
			t.Errorf("the page does not say %q", phrase)
		}
	}
	names := testNames(t)
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(page, -1) {
		if !names[name] {
			t.Errorf("the page names %s, which does not exist", name)
		}
	}
	limits := reflect.ValueOf(DefaultLimits())
	told := map[string]bool{"Module": true, "FeePerGas": true, "MinimumBalance": true, "CachedModules": true, "CachedBytes": true, "PoolBytes": true, "IdleBytes": true}
	for _, r := range tableRows(page, 4) {
		told[r[1]] = true
		requireEqual(t, r[1], number(t, r[2]), uint64(limits.FieldByName(r[1]).Int()))
	}
	for _, field := range reflect.VisibleFields(limits.Type()) {
		if !told[field.Name] {
			t.Errorf("the page does not tell Limits.%s", field.Name)
		}
	}
}
