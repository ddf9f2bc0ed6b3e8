package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

const (
	maxServerName = 100
	maxTag        = 100
	// MaxPrefix bounds the prefix of one server: a public name has 64 characters, and a tool needs some of them.
	MaxPrefix = 32
)

var (
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)
	tagPattern    = regexp.MustCompile(`^[\p{L}\p{N}_.-]+$`)
)

// Validate checks one server. It is pure: no network, no file, no clock. Paths in its result are relative to the entry
// ("url", "headers.X-Key"); no message holds a value of env, headers or url.
func (s *Server) Validate() Report {
	v := &validation{server: s}
	v.name()
	switch s.Transport {
	case TransportStdio:
		v.stdio()
	case TransportHTTP, TransportSSE:
		v.remote()
	}
	v.catalogue()
	v.report.sortByPath()
	return v.report
}

type validation struct {
	server *Server
	report Report
}

func (v *validation) fail(path, message, cure string) {
	v.report = append(v.report, Problem{Path: path, Message: message, Cure: cure})
}

func (v *validation) warn(path, message, cure string) {
	v.report = append(v.report, Problem{Path: path, Message: message, Cure: cure, Severity: Warning})
}

func (v *validation) name() {
	name := v.server.Name
	switch {
	case name == "":
		v.fail("", "the name of a server must not be empty", "give it a name")
	case utf8.RuneCountInString(name) > maxServerName:
		v.fail("", fmt.Sprintf("the name of a server must not be longer than %d characters", maxServerName), "shorten it")
	case strings.ContainsFunc(name, unicode.IsControl):
		v.fail("", "the name of a server must not hold control characters", "remove them")
	case !prefixPattern.MatchString(name) && v.server.Prefix == nil:
		v.warn("", "the name has characters other than A-Z a-z 0-9 _ -, so the public prefix is derived from it", `set "prefix"`)
	}
}

func (v *validation) stdio() {
	s := v.server
	if s.Command == "" {
		v.fail("command", "is missing", "write the program to start")
	}
	v.noNUL("command", s.Command)
	v.noNUL("cwd", s.Cwd)
	for i, arg := range s.Args {
		v.noNUL(fmt.Sprintf("args[%d]", i), arg)
	}
	if word, _, two := strings.Cut(s.Command, " "); two && len(s.Args) == 0 && !strings.ContainsAny(word, `/\`) {
		v.warn("command", "looks like a whole command line, but there is no shell to split it",
			"write the program in command and the rest in args")
	}
	for name, value := range s.Env {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			v.fail(childPath("env", name), "is not a name of a variable", "")
		default:
			v.noNUL(childPath("env", name), value.Reveal())
		}
	}
	for i, pattern := range s.EnvFilter {
		name := strings.TrimSuffix(strings.TrimPrefix(pattern, "!"), "*")
		if strings.ContainsAny(name, "*!=") || pattern == "" || pattern == "!" {
			v.fail(fmt.Sprintf("envFilter[%d]", i), "must be NAME, PREFIX* or one of these after !", "")
		}
	}
	if len(s.EnvFilter) > 0 && !s.InheritParentEnv {
		v.warn("envFilter", "has no effect without inheritParentEnv", `set "inheritParentEnv": true`)
	}
	v.restarts()
}

// restarts tells where a program is started again otherwise than its entry says.
func (v *validation) restarts() {
	s := v.server
	if s.RestartOnExit != nil && !*s.RestartOnExit {
		v.warn("restartOnExit", "has no effect in this version: a program that ends is started again", "remove it")
	}
	const instead = "has no effect in this version: the wait before a restart grows to a minute, and there is no last one"
	if s.MaxRestarts != nil {
		v.warn("maxRestarts", instead, "remove it")
	}
	if s.RestartDelay != nil {
		v.warn("restartDelay", instead, "remove it")
	}
}

func (v *validation) noNUL(path, text string) {
	if strings.IndexByte(text, 0) >= 0 {
		v.fail(path, "holds a NUL byte", "remove it")
	}
}

func (v *validation) remote() {
	v.url("url", v.server.URL.Reveal())
	for name, value := range v.server.Headers {
		path := childPath("headers", name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			v.fail(path, "is not a name of a header", "use letters, digits and -")
		case strings.ContainsAny(value.Reveal(), "\r\n"):
			v.fail(path, "holds a line break", "write the value in one line")
		case !httpguts.ValidHeaderFieldValue(value.Reveal()):
			v.fail(path, "holds a control character", "remove it")
		}
	}
	if v.server.OAuth != nil {
		v.warn("oauth", "has no effect in this version", `write a token that you have as "Authorization" in headers`)
	}
	if o := v.server.OAuth; o != nil && o.RedirectURL != "" {
		if u, err := url.Parse(o.RedirectURL); err != nil || !u.IsAbs() {
			v.fail("oauth.redirectUrl", "is not an absolute URL", "")
		}
	}
}

// url checks the endpoint. The text of an error of url.Parse repeats the URL, so it is not used.
func (v *validation) url(path, raw string) {
	if raw == "" {
		v.fail(path, "is missing", "write https://host/path")
		return
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		v.fail(path, "is not a URL", "write https://host/path")
	case u.Scheme == "":
		v.fail(path, "has no scheme", "write https://host/path")
	case u.Scheme != "http" && u.Scheme != "https":
		v.fail(path, "must begin with http:// or https://", "")
	case u.Hostname() == "":
		v.fail(path, "has no host", "write https://host/path")
	case strings.ContainsAny(u.Host, "${} "):
		v.fail(path, "has a host that is not valid", "write https://host/path")
	}
}

// catalogue checks what shapes the server's part of the catalogue.
func (v *validation) catalogue() {
	if p := v.server.Prefix; p != nil {
		switch {
		case !prefixPattern.MatchString(*p):
			v.fail("prefix", "may only have A-Z a-z 0-9 _ -", "")
		case len(*p) > MaxPrefix:
			v.fail("prefix", fmt.Sprintf("is longer than %d characters", MaxPrefix), "shorten it")
		}
	}
	for i, tag := range v.server.Tags {
		path := fmt.Sprintf("tags[%d]", i)
		switch {
		case strings.TrimSpace(tag) == "":
			v.fail(path, "must not be blank", "remove it")
		case utf8.RuneCountInString(tag) > maxTag:
			v.fail(path, fmt.Sprintf("is longer than %d characters", maxTag), "shorten it")
		case !tagPattern.MatchString(tag):
			v.warn(path, "has characters that a tag expression cannot name", "use letters, digits, _ . -")
		}
	}
	for i, tool := range v.server.DisabledTools {
		if strings.TrimSpace(tool) == "" {
			v.fail(fmt.Sprintf("disabledTools[%d]", i), "must not be blank", "remove it")
		}
	}
}

// sortByPath keeps reports stable, since maps are read in any order.
func (r Report) sortByPath() {
	slices.SortStableFunc(r, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
}
