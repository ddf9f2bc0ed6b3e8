package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// tomlName is the file for options beside mcp.json.
const tomlName = "config.toml"

// tomlOnly are keys of 1MCP's config.toml that no flag stands for; they have no effect here.
var tomlOnly = []string{"logging.maxSize", "logging.maxFiles", "admin.enabled"}

// readTOML reads config.toml, if there is one.
func (r *resolver) readTOML() {
	if r.out.ConfigDir == "" { // no home folder, which has been reported
		return
	}
	path := filepath.Join(r.out.ConfigDir, tomlName)
	data, err := r.env.readFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		r.fail(tomlName, path+" "+fileReason(err), "")
		return
	}
	var tree map[string]any
	if err := toml.Unmarshal(withoutBOM(data), &tree); err != nil {
		p := Problem{Path: tomlName, Message: "is not TOML", Cure: "see the line and column"}
		if de, ok := errors.AsType[*toml.DecodeError](err); ok {
			p.Line, p.Column = de.Position()
			p.Cure = fmt.Sprintf("see line %d, column %d", p.Line, p.Column)
		}
		r.report = append(r.report, p)
		return
	}
	r.toml = map[string]string{}
	r.flatten("", tree)
	r.unknownKeys()
}

// flatten turns sections into dotted keys and values into the texts that flags take.
func (r *resolver) flatten(prefix string, tree map[string]any) {
	for key, value := range tree {
		key = prefix + key
		switch value := value.(type) {
		case map[string]any:
			r.flatten(key+".", value)
		case []any:
			parts := make([]string, len(value))
			for i, v := range value {
				parts[i] = fmt.Sprint(v)
			}
			r.toml[key] = strings.Join(parts, ",")
		default:
			r.toml[key] = fmt.Sprint(value)
		}
	}
}

func (r *resolver) unknownKeys() {
	var known []string
	for _, o := range r.flags.options {
		known = append(known, o.TOML...)
	}
	for _, key := range slices.Sorted(maps.Keys(r.toml)) {
		switch {
		case slices.Contains(known, key):
		case slices.Contains(tomlOnly, key):
			r.warn(tomlName+": "+key, "has no effect: "+notYet, "")
		default:
			r.warn(tomlName+": "+key, "is not a known key and has no effect", didYouMean(key, known))
		}
	}
}
