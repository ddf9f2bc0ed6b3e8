package wire

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLarge means that a line or event exceeds the limit its reader was given. The reader is useless afterwards: where
// the next message begins is not known without reading on without bound.
var ErrTooLarge = errors.New("message exceeds the size limit")

// LineReader splits a stream into lines, one message each (MCP stdio transport). It serves one goroutine.
type LineReader struct {
	in    window
	limit int
	err   error
}

// NewLineReader reads lines of at most limit bytes, not counting the line end, from r.
func NewLineReader(r io.Reader, limit int) *LineReader {
	return &LineReader{in: window{r: r}, limit: limit}
}

// Next returns the next line without its newline (LF or CR LF). Lines of nothing but white space are skipped. The slice
// is valid until the next call. What stands after the last newline counts as a line at the end of the stream. Errors are
// final: io.EOF, ErrTooLarge, or the stream's own.
func (l *LineReader) Next() ([]byte, error) {
	scanned := 0
	for l.err == nil {
		rest := l.in.buf[l.in.lo:l.in.hi]
		n := bytes.IndexByte(rest[scanned:], '\n')
		if n >= 0 {
			line := bytes.TrimSuffix(rest[:scanned+n], []byte{'\r'})
			l.in.lo += scanned + n + 1
			scanned = 0
			if len(line) > l.limit {
				l.err = ErrTooLarge
			} else if skipSpace(line, 0) < len(line) {
				return line, nil
			}
			continue
		}
		if len(rest) > l.limit+1 { // one more for a CR
			l.err = ErrTooLarge
			break
		}
		scanned = len(rest)
		if err := l.in.fill(); err != nil {
			return l.last(err)
		}
	}
	l.in.close()
	return nil, l.err
}

// last ends the stream, with what is left as the last line if the stream ended in order.
func (l *LineReader) last(err error) ([]byte, error) {
	l.err = err
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	line := bytes.TrimSuffix(l.in.buf[l.in.lo:l.in.hi], []byte{'\r'})
	l.in.lo = l.in.hi
	switch {
	case len(line) > l.limit:
		l.err = ErrTooLarge
	case skipSpace(line, 0) < len(line):
		return line, nil
	}
	return nil, l.err
}

// AppendLine appends a message as one line. A newline in JSON can only be white space, so it becomes a space.
func AppendLine(dst, raw []byte) []byte {
	from := len(dst)
	dst = append(dst, raw...)
	flatten(dst[from:])
	return append(dst, '\n')
}

// flatten overwrites CR and LF by spaces.
func flatten(b []byte) {
	for _, newline := range [...]byte{'\n', '\r'} {
		for rest := b; ; {
			n := bytes.IndexByte(rest, newline)
			if n < 0 {
				break
			}
			rest[n] = ' '
			rest = rest[n+1:]
		}
	}
}
