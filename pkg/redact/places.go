package redact

import (
	"net/netip"
	"strings"
)

const (
	unixRoots = `home|Users|root|etc|var|opt|usr|tmp|mnt|srv|private|app|apps|data|run|workspace|workspaces|proc|sys|boot|media|Library|Applications|Volumes|secrets|config|configs|builds|code|src|repo|work|build|export|nix|snap|lib|storage|www|vault|github|node_modules`
	unixName  = `[^\s/:"'<>|*?,;()\[\]{}` + "`" + `\\]`
)

// places are names of people and of where things are: mail addresses, paths, addresses of machines.
var places = []rule{
	{need: []string{"@"}, re: re(`[A-Za-z0-9_.+%=$&*!-]+(?:'?@'?|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[\w~./-]*/[\w~./-]+)?`), fn: mail},
	// Windows and UNC; directories may have spaces, and a last part if it has an extension.
	{re: re(`(?i)["'` + "`" + `](?:[a-z]:[\\/]|\\\\)[^"'` + "`" + `\n]+`), fn: quotedPath},
	{re: re(`(?i)(^|[^a-z0-9])(?:file:/*)?[a-z]:(?:\\+|/)(?:[^\\/:*?"<>|\r\n']{1,64}(?:\\+|/))*(?:[^\s\\/:*?"'<>|]+\.[a-z0-9]{1,8}\b|[^\\/:*?"'<>|\r\n]{1,48}?\.[a-z0-9]{1,5}\b|[^\s\\/:*?"'<>|,;)]*)`), repl: "${1}" + pathMark},
	{need: []string{`\\`}, re: re(`\\\\+[A-Za-z0-9._$?-]+(?:\\+[^\s\\/:*?"'<>|,;)]+)+\\*`), repl: pathMark},
	{need: []string{`%`}, re: re(`%[A-Z_()a-z]{4,}%(?:[\\/]+[^\s\\/:*?"'<>|,;)]+)+`), repl: pathMark},
	// Unix, home and relative.
	{need: []string{"/"}, re: re(`["'` + "`" + `](?:~[\w.-]*|\.{1,2}|\$\{?[A-Z_]+\}?)?/[^"'` + "`" + `\n<>]+`), fn: quotedPath},
	{need: []string{"/"}, re: re(`(^|[^A-Za-z0-9_./~$}<\])-])(?:file:/*)?(?:~[\w.-]*|\.{1,2}|\$\{?[A-Z_]+\}?)?((?:/` + unixName + `+(?: [A-Z]` + unixName + `*/` + unixName + `+)?)+/?)`), fn: unixPath},
	{need: []string{"/"}, re: re(`/(?:` + unixRoots + `)/` + unixName + `+(?:/` + unixName + `+)*`), fn: rootedPath},
	// Machines.
	{need: []string{":", "-"}, re: re(`(?i)\b(?:[0-9a-f]{2}[:-]){5,7}[0-9a-f]{2}\b|\b[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}\b`), repl: addressMark},
	{need: []string{":"}, re: re(`(?i)\[?[0-9a-f]{0,4}:[0-9a-f:]*:?[0-9a-f.:]*(?:%25|%)?[0-9a-z_.-]*\]?`), fn: ipv6},
	{need: []string{"."}, re: re(`\b(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\b(?:/\d{1,2}\b)?`), fn: ipv4},
	{need: []string{"-", "_"}, re: re(`(?i)(?:\bip[-_])?\b\d{1,3}[-_]\d{1,3}[-_]\d{1,3}[-_]\d{1,3}\b[\w.-]*`), fn: dashedIP},
	{need: []string{"ip-"}, re: re(`\bip-[0-9a-f]+(?:-[0-9a-f]+)*(?:\.[\w-]+)*`), repl: hostMark},
}

func mail(s string, loc []int) (string, bool) {
	m := s[loc[0]:loc[1]]
	_, host, _ := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(m, "%40", "@"), "'", ""), "@")
	if label := strings.ToLower(strings.TrimLeft(host, "^~v")); label == "latest" || label == "next" || label == "beta" ||
		label == "canary" || label == "stable" || label == "alpha" || label != "" && label[0] >= '0' && label[0] <= '9' && versionLike(label) {
		return "", false // package@version
	}
	tail := m[len(strings.TrimRight(m, ".:-")):]
	return mailMark + tail, true
}

// quotedPath takes a path in quotes, spaces and all.
func quotedPath(s string, loc []int) (string, bool) {
	m := s[loc[0]:loc[1]]
	if route(m[1:]) || m[1] == '/' && strings.IndexByte(m[2:], '/') < 0 && !rootName(m[2:]) {
		return "", false
	}
	return m[:1] + pathMark, true
}

// unixPath takes a path of two parts or more, or of one that is the name of a well-known folder or has an extension.
func unixPath(s string, loc []int) (string, bool) {
	whole, path := s[loc[0]:loc[1]], s[loc[4]:loc[5]]
	lead := s[loc[2]:loc[3]]
	body := strings.TrimRight(path, ".!")
	prefix := strings.TrimSuffix(whole[len(lead):], path)
	if route(body) && prefix == "" {
		return "", false
	}
	parts := strings.Count(strings.Trim(body, "/"), "/") + 1
	if parts == 1 && prefix == "" && !rootName(body[1:]) {
		return "", false
	}
	return lead + pathMark + path[len(body):], true
}

func rootedPath(s string, loc []int) (string, bool) {
	m := s[loc[0]:loc[1]]
	return pathMark, !route(m)
}

var rootNames = set(strings.ReplaceAll(unixRoots, "|", " "))

func rootName(part string) bool {
	part = strings.Trim(part, "/")
	return rootNames[part] || strings.HasPrefix(part, ".") && len(part) > 2 || re1Ext.MatchString(part)
}

var re1Ext = re(`^[\w.-]+\.[a-z]{2,5}$`)

// route tells whether a path is one of the gateway's own, or one that every system has.
func route(path string) bool {
	path = strings.TrimRight(path, "/.")
	switch path {
	case "/mcp", "/sse", "/messages", "/metrics", "/health", "/healthz", "/livez", "/readyz", "/health/live", "/health/ready", "/health/mcp",
		"/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty", "/bin/sh", "/bin/bash", "/usr/bin/env", "/usr/bin/node", "/usr/bin/python3":
		return true
	}
	return strings.HasPrefix(path, "/.well-known/oauth-") && strings.Count(path, "/") == 2
}

func ipv6(s string, loc []int) (string, bool) {
	start, end := loc[0], loc[1]
	m := s[start:end]
	open := strings.HasPrefix(m, "[")
	body := strings.TrimPrefix(m, "[")
	if !open && start > 0 && (isWordByte(s[start-1]) || s[start-1] == ':') {
		return "", false
	}
	if i := strings.IndexByte(body, ']'); i >= 0 {
		if a, err := netip.ParseAddr(strings.Replace(body[:i], "%25", "%", 1)); open && err == nil && !a.IsUnspecified() {
			return "[" + addressMark[1:], true
		}
		body = body[:i]
	}
	if strings.Count(body, ":") < 2 {
		return "", false
	}
	core := strings.TrimRight(body, ".:-_")
	if strings.HasSuffix(body, "::") || strings.HasPrefix(body[len(core):], "::") {
		core += "::"
	}
	for _, try := range []string{core, cutLast(core, ':'), cutLast(core, '%')} {
		if a, err := netip.ParseAddr(try); err == nil && a.Is6() && !a.IsUnspecified() && len(try) > 3 {
			return addressMark + body[len(try):], true
		}
	}
	return "", false
}

func cutLast(s string, c byte) string {
	if i := strings.LastIndexByte(s, c); i > 0 {
		return s[:i]
	}
	return s
}

func isWordByte(c byte) bool {
	return isUpper(c) || isLower(c) || '0' <= c && c <= '9' || c == '_'
}

func ipv4(s string, loc []int) (string, bool) {
	for g := 1; g <= 4; g++ {
		if n := s[loc[2*g]:loc[2*g+1]]; len(n) == 3 && n > "255" {
			return "", false
		}
	}
	if strings.HasPrefix(s[loc[0]:loc[1]], "0.0.0.0") || loc[1] < len(s)-1 && s[loc[1]] == '.' && s[loc[1]+1] >= '0' && s[loc[1]+1] <= '9' {
		return "", false
	}
	return addressMark, true
}

func dashedIP(s string, loc []int) (string, bool) {
	m := s[loc[0]:loc[1]]
	h := strings.FieldsFunc(m, func(r rune) bool { return r == '-' || r == '_' })
	if loc[0] > 0 && (s[loc[0]-1] == '-' || s[loc[0]-1] == '.') {
		return hostMark, true
	}
	for _, n := range h[:4] {
		if len(n) == 3 && n > "255" {
			return "", false
		}
	}
	return hostMark, true
}
