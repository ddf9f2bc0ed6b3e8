package config

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Transport is how the gateway speaks to a server, or how its own clients speak to it.
type Transport string

// The transports. TransportHTTP is streamable HTTP; TransportSSE is the older HTTP+SSE of protocol revision 2024-11-05.
const (
	TransportStdio Transport = "stdio"
	TransportHTTP  Transport = "http"
	TransportSSE   Transport = "sse"
)

// Isolation says who shares a connection to a server.
type Isolation string

const (
	// IsolationAuto shares one connection until the server asks a client back (sampling, elicitation, roots); from then
	// on clients that can answer get a connection of their own. It is the default.
	IsolationAuto Isolation = "auto"
	// IsolationShared always shares one connection.
	IsolationShared Isolation = "shared"
	// IsolationSession gives each client session its own connection.
	IsolationSession Isolation = "session"
)

// Stderr is what happens to what a stdio server writes to its standard error.
type Stderr string

const (
	// StderrPipe writes it to the log, limited in length and rate. It is the default.
	StderrPipe Stderr = "pipe"
	// StderrInherit lets it through to the standard error of the gateway.
	StderrInherit Stderr = "inherit"
	// StderrIgnore throws it away.
	StderrIgnore Stderr = "ignore"
)

// The times that hold when neither a server nor serverDefaults says otherwise.
const (
	// DefaultConnectionTimeout bounds starting and initialising one server; it is long because npx and uvx may have to
	// download the server first.
	DefaultConnectionTimeout = 60 * time.Second
	// DefaultRequestTimeout bounds one request; each progress notification starts it over.
	DefaultRequestTimeout = 5 * time.Minute
	// DefaultRestartDelay is the first wait before a stdio server is started again.
	DefaultRestartDelay = time.Second
)

// Server is one entry of mcpServers after substitution, serverDefaults and defaults.
//
// It prints as its name, transport and [Server.Target] with every verb of fmt and in JSON, so that a log line or a
// status page cannot leak what it holds. Its maps and slices belong to the File and must not be changed.
type Server struct {
	// Name is the key in mcpServers: any text without control characters of at most 100 characters.
	Name string
	// Transport is how to reach it.
	Transport Transport
	// TransportInferred is true when the entry has no type, so that the transport is a guess from the URL.
	TransportInferred bool

	// Command, Args and Cwd start a stdio server. There is no shell: arguments are passed as they are. A relative Cwd
	// or Command is relative to the folder where the gateway was started; an empty Cwd is that folder.
	Command string
	Args    []string
	Cwd     string
	// Env holds the variables that the entry sets. Use [Server.Environ] for the environment of the child.
	Env map[string]Secret
	// InheritParentEnv passes the environment of the gateway on, filtered by EnvFilter.
	InheritParentEnv bool
	// EnvFilter holds names, PREFIX* patterns, and the same after "!" to deny.
	EnvFilter []string
	// Stderr is never empty.
	Stderr Stderr
	// RestartOnExit, MaxRestarts (0 = without limit, as in 1MCP) and RestartDelay are nil when not given.
	RestartOnExit *bool
	MaxRestarts   *int
	RestartDelay  *time.Duration

	// URL is the endpoint of an http or sse server: absolute, http or https, with a host. It is secret because query
	// and path often carry keys; [Server.Target] is the form to show.
	URL Secret
	// Headers are sent with every request; names are in canonical form, none of them is one that the protocol owns.
	Headers map[string]Secret
	// OAuth is nil when the entry has no oauth section.
	OAuth *OAuth

	// Tags are what tag filters select by, as written.
	Tags []string
	// Disabled servers are neither started nor shown.
	Disabled bool
	// DisabledTools are left out of the catalogue, by the server's own names or by public ones.
	DisabledTools []string
	// ToolDescriptionOverrides replaces descriptions, by the server's own tool names.
	ToolDescriptionOverrides map[string]string
	// InstructionOverride replaces the server's instructions; a pointer to "" suppresses them.
	InstructionOverride *string
	// Prefix is the public prefix of its names; nil means "derive it from Name", a pointer to "" means "none".
	Prefix *string
	// Isolation is never empty.
	Isolation Isolation

	// ConnectionTimeout bounds connect and initialize, RequestTimeout one request (started over by progress). Both are
	// always more than 0.
	ConnectionTimeout time.Duration
	RequestTimeout    time.Duration

	// shown is the command line as it is written in the file, before substitution.
	shown []string
	// hidePath is true when a part of the URL came from substitution.
	hidePath bool
}

// OAuth is how to log in at a server. Nothing of it is used by a server that does not ask for it.
type OAuth struct {
	// ClientID, when set, means that the client is registered already.
	ClientID     string
	ClientSecret Secret
	Scopes       []string
	// AutoRegister is nil when not given.
	AutoRegister *bool
	RedirectURL  string
}

// Target says where the server is, for people: the command line as written in the file, or the URL without user info,
// query and anything that looks like a key in its path.
func (s Server) Target() string {
	if s.Transport == TransportStdio {
		if s.shown == nil {
			return s.Command
		}
		return strings.Join(s.shown, " ")
	}
	return showURL(s.URL.Reveal(), s.hidePath)
}

// String returns name, transport and target.
func (s Server) String() string { return fmt.Sprintf("%s (%s: %s)", s.Name, s.Transport, s.Target()) }

// Format serves every verb, so that %+v does not print the fields.
func (s Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON writes name, transport, target, tags and disabled.
func (s Server) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name      string    `json:"name"`
		Transport Transport `json:"transport"`
		Target    string    `json:"target"`
		Tags      []string  `json:"tags,omitempty"`
		Disabled  bool      `json:"disabled,omitempty"`
	}{s.Name, s.Transport, s.Target(), s.Tags, s.Disabled})
}

// showURL returns scheme, host and path; user info, query and fragment are left out, and a path segment that looks like
// a key is replaced. With hidePath nothing of the path is shown.
func showURL(raw string, hidePath bool) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return redacted
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments {
		if segment != "" && (hidePath || looksLikeKey(segment)) {
			segments[i] = redacted
		}
	}
	out := u.Scheme + "://" + u.Host + strings.Join(segments, "/")
	if u.RawQuery != "" {
		out += "?" + redacted
	}
	return out
}

// looksLikeKey reports whether a path segment is long and has both letters and digits, or is very long.
func looksLikeKey(segment string) bool {
	const long, veryLong = 20, 40
	return len(segment) >= veryLong ||
		len(segment) >= long && strings.ContainsAny(segment, "0123456789") &&
			strings.ContainsAny(strings.ToLower(segment), "abcdefghijklmnopqrstuvwxyz")
}
