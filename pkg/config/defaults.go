package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// defaultKeys are the keys of serverDefaults.
var defaultKeys = []string{
	"env", "timeout", "connectionTimeout", "requestTimeout", "oauth", "headers", "inheritParentEnv", "envFilter",
	"restartOnExit", "maxRestarts", "restartDelay",
}

// stdioOnly are the keys that mean nothing to an http or sse server, remoteOnly those that mean nothing to a stdio one.
var (
	stdioOnly = []string{
		"command", "args", "cwd", "env", "inheritParentEnv", "envFilter", "stderr", "restartOnExit", "maxRestarts",
		"restartDelay",
	}
	remoteOnly = []string{"url", "headers", "oauth"}
)

func (l *loader) takeDefaults(n node) {
	members, _ := n.members("is given twice")
	for _, m := range members {
		if slices.Contains(defaultKeys, m.key) {
			l.defaults = append(l.defaults, m)
		} else {
			m.unknown(defaultKeys)
		}
	}
}

// takeDefaults reads the keys of serverDefaults that the entry lacks and that mean something to it. env is read in any
// case when both are objects, because those merge; envFilter lists are joined. Everything else is replaced as a whole.
func (d *draft) takeDefaults(own []member) {
	remote := looksRemote(own)
	for _, def := range d.l.defaults {
		if remote && slices.Contains(stdioOnly, def.key) || !remote && slices.Contains(remoteOnly, def.key) {
			continue
		}
		i := slices.IndexFunc(own, func(m member) bool { return m.key == def.key })
		merges := def.key == "envFilter" ||
			i >= 0 && def.key == "env" && isObject(def.v) && isObject(own[i].v)
		if i < 0 || merges {
			d.given[def.key] = def.node
			serverKeys[def.key](d, def.node)
		}
		if def.key == "env" {
			d.envFromDefaults, d.envFromEntry = d.envFromEntry, nil
		}
	}
}

func isObject(v *hujson.Value) bool { return v.Value.Kind() == '{' }

// looksRemote tells from the keys of an entry whether it is an http or sse server, before it is read.
func looksRemote(members []member) bool {
	url, command := false, false
	for _, m := range members {
		switch m.key {
		case "type":
			if word, ok := m.v.Value.(hujson.Literal); ok {
				return !strings.EqualFold(word.String(), "stdio")
			}
		case "url", "httpUrl", "serverUrl":
			url = true
		case "command":
			command = true
		}
	}
	return url && !command
}

// takeEnv reads env: an object of values, or a list of "NAME=value" and of "NAME" to inherit. Names that serverDefaults
// gave are kept unless the list form is used.
func (d *draft) takeEnv(n node) {
	d.envFromEntry = map[string]Secret{}
	if n.v.Value.Kind() == '[' {
		d.takeEnvList(n)
		return
	}
	members, _ := n.members("is given twice")
	maps.Copy(d.envFromEntry, d.envFromDefaults)
	for _, m := range members {
		if value, ok := m.value(); ok {
			d.given[childPath("env", m.key)] = m.node
			d.envFromEntry[m.key] = Secret(value)
		}
	}
}

func (d *draft) takeEnvList(n node) {
	elements, _ := n.elements()
	for _, e := range elements {
		written, ok := e.raw()
		if !ok {
			continue
		}
		name, value, hasValue := strings.Cut(written, "=")
		if has(d.envFromEntry, name) {
			e.fail("names a variable that the list has already", "keep one of them")
			continue
		}
		if hasValue {
			value = d.l.expand(e, value)
		} else if value, ok = d.l.variable(name); !ok {
			if !d.l.muted {
				e.warn("is to be inherited, but it is not set; the server starts without it", `set it, or write "NAME=value"`)
			}
			continue
		}
		d.given[childPath("env", name)] = e
		d.envFromEntry[name] = Secret(value)
	}
}

// takeEnvFilter joins the list to that of serverDefaults, without duplicates.
func (d *draft) takeEnvFilter(n node) {
	elements, _ := n.elements()
	for _, e := range elements {
		pattern, ok := e.raw()
		if ok && !slices.Contains(d.EnvFilter, pattern) {
			d.given[fmt.Sprintf("envFilter[%d]", len(d.EnvFilter))] = e
			d.EnvFilter = append(d.EnvFilter, pattern)
		}
	}
}
