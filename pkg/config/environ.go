package config

import (
	"maps"
	"runtime"
	"slices"
	"strings"
)

// What a stdio server sees of the gateway's environment without asking for more. LC_* comes besides. Proxy variables
// are not here because they often carry a password; a server that needs them says so in env.
var (
	minimumUnix = []string{"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER"}
	minimumOf   = map[string][]string{
		"windows": {
			"APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LANG", "LOCALAPPDATA", "PATH", "PATHEXT",
			"PROCESSOR_ARCHITECTURE", "PROGRAMFILES", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERNAME",
			"USERPROFILE", "WINDIR",
		},
	}
)

// ownVariables is the prefix of the gateway's own variables, which may hold its secrets.
const ownVariables = "ONE_MCP_"

// Environ returns the whole environment of the server's process as NAME=value, sorted and without duplicates.
// parent is the environment of the gateway, as os.Environ returns it.
//
// Without InheritParentEnv that is a documented minimum of parent; with it, all of parent that EnvFilter lets through,
// except ONE_MCP_* variables that the filter does not name. The entry's own env comes on top and is never filtered.
func (s Server) Environ(parent []string) []string { return s.environ(runtime.GOOS, parent) }

func (s Server) environ(goos string, parent []string) []string {
	allowed := func(name string) bool { return inMinimum(goos, name) }
	if s.InheritParentEnv {
		filter := newEnvFilter(goos, s.EnvFilter)
		allowed = filter.allows
	}
	vars := map[string]string{} // by folded name: the whole NAME=value
	for _, kv := range parent {
		name, value, ok := strings.Cut(kv, "=")
		// A value that begins with () is a function that a shell exported; it is code.
		if ok && name != "" && allowed(name) && !strings.HasPrefix(value, "()") {
			vars[foldName(goos, name)] = kv
		}
	}
	for name, value := range s.Env {
		vars[foldName(goos, name)] = name + "=" + value.Reveal()
	}
	return slices.Sorted(maps.Values(vars))
}

func inMinimum(goos, name string) bool {
	names, ok := minimumOf[goos]
	if !ok {
		names = minimumUnix
	}
	name = foldName(goos, name)
	return slices.Contains(names, name) || strings.HasPrefix(name, "LC_")
}

// foldName makes names comparable: Windows does not distinguish case.
func foldName(goos, name string) string {
	if goos == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// envFilter is a list of names and PREFIX* patterns to allow and to deny. A denial wins; a list of denials only allows
// everything else.
type envFilter struct {
	goos        string
	allow, deny []string
}

func newEnvFilter(goos string, patterns []string) envFilter {
	f := envFilter{goos: goos}
	for _, p := range patterns {
		if denied, ok := strings.CutPrefix(p, "!"); ok {
			f.deny = append(f.deny, foldName(goos, denied))
		} else {
			f.allow = append(f.allow, foldName(goos, p))
		}
	}
	return f
}

func (f envFilter) allows(name string) bool {
	name = foldName(f.goos, name)
	matches := func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return wild && strings.HasPrefix(name, prefix) || pattern == name
	}
	if slices.ContainsFunc(f.deny, matches) {
		return false
	}
	if strings.HasPrefix(name, ownVariables) {
		// "*" is no reason to hand out the gateway's own secrets; ONE_MCP_X or ONE_MCP_* is.
		return slices.ContainsFunc(f.allow, func(p string) bool { return strings.HasPrefix(p, ownVariables) && matches(p) })
	}
	return len(f.allow) == 0 || slices.ContainsFunc(f.allow, matches)
}
