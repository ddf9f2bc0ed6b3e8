package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// lean sends small POSTs over plain HTTP/1.1 in the caller's own goroutine: one write, then the answer is read where it is
// needed. net/http's Transport passes every request through two more goroutines, which costs a call about as much as all the
// rest of the gateway (docs/adr/0007). Parsing is net/http's. Everything else (TLS, HTTP/2, proxies, GET streams, large bodies)
// goes through Transport.
type lean struct {
	address string
	dialer  *net.Dialer

	head atomic.Pointer[leanHead]

	mu     sync.Mutex
	idle   []*leanConn // the one used last is used next
	reaper *time.Timer
}

// leanHead is the head of the requests of one template, without the length.
type leanHead struct {
	of   *http.Request
	text []byte
}

// leanConn is one connection, used by one call at a time.
type leanConn struct {
	net.Conn
	in      bufio.Reader
	headers io.LimitedReader // bounds what is read of a header
	since   time.Time        // idle since
}

const (
	leanIdle    = 90 * time.Second // as Transport's
	leanMaxIdle = 256
	// maxResponseHead bounds the header of an answer (bytes).
	maxResponseHead = 256 << 10
	// maxInterim bounds the 1xx responses before an answer.
	maxInterim = 5
)

func newLean(address string, dialer *net.Dialer) *lean {
	return &lean{address: address, dialer: dialer}
}

// do sends one request made from a template and reads the head of its answer. Errors are those of net (dial errors are
// *net.OpError); sent tells whether any byte may have gone out.
func (l *lean) do(ctx context.Context, tmpl *http.Request, body []byte) (resp *http.Response, sent bool, err error) {
	for {
		c, fresh, err := l.conn(ctx)
		if err != nil {
			return nil, false, err
		}
		resp, sent, err := l.try(ctx, c, tmpl, body)
		if err == nil {
			return resp, true, nil
		}
		_ = c.Close()
		if cause := context.Cause(ctx); cause != nil {
			return nil, sent, cause
		}
		if fresh || sent { // on a used connection that broke before anything went out, another one is tried
			return nil, sent, err
		}
	}
}

// try uses one connection.
func (l *lean) try(ctx context.Context, c *leanConn, tmpl *http.Request, body []byte) (_ *http.Response, sent bool, err error) {
	stop := context.AfterFunc(ctx, c.interrupt)
	defer func() {
		if err != nil {
			stop()
		}
	}()
	msg := make([]byte, 0, 1024+len(body))
	msg = append(msg, l.headOf(tmpl)...)
	msg = strconv.AppendInt(msg, int64(len(body)), 10)
	msg = append(msg, "\r\n\r\n"...)
	msg = append(msg, body...)
	if n, err := c.Write(msg); err != nil {
		return nil, n > 0, err
	}
	for range maxInterim {
		c.headers.N = maxResponseHead
		resp, err := http.ReadResponse(&c.in, tmpl)
		if err != nil {
			if c.headers.N <= 0 {
				err = fmt.Errorf("header of the answer is larger than %d bytes", maxResponseHead)
			}
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, true, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			c.headers.N = 1 << 62 // the body has its own bounds
			resp.Body = &leanBody{ReadCloser: resp.Body, pool: l, conn: c, stop: stop, last: resp.Close}
			return resp, true, nil
		}
	}
	return nil, true, errors.New("too many interim responses")
}

// interrupt makes a blocked read or write return.
func (c *leanConn) interrupt() { _ = c.SetDeadline(time.Unix(1, 0)) }

// headOf gives the head of a template's requests. One is remembered: nearly all requests are of one template.
func (l *lean) headOf(tmpl *http.Request) []byte {
	if h := l.head.Load(); h != nil && h.of == tmpl {
		return h.text
	}
	host := tmpl.Host
	if host == "" {
		host = tmpl.URL.Host
	}
	var b headWriter
	b.line(tmpl.Method + " " + tmpl.URL.RequestURI() + " HTTP/1.1")
	b.line("Host: " + host)
	for name, values := range tmpl.Header {
		for _, v := range values {
			b.line(name + ": " + v)
		}
	}
	b = append(b, "Content-Length: "...)
	l.head.Store(&leanHead{tmpl, b})
	return b
}

type headWriter []byte

func (b *headWriter) line(s string) { *b = append(append(*b, s...), "\r\n"...) }

// conn gives a connection: one that was used before and is alive, or a fresh one.
func (l *lean) conn(ctx context.Context) (c *leanConn, fresh bool, err error) {
	for {
		c := l.pop()
		if c == nil {
			break
		}
		if time.Since(c.since) < leanIdle && quiet(c.Conn) {
			return c, false, nil
		}
		_ = c.Close()
	}
	raw, err := l.dialer.DialContext(ctx, "tcp", l.address)
	if err != nil {
		return nil, true, err
	}
	c = &leanConn{Conn: raw}
	c.headers.R = raw
	c.in.Reset(&c.headers)
	return c, true, nil
}

func (l *lean) pop() *leanConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) == 0 {
		return nil
	}
	c := l.idle[len(l.idle)-1]
	l.idle[len(l.idle)-1] = nil
	l.idle = l.idle[:len(l.idle)-1]
	return c
}

// push keeps a connection for the next call.
func (l *lean) push(c *leanConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) >= leanMaxIdle {
		_ = c.Close()
		return
	}
	c.since = time.Now()
	l.idle = append(l.idle, c)
	if l.reaper == nil {
		l.reaper = time.AfterFunc(leanIdle, l.reap)
	}
}

// reap closes what was idle for too long, and comes again while anything is idle.
func (l *lean) reap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.idle[:0]
	for _, c := range l.idle {
		if time.Since(c.since) < leanIdle {
			kept = append(kept, c)
		} else {
			_ = c.Close()
		}
	}
	clear(l.idle[len(kept):])
	l.idle = kept
	if l.reaper = nil; len(kept) > 0 {
		l.reaper = time.AfterFunc(leanIdle, l.reap)
	}
}

// closeIdle closes what is idle now.
func (l *lean) closeIdle() {
	for c := l.pop(); c != nil; c = l.pop() {
		_ = c.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reaper != nil && l.reaper.Stop() {
		l.reaper = nil
	}
}

// leanBody is the body of an answer. Read to its end it gives its connection back; closed before, it ends it.
type leanBody struct {
	io.ReadCloser
	pool *lean
	conn *leanConn
	stop func() bool
	last bool // the server closes the connection after this answer
	done bool
}

func (b *leanBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	b.done = true
	// Bytes behind the answer belong to nobody, and a context that has ended has set a deadline.
	if errors.Is(err, io.EOF) && b.stop() && !b.last && b.conn.in.Buffered() == 0 {
		b.pool.push(b.conn)
	} else {
		b.stop()
		_ = b.conn.Close()
	}
	return n, err
}

// Close may be called beside a Read that blocks, which then fails.
func (b *leanBody) Close() error {
	if !b.done {
		b.stop()
		_ = b.conn.Close()
	}
	return nil
}
