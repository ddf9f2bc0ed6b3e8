package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// draft is one server while it is read. Each key of the entry fills its part; finish puts the parts together.
type draft struct {
	Server
	l *loader
	// at is the place of the entry.
	at node
	// given holds the node that gave each value, from the entry itself or from serverDefaults, by the path that
	// Validate knows: "url", "headers.X-Key", "args[0]".
	given map[string]node

	typeWord                      string
	disabled, enabled             *bool
	timeout, connection, request  *time.Duration
	startupSeconds, toolSeconds   *time.Duration
	envFromDefaults, envFromEntry map[string]Secret
}

// serverKeys are the keys of one server and what each does.
var serverKeys = map[string]func(*draft, node){
	"type":                     (*draft).takeType,
	"command":                  (*draft).takeCommand,
	"args":                     (*draft).takeArgs,
	"cwd":                      func(d *draft, n node) { d.Cwd, _ = n.text() },
	"env":                      (*draft).takeEnv,
	"inheritParentEnv":         func(d *draft, n node) { d.InheritParentEnv, _ = n.boolean() },
	"envFilter":                (*draft).takeEnvFilter,
	"stderr":                   (*draft).takeStderr,
	"restartOnExit":            func(d *draft, n node) { d.RestartOnExit = pointer(n.boolean()) },
	"maxRestarts":              func(d *draft, n node) { d.MaxRestarts = pointer(n.whole(0, 1_000_000)) },
	"restartDelay":             func(d *draft, n node) { d.RestartDelay = pointer(n.duration(time.Millisecond, 0)) },
	"url":                      (*draft).takeURL,
	"httpUrl":                  (*draft).takeURL,
	"serverUrl":                (*draft).takeURL,
	"headers":                  (*draft).takeHeaders,
	"oauth":                    (*draft).takeOAuth,
	"tags":                     func(d *draft, n node) { d.Tags = d.list("tags", n) },
	"disabled":                 func(d *draft, n node) { d.disabled = pointer(n.boolean()) },
	"enabled":                  func(d *draft, n node) { d.enabled = pointer(n.boolean()) },
	"disabledTools":            func(d *draft, n node) { d.DisabledTools = d.list("disabledTools", n) },
	"toolDescriptionOverrides": (*draft).takeOverrides,
	"instructionOverride":      func(d *draft, n node) { d.InstructionOverride = pointer(n.raw()) },
	"prefix":                   func(d *draft, n node) { d.Prefix = pointer(n.raw()) },
	"isolation":                (*draft).takeIsolation,
	"timeout":                  func(d *draft, n node) { d.timeout = milliseconds(n) },
	"connectionTimeout":        func(d *draft, n node) { d.connection = milliseconds(n) },
	"requestTimeout":           func(d *draft, n node) { d.request = milliseconds(n) },
	"startup_timeout_sec":      func(d *draft, n node) { d.startupSeconds = seconds(n) },
	"tool_timeout_sec":         func(d *draft, n node) { d.toolSeconds = seconds(n) },
	"template":                 func(d *draft, n node) { n.warn("has no effect in this version", "") },
}

// canonicalKey names the key that an alias stands for.
var canonicalKey = map[string]string{"httpUrl": "url", "serverUrl": "url"}

func pointer[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

func milliseconds(n node) *time.Duration {
	return pointer(n.duration(time.Millisecond, time.Millisecond))
}

func seconds(n node) *time.Duration { return pointer(n.duration(time.Second, time.Second/1000)) }

// takeServer reads one entry and keeps it when it has no error.
func (l *loader) takeServer(m member) {
	before := l.errors
	members, ok := m.members("is given twice")
	if !ok {
		return
	}
	if l.names[m.key] {
		m.at.fail("a server of this name is defined twice, in mcpServers and in servers", "keep one of them")
		return
	}
	l.names[m.key] = true
	d := &draft{l: l, at: m.node, given: map[string]node{}}
	d.Name, d.Stderr, d.Isolation = m.key, StderrPipe, IsolationAuto
	d.takeAll(members)
	d.finish()
	// What a reference of a disabled server stands for may be unknown here and now, and then nothing is to be checked.
	if !d.Disabled || l.unresolved == 0 {
		for _, p := range d.Validate() {
			d.report(p)
		}
	}
	l.muted = false
	if l.errors == before {
		l.servers = append(l.servers, d.Server)
	}
}

// takeAll reads the keys of an entry: first whether it is disabled, because then its references are not reported, then
// serverDefaults, then its own.
func (d *draft) takeAll(members []member) {
	for _, m := range members {
		if m.key == "disabled" || m.key == "enabled" {
			serverKeys[m.key](d, m.node)
		}
	}
	d.decideDisabled()
	d.l.muted, d.l.unresolved = d.Disabled, 0
	d.takeDefaults(members)
	for _, m := range members {
		take, known := serverKeys[m.key]
		switch {
		case m.key == "disabled" || m.key == "enabled":
		case !known:
			m.unknown(slices.Collect(maps.Keys(serverKeys)))
		default:
			key := m.key
			if canonical := canonicalKey[key]; canonical != "" {
				key = canonical
			}
			if other, twice := d.given[key]; twice && key == "url" {
				m.at.fail("says the same as "+other.path, "keep one of them")
				continue
			}
			d.given[key] = m.node
			take(d, m.node)
		}
	}
}

func (d *draft) decideDisabled() {
	switch {
	case d.disabled != nil && d.enabled != nil && *d.disabled == *d.enabled:
		d.at.warn("disabled and enabled contradict each other; the server stays disabled", "keep one of them")
		d.Disabled = true
	case d.disabled != nil:
		d.Disabled = *d.disabled
	case d.enabled != nil:
		d.Disabled = !*d.enabled
	}
}

// typeWords are the spellings of type, of 1MCP and of the common clients.
var typeWords = map[string]Transport{
	"stdio":           TransportStdio,
	"http":            TransportHTTP,
	"streamable-http": TransportHTTP,
	"streamableHttp":  TransportHTTP,
	"streamable_http": TransportHTTP,
	"streamablehttp":  TransportHTTP,
	"sse":             TransportSSE,
}

func (d *draft) takeType(n node) {
	word, ok := n.raw()
	if !ok {
		return
	}
	d.typeWord = word
	for known, transport := range typeWords {
		if strings.EqualFold(word, known) {
			d.Transport = transport
			return
		}
	}
	cure := "write " + oneOf([]string{"stdio", "http", "sse"})
	switch near := nearest(word, slices.Collect(maps.Keys(typeWords))); {
	case word == "local":
		cure = "the word for this is stdio"
	case word == "remote":
		cure = "the word for this is http (or sse)"
	case near != "":
		cure = "did you mean " + quote(near) + "?"
	}
	n.fail("is "+quote(word)+", which is not a transport", cure)
}

func (d *draft) takeCommand(n node) {
	if n.v.Value.Kind() == '[' {
		n.fail("must be a string, not an array", "write the program in command and the rest in args")
		return
	}
	written, ok := n.raw()
	if !ok {
		return
	}
	d.Command, _ = n.text()
	d.shown = append([]string{written}, d.shown...)
}

func (d *draft) takeArgs(n node) {
	elements, ok := n.elements()
	if !ok {
		return
	}
	d.Args = make([]string, 0, len(elements))
	for _, e := range elements {
		arg, ok := e.value()
		if !ok {
			continue
		}
		d.given[fmt.Sprintf("args[%d]", len(d.Args))] = e
		d.Args = append(d.Args, arg)
		d.shown = append(d.shown, e.v.Value.(hujson.Literal).String())
	}
}

func (d *draft) takeStderr(n node) {
	if n.v.Value.Kind() == '0' {
		if fd, ok := n.whole(0, 1<<20); ok && fd == 2 {
			d.Stderr = StderrInherit
		} else if ok {
			n.warn("a file descriptor other than 2 has no effect; it is logged", "write pipe, inherit or ignore")
		}
		return
	}
	word, ok := n.raw()
	switch Stderr(word) {
	case StderrPipe, StderrInherit, StderrIgnore:
		d.Stderr = Stderr(word)
	case "overlapped": // what a pipe is called on Windows
		d.Stderr = StderrPipe
	default:
		if ok {
			n.fail("must be pipe, inherit or ignore", didYouMean(word, []string{"pipe", "inherit", "ignore"}))
		}
	}
}

func (d *draft) takeIsolation(n node) {
	word, ok := n.raw()
	words := []string{string(IsolationAuto), string(IsolationShared), string(IsolationSession)}
	switch {
	case slices.Contains(words, word):
		d.Isolation = Isolation(word)
	case ok:
		n.fail("must be "+oneOf(words), didYouMean(word, words))
	}
}

// list reads a list of texts as they are written and notes the place of each.
func (d *draft) list(key string, n node) []string {
	elements, _ := n.elements()
	out := make([]string, 0, len(elements))
	for _, e := range elements {
		if text, ok := e.raw(); ok {
			d.given[fmt.Sprintf("%s[%d]", key, len(out))] = e
			out = append(out, text)
		}
	}
	return out
}

func has[K comparable, V any](m map[K]V, key K) bool {
	_, ok := m[key]
	return ok
}

func (d *draft) takeOverrides(n node) {
	members, ok := n.members("is given twice")
	if !ok {
		return
	}
	d.ToolDescriptionOverrides = make(map[string]string, len(members))
	for _, m := range members {
		text, ok := m.raw()
		switch {
		case ok && strings.TrimSpace(text) == "":
			m.fail("must not be blank", "remove it to keep the server's own description")
		case ok:
			d.ToolDescriptionOverrides[m.key] = text
		}
	}
}

// report adds a problem that Validate found, at the place in the file that gave the value, unless reading that value
// has failed already.
func (d *draft) report(p Problem) {
	at, path := d.at, d.at.path
	if p.Path != "" {
		key, rest := p.Path, ""
		if i := strings.IndexAny(key, ".["); i >= 0 {
			key, rest = key[:i], key[i:]
		}
		if exact, ok := d.given[p.Path]; ok {
			at, path = exact, exact.path
		} else if given, ok := d.given[key]; ok {
			at, path = given, given.path+rest
		} else {
			path = childPath(path, key) + rest
		}
	}
	switch {
	case !d.l.failed[path]:
		d.l.add(p.Severity, path, at.v.StartOffset, p.Message, p.Cure)
	case p.Severity == Error: // said already, perhaps about another entry at this path; this one is wrong all the same
		d.l.errors++
	}
}

// finish puts together what depends on more than one key.
func (d *draft) finish() {
	d.inferTransport()
	d.Env = d.envFromDefaults
	if d.envFromEntry != nil {
		d.Env = d.envFromEntry
	}
	d.ConnectionTimeout = first(d.connection, d.startupSeconds, d.timeout, DefaultConnectionTimeout)
	d.RequestTimeout = first(d.request, d.toolSeconds, d.timeout, DefaultRequestTimeout)
	useless := remoteOnly
	if d.Transport != TransportStdio {
		d.shown = nil
		useless = stdioOnly
	}
	for _, key := range useless {
		n, ok := d.given[key]
		if ok && d.Transport != "" && strings.HasPrefix(n.path, d.at.path) {
			n.warn("has no effect for a server of type "+string(d.Transport), "remove it")
		}
	}
}

func first(a, b, c *time.Duration, fallback time.Duration) time.Duration {
	for _, d := range []*time.Duration{a, b, c} {
		if d != nil {
			return *d
		}
	}
	return fallback
}

// inferTransport decides the transport of an entry without type: command means stdio, httpUrl means http, and any other
// URL means http unless its path ends with /sse.
func (d *draft) inferTransport() {
	if d.Transport != "" || d.typeWord != "" {
		return
	}
	d.TransportInferred = true
	_, hasCommand := d.given["command"]
	url, hasURL := d.given["url"]
	switch {
	case hasCommand && hasURL:
		d.at.fail("has both command and "+lastKey(url.path), "set type, or remove one of them")
	case hasCommand:
		d.Transport = TransportStdio
	case hasURL && lastKey(url.path) != "httpUrl" && endsWithSSE(d.URL.Reveal()):
		d.Transport = TransportSSE
	case hasURL:
		d.Transport = TransportHTTP
	default:
		d.at.fail("has neither command nor url", "write command for a program, or url for a remote server")
	}
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func endsWithSSE(raw string) bool {
	raw, _, _ = strings.Cut(raw, "#")
	raw, _, _ = strings.Cut(raw, "?")
	return strings.HasSuffix(strings.TrimSuffix(raw, "/"), "/sse")
}
