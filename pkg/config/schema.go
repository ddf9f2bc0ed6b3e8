package config

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of mcp.json, which "$schema" may name and "agent config schema" prints.
// It is stricter than [Load] about unknown keys: an editor should mark them, and a gateway should start.
func Schema() []byte { return slices.Clone(schema) }
