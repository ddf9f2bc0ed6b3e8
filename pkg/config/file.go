package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/tailscale/hujson"
)

// File is one reading of mcp.json, with everything replaced, merged and checked.
type File struct {
	// Path is the file that was read, as it was given.
	Path string
	// Servers are the servers without errors in the order of the file, disabled ones included.
	Servers []Server
	// Sources are all files that the result depends on, for a watcher: mcp.json, the .env beside it (also when it does
	// not exist), and each file named by ${file:…}.
	Sources []string

	// substituted are the values that references became, for Secrets.
	substituted []string
}

// Enabled returns the servers that are not disabled, in the order of the file.
func (f *File) Enabled() []Server {
	return slices.DeleteFunc(slices.Clone(f.Servers), func(s Server) bool { return s.Disabled })
}

// Load reads mcp.json and the .env beside it. In one pass it replaces references, merges serverDefaults, applies
// defaults and validates.
//
// The error is not nil only when nothing can be used: the file is missing (it Is fs.ErrNotExist), cannot be read, is
// not JSON, or its .env is malformed. Otherwise File holds every server without an error and Report says the rest.
func Load(path string, env Env) (*File, Report, error) {
	data, err := env.readFile(path, maxFile)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("read configuration %s: %w", path, fs.ErrNotExist)
		}
		return nil, nil, fmt.Errorf("read configuration %s: it %s", path, fileReason(err))
	}
	dir := filepath.Dir(path)
	dotEnvPath := filepath.Join(dir, ".env")
	dotEnv, err := loadDotEnv(dotEnvPath, env)
	if err != nil {
		return nil, nil, err
	}
	file, report, err := parse(data, dir, env, dotEnv)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration %s: it %w", path, err)
	}
	file.Path = path
	file.Sources = append([]string{path, dotEnvPath}, file.Sources...)
	return file, report, nil
}

// Parse is Load of a text: ${file:…} is relative to dir, and there is no .env.
func Parse(data []byte, dir string, env Env) (*File, Report, error) {
	return parse(data, dir, env, nil)
}

func loadDotEnv(path string, env Env) (map[string]string, error) {
	data, err := env.readFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: it %s", path, fileReason(err))
	}
	vars, err := parseDotEnv(string(data))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return vars, nil
}

func parse(data []byte, dir string, env Env, dotEnv map[string]string) (*File, Report, error) {
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("%w: it %w", errSyntax, errTooLarge)
	}
	data = withoutBOM(data)
	root, err := parseDocument(data)
	if err != nil {
		return nil, nil, err
	}
	l := newLoader(data, dir, env, dotEnv)
	l.file(node{l, root, ""})
	l.report.sort()
	return &File{Servers: l.servers, Sources: l.sources, substituted: l.substituted}, l.report, nil
}

// loader is the state of one reading.
type loader struct {
	data   []byte
	dir    string
	env    Env
	dotEnv map[string]string

	servers  []Server
	defaults []member
	sources  []string
	// substituted are the values that references became.
	substituted []string

	report Report
	seen   map[problemKey]bool
	// lines are the offsets at which lines begin, found when the first place is asked for.
	lines []int
	// failed holds the paths with an Error.
	failed map[string]bool
	// names are the servers seen so far, good or not.
	names map[string]bool
	// errors counts the problems of severity Error, repeated ones included: it tells whether a server had one.
	errors int
	// muted keeps quiet about references that cannot be replaced, for servers that are disabled.
	muted bool
	// unresolved counts references that could not be replaced.
	unresolved int
}

func newLoader(data []byte, dir string, env Env, dotEnv map[string]string) *loader {
	return &loader{
		data: data, dir: dir, env: env, dotEnv: dotEnv,
		seen: map[problemKey]bool{}, failed: map[string]bool{}, names: map[string]bool{},
	}
}

type problemKey struct{ path, message string }

// add reports a problem once.
func (l *loader) add(severity Severity, path string, offset int, message, cure string) {
	if severity == Error {
		l.errors++
		l.failed[path] = true
	}
	if key := (problemKey{path, message}); !l.seen[key] {
		l.seen[key] = true
		line, column := l.position(offset)
		l.report = append(l.report, Problem{path, message, cure, severity, line, column})
	}
}

// position turns an offset into line and column, counted from 1.
func (l *loader) position(offset int) (line, column int) {
	if l.lines == nil {
		l.lines = []int{0}
		for i, c := range l.data {
			if c == '\n' {
				l.lines = append(l.lines, i+1)
			}
		}
	}
	line = sort.SearchInts(l.lines, offset+1)
	return line, offset - l.lines[line-1] + 1
}

// variable looks a name up for substitution: the process environment wins over .env.
func (l *loader) variable(name string) (string, bool) {
	if value, ok := l.env.lookup(name); ok {
		return value, true
	}
	value, ok := l.dotEnv[name]
	return value, ok
}

// expand replaces the references in a text that stands at n.
func (l *loader) expand(n node, text string) string {
	if l.env.NoSubstitution {
		return text
	}
	e := expander{lookup: l.variable, readFile: l.secretFile, replaced: l.noteSubstituted, missed: func(m missing) {
		l.unresolved++
		if !l.muted {
			reportMissing(n, m)
		}
	}}
	return e.expand(text)
}

// noteSubstituted remembers what a reference became, once.
func (l *loader) noteSubstituted(value string) {
	if value != "" && !slices.Contains(l.substituted, value) {
		l.substituted = append(l.substituted, value)
	}
}

func reportMissing(n node, m missing) {
	const cure = "set it in the environment or in .env beside this file, or write ${NAME:-default}"
	switch {
	case strings.HasPrefix(m.ref, "${input:"):
		n.warn(quote(m.ref)+" "+m.reason+"; the text stays as it is", "use ${env:NAME} and set the variable")
	case m.reason != "" && m.ref == "":
		n.fail(m.reason+" by substitution", "shorten it")
	case m.reason != "":
		n.fail(quote(m.ref)+" "+m.reason, "a file path is relative to the folder of this file, and its content at most 64 KiB")
	case m.bare:
		n.warn("holds a $NAME that is not set; the text stays as it is", cure+"; a dollar sign itself is ${$}")
	default:
		n.warn("the variable of "+quote(m.ref)+" is not set; the text stays as it is", cure)
	}
}

// secretFile reads the file of a ${file:…} reference.
func (l *loader) secretFile(path string) (string, error) {
	if l.muted {
		return "", fs.ErrNotExist
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	if !slices.Contains(l.sources, path) {
		l.sources = append(l.sources, path)
	}
	data, err := l.env.readFile(path, maxSecretFile)
	if err != nil {
		return "", err
	}
	text := string(data)
	if trimmed, ok := strings.CutSuffix(text, "\n"); ok {
		text = strings.TrimSuffix(trimmed, "\r")
	}
	return text, nil
}

// sections are the keys of the top level and what each does.
var sections = map[string]func(*loader, node){
	"$schema":                       (*loader).textOnly,
	"version":                       func(*loader, node) {},
	"serverDefaults":                (*loader).takeDefaults,
	"mcpServers":                    (*loader).takeServers,
	"servers":                       (*loader).takeServers,
	"inputs":                        func(*loader, node) {}, // VS Code's; ${input:…} itself is reported where it stands
	"mcpTemplates":                  (*loader).noEffect,
	"templateSettings":              (*loader).noEffect,
	"instructionTemplates":          (*loader).noEffect,
	"publishedInstructionTemplates": (*loader).noEffect,
	"activeInstructionTemplate":     (*loader).noEffect,
}

func (l *loader) file(root node) {
	if root.v.Value.Kind() != '{' {
		root.fail("the file must hold an object, not "+root.what(), `write {"mcpServers": {…}}`)
		return
	}
	members, _ := root.members("is given twice")
	// The defaults come first, wherever they stand in the file.
	slices.SortStableFunc(members, func(a, b member) int {
		return sectionOrder(a.key) - sectionOrder(b.key)
	})
	found := false
	for _, m := range members {
		if take, known := sections[m.key]; known {
			take(l, m.node)
		} else {
			m.unknown(slices.Collect(maps.Keys(sections)))
		}
		found = found || m.key == "mcpServers" || m.key == "servers"
	}
	if !found {
		root.warn("has no mcpServers", `write {"mcpServers": {"name": {"command": …}}}`)
	}
}

func sectionOrder(key string) int {
	if key == "serverDefaults" {
		return 0
	}
	return 1
}

func (l *loader) textOnly(n node) { n.raw() }

func (l *loader) noEffect(n node) {
	if obj, ok := n.v.Value.(*hujson.Object); ok && len(obj.Members) == 0 {
		return
	}
	n.warn("has no effect in this version", "")
}

func (l *loader) takeServers(n node) {
	members, _ := n.members("a server of this name is defined twice")
	for _, m := range members {
		l.takeServer(m)
	}
}

// unknown warns of a key that nothing knows.
func (m member) unknown(known []string) {
	cure := hints[m.key]
	if cure == "" {
		cure = didYouMean(m.key, known)
	}
	m.at.warn("is not a known key and has no effect", cure)
}

// hints name our key where another client calls it by a word that is not near.
var hints = map[string]string{
	"excludeTools":   "the key for this is disabledTools",
	"disabled_tools": "the key for this is disabledTools",
	"environment":    "the key for this is env",
	"http_headers":   "the key for this is headers",
	"includeTools":   "list what must not be seen in disabledTools",
	"enabled_tools":  "list what must not be seen in disabledTools",
	"endpoint":       "the key for this is url",
}
