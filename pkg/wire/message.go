package wire

import "fmt"

// Limits that callers use unless they were configured otherwise. Parse and Skim enforce MaxDepth; sizes are the reader's
// business (LineReader, EventReader, or an HTTP body limit).
const (
	MaxDepth   = 512      // nested arrays and objects, the envelope included
	MaxMessage = 16 << 20 // bytes of one message from an upstream
	MaxBody    = 4 << 20  // bytes of one request body from a client
)

// JSON-RPC 2.0 §5.1 error codes that this package reports.
const (
	codeParse   = -32700
	codeInvalid = -32600
)

// Span is a half-open range of bytes in a message. The zero Span means that the member is absent.
type Span struct{ Start, End int }

// Of returns the bytes of the span in b, which must be the message it was found in. An absent span yields an empty slice.
func (s Span) Of(b []byte) []byte { return b[s.Start:s.End:s.End] }

// Present reports whether the span was found: no JSON value is empty.
func (s Span) Present() bool { return s.End > s.Start }

// Kind says which of the three JSON-RPC message forms a message has.
type Kind uint8

// The kinds of messages. A Message that comes with an error is Invalid.
const (
	Invalid Kind = iota
	Request
	Notification
	Response
)

var kindNames = [...]string{"invalid", "request", "notification", "response"}

// String returns the kind in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Message is one scanned JSON-RPC message. All spans are ranges of Raw and cover whole JSON values: strings include
// their quotes. Name to TaskID are filled if params is an object.
type Message struct {
	Raw  []byte
	Kind Kind

	ID, Method, Params, Result, Error Span

	Name      Span // params.name
	URI       Span // params.uri
	Cursor    Span // params.cursor
	Meta      Span // params._meta
	RequestID Span // params.requestId, of notifications/cancelled
	TaskID    Span // params.taskId

	// ProgressToken is params._meta.progressToken, for notifications/progress params.progressToken.
	ProgressToken Span
	ResultType    Span // result.resultType, if result is an object
}

// MethodName returns the decoded method, or "" for a response. For the methods of the specification it allocates nothing.
func (m *Message) MethodName() string {
	quoted := m.Method.Of(m.Raw)
	if len(quoted) < 2 {
		return ""
	}
	if name, ok := methods[string(quoted[1:len(quoted)-1])]; ok { // no allocation: the compiler knows this form
		return name
	}
	name, _ := Unquote(quoted)
	return name
}

// SyntaxError says why Parse, Skim or SplitBatch refused a message.
type SyntaxError struct {
	Code   int    // JSON-RPC 2.0 §5.1: -32700 the bytes are not acceptable JSON, -32600 the JSON is not an acceptable message
	Reason string // constant text without any part of the input, safe to send to the peer
	Offset int    // byte where the problem was noticed
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid message at byte %d: %s", e.Offset, e.Reason)
}

// Parse scans a message from a client, strictly: RFC 8259 grammar, UTF-8, at most MaxDepth nested containers, no duplicate
// keys on any level (after unescaping), no lone surrogate in a key, nothing but white space around the object, no byte
// order mark. The envelope must be JSON-RPC 2.0 as MCP narrows it: jsonrpc is "2.0", a method is a string, params are an
// object or array, an id is a string or number, and a response has exactly one of result and error. An error response
// may have the id null or none, because its sender could not read the id; a result may not. Other envelope members are
// allowed and stay in Raw.
//
// The error is always a *SyntaxError. If its code is -32600 and the id was readable, the returned Message has its ID
// span set so that the answer can carry it; all other fields but Raw are empty.
func Parse(raw []byte) (Message, error) { return scanMessage(raw, false) }

// Skim scans a message from an upstream: it applies Parse's rules to the envelope, and finds the same spans, but checks
// duplicate keys only in the envelope, params, result and params._meta, and within other values checks only that brackets
// match and strings end. Contents of strings (UTF-8, escapes, control characters) are not looked at, apart from the id,
// the method and keys of the checked levels.
func Skim(raw []byte) (Message, error) { return scanMessage(raw, true) }

// envelope turns the spans found by the scanner into a Message, or says why they do not form one.
func (s *scanner) envelope() (Message, *SyntaxError) {
	m := Message{Raw: s.b}
	id := s.spans[fieldID]
	if id.Present() {
		if reason := checkID(id.Of(s.b)); reason != "" {
			return m, &SyntaxError{codeInvalid, reason, id.Start}
		}
		m.ID = id
	}
	kind, reason, at := s.classify()
	if reason != "" {
		return m, &SyntaxError{codeInvalid, reason, at.Start}
	}
	m.Kind = kind
	m.Method = s.spans[fieldMethod]
	m.Params = s.spans[fieldParams]
	m.Result = s.spans[fieldResult]
	m.Error = s.spans[fieldError]
	m.Name = s.spans[fieldName]
	m.URI = s.spans[fieldURI]
	m.Cursor = s.spans[fieldCursor]
	m.Meta = s.spans[fieldMeta]
	m.RequestID = s.spans[fieldRequestID]
	m.TaskID = s.spans[fieldTaskID]
	m.ResultType = s.spans[fieldResultType]
	m.ProgressToken = s.spans[fieldMetaToken]
	if s.spans[fieldParamsToken].Present() && equalString(m.Method.Of(s.b), "notifications/progress") {
		m.ProgressToken = s.spans[fieldParamsToken]
	}
	return m, nil
}

// classify applies JSON-RPC 2.0 §4 and §5 to the envelope. The id has been checked before.
func (s *scanner) classify() (kind Kind, reason string, at Span) {
	id, method, params := s.spans[fieldID], s.spans[fieldMethod], s.spans[fieldParams]
	result, failure := s.spans[fieldResult], s.spans[fieldError]
	if version := s.spans[fieldVersion]; !equalString(version.Of(s.b), "2.0") {
		return Invalid, `jsonrpc must be "2.0"`, version
	}
	null := id.Present() && s.b[id.Start] == 'n'
	switch {
	case method.Present():
		switch {
		case result.Present() || failure.Present():
			return Invalid, "a message cannot be both a request and a response", method
		case !validString(method.Of(s.b)):
			return Invalid, "method must be a string", method
		case params.Present() && s.b[params.Start] != '{' && s.b[params.Start] != '[':
			return Invalid, "params must be an object or an array", params
		case null:
			return Invalid, "the id of a request must not be null", id
		case id.Present():
			return Request, "", Span{}
		}
		return Notification, "", Span{}
	case result.Present() && failure.Present():
		return Invalid, "a response cannot have both result and error", failure
	case result.Present():
		if !id.Present() || null {
			return Invalid, "a result must have an id", id
		}
		return Response, "", Span{}
	case failure.Present():
		return Response, "", Span{}
	}
	return Invalid, "neither a method nor a result nor an error", Span{}
}

// checkID says why raw, a value that is complete, is no JSON-RPC id. Skim has not looked inside strings yet.
func checkID(raw []byte) string {
	switch raw[0] {
	case '"':
		if !validString(raw) {
			return "id is not a valid string"
		}
	case '{', '[', 't', 'f':
		return "id must be a string or a number"
	}
	return ""
}
