package upstream

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"
)

// Bounds of what a server's stderr may write into the log (security-reliability S36, the same as 1MCP's).
const (
	stderrLine     = 8 << 10          // bytes of one line; the rest is cut
	stderrDistinct = 20               // different lines per window
	stderrWindow   = 10 * time.Second // after which the count starts again and what was left out is summed up
	stderrKept     = 6                // last lines kept for the text of an error
)

// stderrLog carries a child's stderr into the log. It always reads on, so a child that floods is never blocked, and what it
// logs is bounded. run is its one goroutine.
type stderrLog struct {
	src    *os.File
	log    zerolog.Logger
	redact func(string) string
	copy   io.Writer // takes every line as it came, if not nil

	mu       sync.Mutex
	seen     map[string]struct{} // lines of this window
	began    time.Time
	repeated int
	leftOut  int
	summing  *time.Timer // sums up at the end of the window; nil if nothing was left out
	last     []string
}

func newStderrLog(src *os.File, log zerolog.Logger, redact func(string) string) *stderrLog {
	return &stderrLog{src: src, log: log, redact: redact, seen: make(map[string]struct{}), began: time.Now()}
}

// run reads until the pipe ends and closes it.
func (s *stderrLog) run() {
	defer s.src.Close()
	r := bufio.NewReaderSize(s.src, stderrLine)
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			s.pass(line)
			s.take(line)
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			line, err = r.ReadSlice('\n')
			s.pass(line)
		}
		if err != nil {
			s.mu.Lock()
			s.sum()
			s.mu.Unlock()
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed) {
				s.log.Debug().Err(err).Msg("stderr of the server ended")
			}
			return
		}
	}
}

func (s *stderrLog) pass(line []byte) {
	if s.copy != nil {
		_, _ = s.copy.Write(line)
	}
}

// take logs a line, or counts it.
func (s *stderrLog) take(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.began) >= stderrWindow {
		s.sum()
	}
	if _, again := s.seen[string(line)]; again {
		s.repeated++
		s.sumLater()
		return
	}
	if len(s.seen) >= stderrDistinct {
		s.leftOut++
		s.sumLater()
		return
	}
	s.seen[string(line)] = struct{}{}
	text := strings.TrimSpace(s.redact(printable(line)))
	if text == "" {
		return
	}
	s.keep(text)
	s.log.Debug().Str("stderr", text).Msg("server wrote to stderr")
}

// sumLater has the window summed up at its end also if no more lines come. The caller holds mu.
func (s *stderrLog) sumLater() {
	if s.summing == nil {
		s.summing = time.AfterFunc(time.Until(s.began.Add(stderrWindow)), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sum()
		})
	}
}

// sum says what was not logged in this window and starts another. The caller holds mu.
func (s *stderrLog) sum() {
	if s.summing != nil {
		s.summing.Stop()
		s.summing = nil
	}
	if s.repeated+s.leftOut > 0 {
		s.log.Debug().Int("repeated", s.repeated).Int("left_out", s.leftOut).Msg("more lines of the server's stderr")
	}
	s.began, s.repeated, s.leftOut = time.Now(), 0, 0
	clear(s.seen)
}

// keep remembers a line for tail. The caller holds mu.
func (s *stderrLog) keep(text string) {
	if len(s.last) == stderrKept {
		s.last = append(s.last[:0], s.last[1:]...)
	}
	s.last = append(s.last, clip(text, maxServerText))
}

// tail gives the last lines, for the text of an error.
func (s *stderrLog) tail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.last, " | ")
}

// printable makes a server's text safe for a terminal and a log: escape sequences, control characters and bidirectional
// overrides go, tabs become spaces, invalid UTF-8 becomes U+FFFD.
func printable(line []byte) string {
	var b strings.Builder
	b.Grow(len(line))
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			i += escapeLength(line[i:])
			continue
		}
		r, n := utf8.DecodeRune(line[i:])
		i += n
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r < 0x20, r >= 0x7f && r < 0xa0: // C0, DEL, C1
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // bidirectional overrides
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escapeLength gives the length of the escape sequence at the start of b (ECMA-48: CSI, and the strings OSC, DCS, SOS, PM, APC).
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return len(b)
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
		}
		return len(b)
	case ']', 'P', 'X', '^', '_':
		for i := 2; i < len(b); i++ {
			if b[i] == 0x07 {
				return i + 1
			}
			if b[i] == 0x1b && i+1 < len(b) && b[i+1] == '\\' {
				return i + 2
			}
		}
		return len(b)
	}
	return 2
}
