package instrument

// specTotals is what TestSpecification must find, by version of the specification. Version 2 tests much that contracts
// do not have: several tables, reference types, passive segments and multiple results.
var specTotals = map[string]specTally{
	"v1": {
		Modules: 714, Returns: 15610, Traps: 442, Exhaustions: 5, Invalid: 989, Malformed: 661, Uninstantiable: 1,
		Text: 430, Unlinkable: 95, Skipped: 246,
		Refused: map[string]int{
			"_ branch targets exceed _":           1,
			"import _ _ of kind _ is not offered": 36, // a table or a global
			"locals exceed _":                     1,
			"shares a memory":                     29, // which the pass would make two
		},
	},
	"v2": {
		Modules: 851, Returns: 19695, Traps: 472, Invalid: 1477, Malformed: 719, Uninstantiable: 1,
		Text: 581, Unlinkable: 83, Skipped: 3810,
		Refused: map[string]int{
			"_ results exceed _":                      9,
			"_ tables exceed _":                       73,
			"branch targets of different types":       1, // in dead code
			"data beyond the initial memory":          10,
			"data segment kind _ is not supported":    20,
			"element segment kind _ is not supported": 19,
			"elements beyond the table":               8,
			"host function _ _ is not offered":        8,
			"import _ _ of kind _ is not offered":     62,
			"instruction _ _ is not supported":        40,
			"instruction _ is not supported":          3,
			"locals exceed _":                         1,
			"shares a memory":                         37,
			"table type is not supported":             2,
			"value type _ is not supported":           15,
		},
	},
}
