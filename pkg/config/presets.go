package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
)

// Preset is a named tag query of presets.json, the file of 1MCP's "preset" commands.
type Preset struct {
	// Name is what ?preset= and --preset select by: at most 50 of A-Z a-z 0-9 _ -.
	Name        string
	Description string
	// Strategy is or, and, or advanced: how the person made the query. It does not change what the query means.
	Strategy string
	// Query is the tag query as strict JSON; its grammar belongs to package filter.
	Query json.RawMessage
}

var presetName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)

// LoadPresets reads presets.json. A missing file is no presets. The error is not nil when the file cannot be read or is
// not JSON; a preset with an error is left out and named in the Report.
func LoadPresets(path string, env Env) ([]Preset, Report, error) {
	data, err := env.readFile(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read presets %s: it %s", path, fileReason(err))
	}
	presets, report, err := ParsePresets(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read presets %s: it %w", path, err)
	}
	return presets, report, nil
}

// ParsePresets is LoadPresets of a text.
func ParsePresets(data []byte) ([]Preset, Report, error) {
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("%w: it %w", errSyntax, errTooLarge)
	}
	l := newLoader(withoutBOM(data), "", Env{NoSubstitution: true}, nil)
	root, err := parseDocument(l.data)
	if err != nil {
		return nil, nil, err
	}
	var presets []Preset
	members, _ := node{l, root, ""}.members("is given twice")
	for _, m := range members {
		switch m.key {
		case "presets":
			presets = l.takePresets(m.node)
		case "version", "$schema":
		default:
			m.unknown([]string{"version", "presets"})
		}
	}
	l.report.sort()
	return presets, l.report, nil
}

func (l *loader) takePresets(n node) []Preset {
	var presets []Preset
	members, _ := n.members("a preset of this name is defined twice")
	for _, m := range members {
		before := l.errors
		p := l.takePreset(m)
		if l.errors == before {
			presets = append(presets, p)
		}
	}
	return presets
}

func (l *loader) takePreset(m member) Preset {
	p := Preset{Name: m.key}
	if !presetName.MatchString(m.key) {
		m.at.fail("is not a name of a preset", "use 1 to 50 of A-Z a-z 0-9 _ -")
	}
	members, ok := m.members("is given twice")
	if !ok {
		return p
	}
	for _, f := range members {
		switch f.key {
		case "name":
			if name, ok := f.raw(); ok && name != m.key {
				f.warn("is not the key of the preset; the key holds", "")
			}
		case "description":
			p.Description, _ = f.raw()
		case "strategy":
			p.Strategy, _ = f.raw()
			if p.Strategy != "or" && p.Strategy != "and" && p.Strategy != "advanced" {
				f.warn("is not or, and, or advanced; it has no effect", "")
			}
		case "tagQuery":
			query := f.v.Clone()
			query.Minimize()
			p.Query = query.Pack()
		case "created", "lastModified":
		default:
			f.unknown([]string{"name", "description", "strategy", "tagQuery", "created", "lastModified"})
		}
	}
	if p.Query == nil {
		m.fail("has no tagQuery", `write "tagQuery": {"tag": "…"}`)
	}
	return p
}
