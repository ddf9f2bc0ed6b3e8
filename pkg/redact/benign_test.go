package redact

// benign are lines of real programs that hold nothing to hide.
const benign = `
spawn npx ENOENT
spawn uvx EACCES
Error: Cannot find module 'express'
npm ERR! code E404
npm ERR! 404 Not Found - the requested resource could not be found
npm warn deprecated inflight@1.0.6: This module is not supported
sh: 1: mcp-server-git: not found
exit status 1
exit status 127
signal: killed
process exited with code 137
context deadline exceeded
context canceled
i/o timeout
unexpected EOF
connection reset by peer
broken pipe
connect ECONNREFUSED
read ECONNRESET
socket hang up
fetch failed
Request timed out after 30000ms
MCP error -32601: Method not found
MCP error -32602: Invalid params: tool not found
MCP error -32000: Connection closed
JSON-RPC error -32700: Parse error
Unexpected token < in JSON at position 0
Unexpected token 'o', "not json" is not valid JSON
Unexpected end of JSON input
SyntaxError: Unexpected token: operator (>)
invalid character '<' looking for beginning of value
json: cannot unmarshal string into Go struct field Tool.name of type int
server returned 401 Unauthorized
server returned 403 Forbidden: insufficient scope
server returned 404 Not Found
server returned 429 Too Many Requests
server returned 500 Internal Server Error
server returned 502 Bad Gateway
server returned 503 Service Unavailable
HTTP/1.1 400 Bad Request
unsupported content type "text/html"
expected application/json or text/event-stream, got text/plain
protocol version 2025-06-18 is not supported
unsupported protocol version: 2024-11-05
initialize: server does not support tools
tools/list: cursor is not valid
resources/read failed: resource not found
notifications/tools/list_changed received
token expired
Token has expired
invalid token
invalid_token: The access token expired
invalid_grant: refresh token is invalid
missing password
password is required
password must be at least 8 characters
wrong username or password
authentication failed
Authentication required
Authorization header is missing
authorization: required
bearer token is missing
Bearer authentication required
API key is missing
API key not valid. Please pass a valid API key.
invalid api key
secret is not set
session not found
session expired
session closed by client
no such session
cookie is required
certificate has expired
x509: certificate signed by unknown authority
self signed certificate in certificate chain
tls: handshake failure
tls: first record does not look like a TLS handshake
unable to verify the first certificate
no such host
name resolution failed
getaddrinfo failed
too many open files
no space left on device
permission denied
operation not permitted
no such file or directory
file already exists
is a directory
out of memory
JavaScript heap out of memory
Killed
Segmentation fault (core dumped)
panic: runtime error: index out of range [3] with length 3
panic: runtime error: invalid memory address or nil pointer dereference
goroutine 1 [running]:
fatal error: all goroutines are asleep - deadlock!
Traceback (most recent call last):
ModuleNotFoundError: No module named 'requests'
ImportError: cannot import name 'Server' from 'mcp'
TypeError: Cannot read properties of undefined (reading 'name')
TypeError: fetch failed
ReferenceError: process is not defined
RangeError: Maximum call stack size exceeded
ValueError: invalid literal for int() with base 10: 'abc'
KeyError: 'name'
AttributeError: 'NoneType' object has no attribute 'get'
asyncio.exceptions.CancelledError
asyncio.exceptions.TimeoutError
java.lang.NullPointerException
java.io.IOException: Stream closed
ENOENT: no such file or directory
EADDRINUSE: address already in use
listen EADDRINUSE: address already in use :::3050
listening on port 3050
Server running on stdio
Secure MCP Filesystem Server running on stdio
Usage: mcp-server-filesystem <allowed-directory>
Knowledge Graph MCP Server running on stdio
Starting default (STDIO) server...
tool "create_issue" is disabled
tool "echo" not found
unknown tool: read_file
server "github" is not connected
server "github" is starting
upstream "filesystem": initialize timed out after 10s
crash loop: 5 restarts in 2 minutes
next retry in 16s
backing off for 32s
circuit breaker is open
queue is full
answer is larger than 16777216 bytes
message is larger than 16 MiB
line is longer than the limit
duplicate key "name"
invalid UTF-8
nesting is deeper than 512
batch of 51 requests, at most 50 are allowed
schema validation failed: missing property 'path'
data must have required property 'query'
Invalid arguments for tool get_weather: expected string, received number
zod: Required at "inputSchema.type"
validation error for CallToolRequest
max_tokens must be at most 4096
max_tokens: 4096
total_tokens=512
prompt is too long: 210000 tokens > 200000 maximum
rate limit exceeded, retry after 20 seconds
quota exceeded for the month
model not found
unsupported media type
method not allowed
payload too large
precondition failed
gateway timeout
redirect loop
unsupported protocol scheme "ftp"
malformed HTTP response
malformed chunked encoding
http: server closed idle connection
http: request body too large
http2: stream closed
stream error: stream ID 3; CANCEL
stderr: warning: something is deprecated
warning: LF will be replaced by CRLF
fatal: not a git repository
fatal: ambiguous argument 'HEAD': unknown revision
error: pathspec 'main' did not match any file(s) known to git
merge conflict in README.md
cannot find package.json
missing script: "start"
unknown option '--foo'
unknown command "serv" for "agent"
flag needs an argument: --config
required flag(s) "name" not set
Node.js v22.11.0
node: bad option: --experimental-foo
Python 3.12.4
go1.26.8 linux/amd64
npm version 10.9.0
uv 0.5.11
@modelcontextprotocol/server-everything
@modelcontextprotocol/sdk@1.25.2
Installed 23 packages in 1.2s
added 101 packages, and audited 102 packages in 3s
Downloading package (3/14)
database is locked
SQLITE_BUSY: database is locked
duplicate key value violates unique constraint
relation "users" does not exist
syntax error at or near "SELECT"
deadlock detected
connection pool exhausted
too many connections
transaction aborted
NOAUTH Authentication required.
WRONGTYPE Operation against a key holding the wrong kind of value
index out of bounds: the len is 3 but the index is 5
thread 'main' panicked at index out of bounds
called Option::unwrap() on a None value
std::bad_alloc
assertion failed: left == right
undefined symbol: PyInit_foo
libssl.so.3: cannot open shared object file
error TS2322: Type 'string' is not assignable to type 'number'
Compilation failed with 3 errors
Task timed out after 3.00 seconds
Read timed out. (read timeout=10)
Max retries exceeded
Connection aborted
Remote end closed connection without response
chunk exceeded the limit
Invalid Date
Invalid URL
Invalid header value
Invalid regular expression: missing /
expected 2 arguments, got 3
division by zero
at position 1234
line 12, column 34
code: 'ENOENT', syscall: 'open'
errno: -2
status: 404
statusCode: 502
exit code: 1
attempt 3 of 5
elapsed 12.5s
took 1234 ms
2025-06-18T12:00:00.000Z error: timeout
2025/06/18 12:00:00 starting
12:34:56 INFO ready
[error] server stopped
[12:34:56.789] WARN (42): slow response
level=error msg="tool failed"
DEBUG=false
workers=4 threads=8
the quick brown fox jumps over the lazy dog
`
