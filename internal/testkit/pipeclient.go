package testkit

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// Stdio is a client that speaks one message per line.
type Stdio struct {
	*mux
	w    io.WriteCloser
	mu   sync.Mutex
	read chan struct{}
}

// NewStdio talks to a server whose input is w and whose output is r. Closing the client closes w.
func NewStdio(r io.Reader, w io.WriteCloser, handle Handler) *Stdio {
	s := &Stdio{w: w, read: make(chan struct{})}
	s.mux = newMux(handle, s.Send)
	go func() {
		defer close(s.read)
		br := bufio.NewReaderSize(r, 1<<20)
		for {
			line, err := br.ReadBytes('\n')
			if err != nil {
				s.end(fmt.Errorf("read: %w", err))
				return
			}
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
				s.take(line)
			}
		}
	}()
	return s
}

// Do implements [Conn].
func (s *Stdio) Do(ctx context.Context, raw []byte) (Message, error) { return s.do(ctx, raw) }

// Send implements [Conn]. Line ends inside the message, which are white space, become blanks.
func (s *Stdio) Send(_ context.Context, raw []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.w.Write(append(OneLine(raw), '\n'))
	return err
}

// Close closes the server's input.
func (s *Stdio) Close() {
	_ = s.w.Close()
	s.end(errClosed)
}

// OneLine gives the message with its line ends, which are white space, as blanks: what a line-based transport makes of it.
func OneLine(raw []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, raw)
}
