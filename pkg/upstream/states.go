package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

// State is the public state of an upstream, one of the health API's four.
type State string

// The public states.
const (
	StateConnected     State = "connected"
	StateError         State = "error"
	StateDisconnected  State = "disconnected"
	StateAwaitingOAuth State = "awaiting_oauth"
)

// Phase is the inner state of an upstream: it says what comes next.
type Phase string

// The phases.
const (
	PhaseIdle          Phase = "idle"           // not begun, or ended
	PhaseStarting      Phase = "starting"       // connecting, initialising, loading lists
	PhaseReady         Phase = "ready"          // serving
	PhaseBackoff       Phase = "backoff"        // waiting until Status.NextRetry
	PhaseCrashLoop     Phase = "crash_loop"     // given up; a person must look
	PhaseFailed        Phase = "failed"         // cannot work as configured; no retry
	PhaseAwaitingOAuth Phase = "awaiting_oauth" // a person must log in
	PhaseStopping      Phase = "stopping"       // being ended
)

// Status is an immutable snapshot of an upstream.
type Status struct {
	Name  string
	Phase Phase
	// State is what the health API shows. A server that is being started again after a failure is still in error.
	State State
	// Reason and Text say what went wrong last; empty when connected, and as long as nothing has. Text is redacted.
	Reason redact.Code
	Text   string
	// Since is when the phase began.
	Since time.Time
	// LastConnected is when the server was last known to be connected: now, if it is; zero if it never was.
	LastConnected time.Time
	// Attempts counts the failed starts and losses since the server was last stable.
	Attempts int
	// NextRetry is when it is tried again; zero unless the phase is backoff.
	NextRetry time.Time
	// PID is the process of the shared connection; zero if there is none.
	PID int
}

// public gives the state that belongs to a phase; failing says that something has gone wrong since it was last connected.
func (p Phase) public(failing bool) State {
	switch p {
	case PhaseReady:
		return StateConnected
	case PhaseBackoff, PhaseCrashLoop, PhaseFailed:
		return StateError
	case PhaseAwaitingOAuth:
		return StateAwaitingOAuth
	case PhaseStarting:
		if failing {
			return StateError
		}
	}
	return StateDisconnected
}

// classify gives the code of an error of a connection.
func classify(err error) redact.Code {
	switch {
	case err == nil:
		return redact.None
	case errors.Is(err, protocol.ErrTooLarge):
		return redact.TooLarge
	case errors.Is(err, protocol.ErrProtocol):
		return redact.Protocol
	case errors.Is(err, protocol.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return redact.Timeout
	case errors.Is(err, protocol.ErrBusy):
		return redact.Overloaded
	}
	code := redact.Classify(err)
	if code == redact.Internal && (errors.Is(err, protocol.ErrLost) || errors.Is(err, protocol.ErrUnavailable)) {
		return redact.Disconnected
	}
	return code
}
