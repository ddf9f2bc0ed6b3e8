package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// body is what a POST sends. open may be called again when nothing was written (http.Request.GetBody).
type body interface {
	size() int64
	open() (io.ReadCloser, error)
	// release ends the sender's use after a response, abort after a failure; abort tells whether any byte may have gone out.
	release()
	abort() (sent bool)
}

// maxPlain is up to where a body is copied to memory of its own (bytes).
const maxPlain = 16 << 10

// newBody takes the buffer over. net/http writes a body that it knows to be in memory together with the headers, in one
// system call and one packet; it knows only the readers of package bytes, which cannot tell when it is done with them. So a
// small body is copied and left to the garbage collector, and a large one stays in its pooled buffer.
func newBody(buf *wire.Buffer) body {
	if len(buf.B) > maxPlain {
		return newPost(buf)
	}
	b := plain(bytes.Clone(buf.B))
	buf.Free()
	return b
}

// plain is a body in memory of its own.
type plain []byte

func (b plain) size() int64                  { return int64(len(b)) }
func (b plain) open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
func (plain) release()                       {}
func (plain) abort() bool                    { return true } // unless the error says that there was no connection

// post is the body of one POST in a pooled buffer. net/http may read it after it has returned the response, and read it
// again when nothing of it was written; the buffer goes back to its pool when the sender and all readers are done.
type post struct {
	mu    sync.Mutex
	buf   *wire.Buffer // nil once given back
	refs  int
	read  bool // bytes were taken by the reader opened last
	dead  bool
	first postReader
}

// postReader is one pass over the body. It has no WriteTo: a read copies under the lock, so that nobody can still be reading
// when the buffer is given back.
type postReader struct {
	p      *post
	off    int
	closed bool
}

var errPostOver = errors.New("request is over")

// newPost takes the buffer over.
func newPost(buf *wire.Buffer) *post { return &post{buf: buf, refs: 1} }

func (p *post) size() int64 { return int64(len(p.buf.B)) }

// open implements body.
func (p *post) open() (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.buf == nil || p.dead {
		return nil, errPostOver
	}
	p.refs++
	p.read = false
	r := &p.first
	if r.p != nil {
		r = new(postReader)
	}
	r.p = p
	return r, nil
}

// release implements body. Readers may go on: cutting them off would cut the answer off too.
func (p *post) release() {
	p.mu.Lock()
	p.drop()
	p.mu.Unlock()
}

// abort implements body; no byte goes out afterwards.
func (p *post) abort() (sent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	p.drop()
	return p.read
}

func (p *post) drop() {
	if p.refs--; p.refs == 0 {
		p.buf.Free()
		p.buf = nil
	}
}

func (r *postReader) Read(b []byte) (int, error) {
	p := r.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.closed || p.dead {
		return 0, errPostOver
	}
	p.read = true
	n := copy(b, p.buf.B[r.off:])
	r.off += n
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *postReader) Close() error {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.p.drop()
	}
	return nil
}

// maxHeld is how much of a JSON answer is held (bytes); what is larger is copied through. Held answers are written with their
// length and need no second scan, which at 64 KiB halves what they cost.
const maxHeld = 256 << 10

// readHeld reads a body into buf until its end or until maxHeld bytes are there; whole tells which. size is the
// Content-Length or negative.
func readHeld(buf *wire.Buffer, body io.Reader, size int64) (whole bool, err error) {
	b := buf.B[:0]
	defer func() { buf.B = b }()
	if size > 0 {
		if want := int(min(size, maxHeld)) + 1; cap(b) < want { // one more: the read that finds the end needs room
			b = make([]byte, 0, want+512)
		}
	}
	for len(b) < maxHeld {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := body.Read(b[len(b):min(cap(b), maxHeld+1)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// answerStream is a JSON answer that is copied through: what was read already, then the rest of the body.
type answerStream struct {
	head *wire.Buffer
	off  int
	body io.ReadCloser
	left int64 // bytes that may still come

	flight *httpFlight
}

// Read implements io.Reader. An answer larger than the limit ends in protocol.ErrTooLarge, one that is cut off in
// protocol.ErrLost.
func (a *answerStream) Read(b []byte) (int, error) {
	if a.head != nil {
		if n := copy(b, a.head.B[a.off:]); n > 0 || len(b) == 0 {
			a.off += n
			return n, nil
		}
		a.head.Free()
		a.head = nil
	}
	if a.body == nil {
		return 0, io.ErrClosedPipe
	}
	n, err := a.body.Read(b)
	if a.left -= int64(n); a.left < 0 {
		return 0, fmt.Errorf("%w: longer than the limit for one answer", protocol.ErrTooLarge)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if a.flight.ctx.Err() != nil {
			return n, context.Cause(a.flight.ctx)
		}
		return n, fmt.Errorf("%w: in the middle of its answer: %w", protocol.ErrLost, err)
	}
	return n, err
}

// Close implements io.Closer; it may be called more than once, by the goroutine that reads.
func (a *answerStream) Close() error {
	if a.head != nil {
		a.head.Free()
		a.head = nil
	}
	if a.body != nil {
		_ = a.body.Close()
		a.body = nil
		a.flight.free()
	}
	return nil
}
