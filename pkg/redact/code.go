package redact

// Code says what kind of failure happened. The set is closed; codes are stable and public.
type Code string

// The codes.
const (
	None           Code = ""
	ConnectRefused Code = "connect_refused"
	ConnectTimeout Code = "connect_timeout"
	Unreachable    Code = "unreachable"
	DNS            Code = "dns"
	TLS            Code = "tls"
	Timeout        Code = "timeout"
	HTTP401        Code = "http_401"
	HTTP403        Code = "http_403"
	HTTP404        Code = "http_404"
	HTTP429        Code = "http_429"
	HTTP4xx        Code = "http_4xx"
	HTTP5xx        Code = "http_5xx"
	Exited         Code = "exited"
	SpawnFailed    Code = "spawn_failed"
	Protocol       Code = "protocol"
	TooLarge       Code = "too_large"
	OAuthRequired  Code = "oauth_required"
	Cancelled      Code = "cancelled"
	Overloaded     Code = "overloaded"
	Disconnected   Code = "disconnected"
	Config         Code = "config"
	Internal       Code = "internal"
)

var sentences = map[Code]string{
	None:           "",
	ConnectRefused: "The server refused the connection.",
	ConnectTimeout: "The server could not be reached in time.",
	Unreachable:    "There is no route to the server.",
	DNS:            "The name of the server could not be resolved.",
	TLS:            "A secure connection to the server could not be made.",
	Timeout:        "The server did not answer in time.",
	HTTP401:        "The server asks for authentication.",
	HTTP403:        "The server denied access.",
	HTTP404:        "The server does not know the address or the session.",
	HTTP429:        "The server limits the rate of requests.",
	HTTP4xx:        "The server refused the request.",
	HTTP5xx:        "The server failed.",
	Exited:         "The process of the server ended.",
	SpawnFailed:    "The process of the server could not be started.",
	Protocol:       "The server broke the protocol.",
	TooLarge:       "The server sent more than is allowed.",
	OAuthRequired:  "Somebody has to log in to the server.",
	Cancelled:      "The operation was cancelled.",
	Overloaded:     "The server has too much to do.",
	Disconnected:   "The connection to the server was lost.",
	Config:         "The configuration of the server is not valid.",
	Internal:       "Something went wrong inside the gateway.",
}

// Sentence is the public text of the code; that of [Internal] for a code that does not exist.
func (c Code) Sentence() string {
	if s, has := sentences[c]; has {
		return s
	}
	return sentences[Internal]
}

// FromStatus gives the code of an HTTP status, None below 400.
func FromStatus(status int) Code {
	switch {
	case status < 400:
		return None
	case status == 401:
		return HTTP401
	case status == 403:
		return HTTP403
	case status == 404:
		return HTTP404
	case status == 413:
		return TooLarge
	case status == 429:
		return HTTP429
	case status < 500:
		return HTTP4xx
	default:
		return HTTP5xx
	}
}

// coded is an error that knows its code.
type coded interface{ RedactCode() Code }

// WithCode gives err a code that [Classify] finds through any wrapping. A nil err stays nil.
func WithCode(err error, c Code) error {
	if err == nil {
		return nil
	}
	return &codedError{err, c}
}

type codedError struct {
	error
	code Code
}

func (e *codedError) Unwrap() error    { return e.error }
func (e *codedError) RedactCode() Code { return e.code }
