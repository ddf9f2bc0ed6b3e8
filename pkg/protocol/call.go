package protocol

import (
	"bytes"
	"errors"
	"io"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Call is one request on its way to a server.
type Call struct {
	// Message is the client's request as scanned. Its bytes stay untouched and valid until the call has returned.
	Message wire.Message
	// Method is the unquoted method.
	Method string
	// Edits are the router's changes to the message (names, URIs), ascending; the connection adds its own id and progress token.
	Edits []wire.Edit
	// Client is the asker.
	Client *Client
	// Sink takes what precedes the answer; never nil.
	Sink Sink
}

// Answer is what a request came to: a whole response, a result or error of the gateway's own, or the stream of a large
// response. Whoever receives it writes it once and closes it.
type Answer struct {
	// Message is a whole JSON-RPC response of a server (Kind Response) whose id is replaced on writing.
	Message wire.Message
	// Result is a result of the gateway itself: a JSON value, shared and immutable.
	Result []byte
	// Err is an error of the gateway itself.
	Err *Error
	// Stream is a JSON-RPC response too large to hold, copied through by wire.RelayResponse.
	Stream io.ReadCloser
	// Rest is how many bytes Stream has besides its id, zero if that is not known. A stream that turns out to be of another
	// length, because it answers to another id, must not be taken for the answer.
	Rest int64
	// Free gives Message's bytes back to their pool; may be nil.
	Free func()
}

// Close ends the answer's stream and frees its bytes. It may be called more than once.
func (a *Answer) Close() {
	if a.Stream != nil {
		_ = a.Stream.Close()
		a.Stream = nil
	}
	if a.Free != nil {
		a.Free()
		a.Free = nil
	}
}

// Failed tells whether the answer is a JSON-RPC error. A stream counts as none.
func (a *Answer) Failed() bool { return a.Err != nil || a.Message.Error.Present() }

// Large gives an answer in parts where copying it would cost more than writing it in pieces: what stands before, a shared or
// pooled body of at least 32 KiB, and what stands behind. The parts are valid until Close. ok is false for small answers and
// streams.
func (a *Answer) Large(id []byte) (parts [3][]byte, ok bool) {
	const large = 32 << 10
	m := &a.Message
	switch {
	case a.Err != nil || a.Stream != nil:
	case m.Raw == nil && len(a.Result) >= large:
		head := append(append([]byte(`{"jsonrpc":"2.0","id":`), id...), `,"result":`...)
		return [3][]byte{head, a.Result, []byte("}")}, true
	case m.ID.Present() && len(m.Raw) >= large:
		return [3][]byte{m.Raw[:m.ID.Start], id, m.Raw[m.ID.End:]}, true
	}
	return parts, false
}

// Append appends the whole response with the given id. It must not be called on a stream.
func (a *Answer) Append(dst, id []byte) []byte {
	switch {
	case a.Err != nil:
		return a.Err.Append(dst, id)
	case a.Message.Raw != nil:
		m := &a.Message
		if !m.ID.Present() { // an error may come without one
			whole := wire.Span{Start: max(bytes.IndexByte(m.Raw, '{'), 0), End: len(m.Raw)} // white space may stand before it
			return wire.AppendSplice(dst, m.Raw, wire.SetMember(m.Raw, whole, "id", id))
		}
		return wire.AppendSplice(dst, m.Raw, wire.Edit{At: m.ID, With: id})
	}
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"result":`...)
	dst = append(dst, a.Result...)
	return append(dst, '}')
}

// Whole gives the response as one message and closes the answer. A stream is read to its end; it is bounded by whoever made it.
func (a *Answer) Whole(id []byte) []byte {
	defer a.Close()
	if a.Stream == nil {
		return a.Append(nil, id)
	}
	var b bytes.Buffer
	if _, err := wire.RelayResponse(&b, a.Stream, id, nil); err != nil {
		return (&Error{Code: CodeInternal, Message: "the server's answer could not be read to its end"}).Append(nil, id)
	}
	return b.Bytes()
}

// Sentinels by which the edge and the router decide; upstreams wrap them with their name and cause.
var (
	// ErrUnavailable: the server is not connected; nothing was sent.
	ErrUnavailable = errors.New("server is not available")
	// ErrLost: the connection ended after the call may have been sent; it is not run again.
	ErrLost = errors.New("connection to the server was lost")
	// ErrBusy: the server's queue is full; nothing was sent.
	ErrBusy = errors.New("server is busy")
	// ErrTimeout: the server did not answer in time and was told to give up.
	ErrTimeout = errors.New("server did not answer in time")
	// ErrTooLarge: the server's answer is larger than the limit.
	ErrTooLarge = errors.New("answer of the server is too large")
	// ErrProtocol: the server's answer is not JSON-RPC.
	ErrProtocol = errors.New("server broke the protocol")
	// ErrRefused: the client cannot or may not be asked.
	ErrRefused = errors.New("client cannot be asked")
)
