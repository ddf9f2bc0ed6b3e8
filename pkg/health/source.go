package health

import "time"

// Source tells the present state. Snapshot returns at once and is safe for concurrent use.
type Source interface {
	Snapshot() Snapshot
}

// SourceFunc makes a Source of a function.
type SourceFunc func() Snapshot

// Snapshot calls f.
func (f SourceFunc) Snapshot() Snapshot { return f() }

// Snapshot is the state at one moment.
type Snapshot struct {
	// Servers are the enabled upstream servers, in the order in which they are to be listed.
	Servers []Server
	// Configuration describes the configuration in force.
	Configuration Configuration
	// Draining says that the gateway has been told to stop.
	Draining bool
}

// Status is the public state of an upstream server.
type Status string

// The states.
const (
	Connected     Status = "connected"
	Failed        Status = "error"
	Disconnected  Status = "disconnected"
	AwaitingOAuth Status = "awaiting_oauth"
)

// Server is one upstream server.
type Server struct {
	Name   string
	Status Status
	// Healthy says that the server answers its probes; it counts only while the server is connected.
	Healthy bool
	// LastConnected is zero if the server never was.
	LastConnected time.Time
	// LastError is a sanitised text, empty if there is none.
	LastError string
	Tags      []string
}

func (s *Server) healthy() bool { return s.Healthy && s.Status == Connected }

// Configuration describes the configuration in force. Its JSON form is that of the reports.
type Configuration struct {
	Loaded        bool   `json:"loaded"`
	ServerCount   int    `json:"serverCount"`
	EnabledCount  int    `json:"enabledCount"`
	DisabledCount int    `json:"disabledCount"`
	AuthEnabled   bool   `json:"authEnabled"`
	Transport     string `json:"transport"`
}
