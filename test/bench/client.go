package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// client is one keep-alive connection that sends prepared requests and reads answers with as little work as can be, so
// that what is measured is the other side.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	addr string
	path string
	// header are further header lines, each with its line end.
	header string

	request []byte // the whole request for body
	body    string
	size    int // of the answer to body; 0 until it is known
	calls   int
	cut     int // answers that ended too soon
}

func dial(addr, path string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), addr: addr, path: path}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// initialize shakes hands; a session that the server gives is used from then on.
func (c *client) initialize() error {
	a, err := c.exchange("POST", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
		`"capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`)
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if !bytes.Contains(a.body, []byte(`"protocolVersion"`)) {
		return fmt.Errorf("initialize: %.300s", a.body)
	}
	c.header = "MCP-Protocol-Version: 2025-11-25\r\n"
	if a.session != "" {
		c.header += "Mcp-Session-Id: " + a.session + "\r\n"
	}
	return nil
}

// maxCut bounds how many answers may be cut: one in a hundred, and a few.
func (c *client) maxCut() int { return c.calls/100 + 5 }

// try makes a call. When the connection ends in the middle of it, it counts that and connects anew.
func (c *client) try(body string, strict bool) (whole bool, err error) {
	c.calls++
	err = c.call(body, strict)
	if err == nil {
		return true, nil
	}
	var broken *net.OpError
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &broken) {
		return false, err
	}
	if c.cut++; c.cut > c.maxCut() {
		return false, fmt.Errorf("%d of %d answers were cut: %w", c.cut, c.calls, err)
	}
	c.close()
	conn, err := net.Dial("tcp", c.addr)
	if err == nil {
		c.conn = conn
		c.r.Reset(conn)
	}
	return false, err
}

// call sends the request again and again the same. The first answer is looked at; the others must be of its size.
func (c *client) call(body string, strict bool) error {
	if c.body != body {
		c.body, c.size, c.request = body, 0, c.format("POST", body)
	}
	if c.size == 0 {
		a, err := c.exchange("POST", body)
		if err != nil {
			return err
		}
		var m struct{ ID, Result json.RawMessage }
		if err := json.Unmarshal(a.body, &m); err != nil || m.Result == nil || strict && string(m.ID) != string(after([]byte(body), `"id":`)) {
			return fmt.Errorf("not the answer to %s: %.300s (%w)", body, a.body, err)
		}
		c.size = len(a.body)
		return nil
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	size, _, err := c.read(io.Discard)
	if err == nil && size != c.size {
		err = fmt.Errorf("an answer of %d bytes, the first had %d", size, c.size)
	}
	return err
}

func (c *client) format(method, body string) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json, text/event-stream\r\n%s", method, c.path, c.addr, c.header)
	if body != "" {
		b = fmt.Appendf(b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return append(append(b, "\r\n"...), body...)
}

// answer is one whole HTTP answer.
type answer struct {
	session string
	body    []byte
}

func (c *client) exchange(method, body string) (answer, error) {
	if _, err := c.conn.Write(c.format(method, body)); err != nil {
		return answer{}, err
	}
	var b bytes.Buffer
	_, session, err := c.read(&b)
	return answer{session, b.Bytes()}, err
}

// read reads one answer, which must be a 2xx, and gives the size of its body.
func (c *client) read(body io.Writer) (size int, session string, err error) {
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, "", err
	}
	if len(status) < 12 || status[9] != '2' {
		problem := string(bytes.TrimSpace(status))
		rest, _ := c.r.Peek(min(c.r.Buffered(), 2<<10))
		return 0, "", fmt.Errorf("%s: %s", problem, rest)
	}
	length := 0
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, "", err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		case bytes.EqualFold(name, []byte("Mcp-Session-Id")):
			session = string(value)
		}
	}
	if length < 0 {
		size, err = c.chunks(body)
		return size, session, err
	}
	return length, session, c.copy(body, length)
}

func (c *client) copy(to io.Writer, n int) error {
	if to == io.Discard {
		_, err := c.r.Discard(n)
		return err
	}
	_, err := io.CopyN(to, c.r, int64(n))
	return err
}

// chunks reads a chunked body.
func (c *client) chunks(body io.Writer) (size int, err error) {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return size, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 63)
		if err != nil {
			return size, errors.New("bad chunk: " + err.Error())
		}
		if err := c.copy(body, int(n)); err != nil {
			return size, err
		}
		size += int(n)
		if _, err := c.r.Discard(2); err != nil || n == 0 {
			return size, err
		}
	}
}
