package redact

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"syscall"
)

// Classify gives the code of an error: the one it carries (an error anywhere in its chain with RedactCode() Code), or what
// the errors of the standard library tell. Nil gives [None]; an error that nothing is known of gives [Internal].
func Classify(err error) Code {
	if err == nil {
		return None
	}
	var c coded
	if errors.As(err, &c) {
		return c.RedactCode()
	}
	for _, find := range []func(error) Code{process, secure, network, content} {
		if code := find(err); code != None {
			return code
		}
	}
	return Internal
}

func process(err error) Code {
	var path *fs.PathError
	switch {
	case is[*exec.ExitError](err):
		return Exited
	case is[*exec.Error](err), errors.Is(err, exec.ErrNotFound), errors.Is(err, exec.ErrDot):
		return SpawnFailed
	case errors.As(err, &path) && (path.Op == "fork/exec" || path.Op == "chdir"):
		return SpawnFailed
	}
	return None
}

func secure(err error) Code {
	switch {
	case errors.Is(err, http.ErrSchemeMismatch), is[*tls.CertificateVerificationError](err), is[tls.RecordHeaderError](err), is[tls.AlertError](err),
		is[x509.UnknownAuthorityError](err), is[x509.HostnameError](err), is[x509.CertificateInvalidError](err),
		is[x509.SystemRootsError](err), is[x509.ConstraintViolationError](err), is[x509.UnhandledCriticalExtension](err):
		return TLS
	}
	return None
}

func network(err error) Code {
	var op *net.OpError
	dialling := errors.As(err, &op) && op.Op == "dial"
	switch {
	case is[*net.DNSError](err):
		return DNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return Unreachable
	case dialling && isTimeout(err):
		return ConnectTimeout
	case errors.Is(err, context.Canceled):
		return Cancelled
	case isTimeout(err):
		return Timeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrClosed), errors.Is(err, http.ErrServerClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.EPIPE):
		return Disconnected
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return Overloaded
	}
	return None
}

func content(err error) Code {
	switch {
	case is[*http.MaxBytesError](err), errors.Is(err, bufio.ErrTooLong):
		return TooLarge
	case is[*json.SyntaxError](err), is[*json.UnmarshalTypeError](err):
		return Protocol
	case is[*net.ParseError](err), is[*net.AddrError](err), is[url.EscapeError](err), is[url.InvalidHostError](err):
		return Config
	}
	return None
}

func is[T any](err error) bool {
	var target T
	return errors.As(err, &target)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
