package testkit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"
)

// Stdio serves one client, a message per line, until r ends.
func (s *Server) Stdio(r io.Reader, w io.Writer) error {
	var mu sync.Mutex
	send := func(raw []byte) error {
		mu.Lock()
		defer mu.Unlock()
		_, err := w.Write(append(OneLine(raw), '\n'))
		return err
	}
	p := s.newPeer(send)
	defer p.close()
	br := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			continue
		}
		m, err := Parse(line)
		if err != nil {
			return err
		}
		p.take(m, send, send)
	}
}
