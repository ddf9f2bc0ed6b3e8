package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

// errSessionGone: the server does not know the session (any more) and refused the message unseen. The connection has ended;
// the message may be sent again on a new one (2025-11-25 transports, "Session Management" 3 and 4).
var errSessionGone = fmt.Errorf("%w: the server ended the session", protocol.ErrUnavailable)

// errConnClosed is why a connection has ended that the gateway itself closed.
var errConnClosed = errors.New("connection was closed by the gateway")

// statusError is an HTTP status instead of an answer. It wraps the sentinel that says whether the message can have had an
// effect. Its text contains no header.
type statusError struct {
	// status is the HTTP status.
	status int
	// retryAfter is when the server wants to be asked again; zero if it does not say.
	retryAfter time.Duration
	// challenges are the WWW-Authenticate headers of a 401 or 403; never printed.
	challenges []string
	// target is the origin of a redirect that is not followed.
	target string
	kind   error
}

func newStatusError(resp *http.Response) *statusError {
	e := &statusError{status: resp.StatusCode, kind: statusKind(resp.StatusCode)}
	switch {
	case e.unauthorized():
		e.challenges = resp.Header.Values("Www-Authenticate")
	case resp.StatusCode/100 == 3:
		if to, err := resp.Location(); err == nil {
			e.target = to.Scheme + "://" + to.Host
		}
	}
	e.retryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return e
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%v: HTTP %d %s", e.kind, e.status, http.StatusText(e.status))
	if e.target != "" {
		text += " to " + clip(e.target, 200) + ", which is not followed: configure the final url"
	}
	return text
}

func (e *statusError) Unwrap() error { return e.kind }

// unauthorized tells whether somebody has to log in.
func (e *statusError) unauthorized() bool {
	return e.status == http.StatusUnauthorized || e.status == http.StatusForbidden
}

// statusKind says what a status means for the message that it answers.
func statusKind(status int) error {
	switch status {
	case http.StatusTooManyRequests:
		return protocol.ErrBusy
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusNotFound,
		http.StatusGone, http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly,
		http.StatusServiceUnavailable:
		return protocol.ErrUnavailable // refused unseen
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return protocol.ErrLost // a proxy before the server: it may have got the message
	}
	if status/100 == 3 {
		return protocol.ErrUnavailable
	}
	return protocol.ErrProtocol
}

// retryAfter reads a Retry-After header (RFC 9110 §10.2.3), at most an hour.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	var d time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		d = time.Duration(min(seconds, 3600)) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, time.Hour))
}

// transportError sorts a failure of HTTP itself: sent tells whether any byte of the message may have gone out.
func transportError(err error, sent bool) error {
	op := (*net.OpError)(nil)
	if !sent || errors.Is(err, errUnsent) || errors.As(err, &op) && op.Op == "dial" || redact.Classify(err) == redact.TLS { // no connection, nothing written
		return fmt.Errorf("%w: %w", protocol.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", protocol.ErrLost, err)
}

// errUnsent marks errors of which it is known that nothing went out.
var errUnsent = errors.New("nothing was sent")

func unsentIf(unsent bool, err error) error {
	if unsent && err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	return err
}
