package protocol

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Error is a JSON-RPC error of the gateway itself. Its text is public: it names no path, address or secret.
type Error struct {
	Code    int
	Message string
	// Data is a JSON value or nil.
	Data []byte
	// Cause goes to the log, never to the client.
	Cause error
}

// Errorf makes an Error with a formatted message.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Append appends the error as a whole JSON-RPC response; a nil id becomes null.
func (e *Error) Append(dst, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		id = []byte("null")
	}
	dst = append(dst, id...)
	dst = append(dst, `,"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.Code), 10)
	dst = append(dst, `,"message":`...)
	dst = wire.AppendQuote(dst, e.Message)
	if e.Data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, e.Data...)
	}
	return append(dst, "}}"...)
}

// ParseError makes the error for a message that wire.Parse refused; it says what is wrong and where.
func ParseError(err error) *Error {
	if syntax, ok := errors.AsType[*wire.SyntaxError](err); ok {
		return Errorf(syntax.Code, "%s at byte %d", syntax.Reason, syntax.Offset)
	}
	return &Error{Code: CodeParse, Message: "Parse error", Cause: err}
}
