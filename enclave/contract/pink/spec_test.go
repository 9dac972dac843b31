package pink

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSpec holds the table of docs/spec/pink.md to the code: every function once, its price, and a test that is there.
func TestSpec(t *testing.T) {
	page, err := os.ReadFile("../../../docs/spec/pink.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	rows := map[string][]string{}
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == 7 && regexp.MustCompile(`^\d+$`).MatchString(cells[0]) {
			if rows[cells[0]] != nil {
				t.Errorf("function %s stands there twice", cells[0])
			}
			rows[cells[0]] = cells
		}
	}
	for id, f := range functions {
		if f.run == nil {
			continue
		}
		row := rows[fmt.Sprint(id)]
		if row == nil {
			t.Errorf("%d %s is not in the table", id, f.name)
			continue
		}
		if gas := fmt.Sprintf("%d + %d", f.base, f.byte); row[1] != f.name || row[5] != gas {
			t.Errorf("%d %s for %s, but the code has %s for %s", id, row[1], row[5], f.name, gas)
		}
		if row[2] == "" || row[3] == "" || row[4] == "" || !tests[row[6]] {
			t.Errorf("%s: an empty cell, or no test %q", f.name, row[6])
		}
		delete(rows, fmt.Sprint(id))
	}
	for id, row := range rows {
		t.Errorf("%s %s is in the table only", id, row[1])
	}
	prices := fmt.Sprintf("HTTP response %d, value found in the cache %d, randomness %d", priceResponseByte, priceCachedByte, priceRandomByte)
	for _, want := range []string{prices, fmt.Sprintf("Every call costs %d gas", priceDispatch), keyTag} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// testNames are the tests of this package.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	names := map[string]bool{}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			names[m[1]] = true
		}
	}
	return names
}
