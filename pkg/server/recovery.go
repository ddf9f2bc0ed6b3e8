package server

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// recovery turns a panic into 500 and ends the chain: a guard that panics must not let its request through. An answer that
// has begun cannot become an error, so its connection is cut instead of looking complete. http.ErrAbortHandler is passed on.
func (s *Server) recovery(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		c.Abort()
		if err, is := p.(error); is && errors.Is(err, http.ErrAbortHandler) {
			panic(http.ErrAbortHandler)
		}
		s.log.Error().
			Str("request_id", RequestID(c.Request)).
			Str("route", c.FullPath()).
			Str("panic", s.panicText(p)).
			Str("stack", stack()).
			Msg("handler panicked")
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		refuse(c, http.StatusInternalServerError, "internal", "Something went wrong inside the gateway. The X-Request-Id header names the entry in its log.")
	}()
	c.Next()
}

// panicText is what a panic says: it may quote anything, so without a cleaner only its type is told.
func (s *Server) panicText(p any) string {
	text := fmt.Sprintf("%T", p)
	if s.cfg.Redact != nil {
		text += ": " + s.cfg.Redact(fmt.Sprint(p))
	}
	return text
}

// stack lists the functions that led to a panic with file and line, without arguments and folders.
func stack() string {
	var pcs [48]uintptr
	n := runtime.Callers(4, pcs[:])
	frames := runtime.CallersFrames(pcs[:n])
	var b strings.Builder
	for {
		f, more := frames.Next()
		if b.Len() > 0 {
			b.WriteString(" < ")
		}
		b.WriteString(filepath.Base(f.Function) + " " + filepath.Base(f.File) + ":" + strconv.Itoa(f.Line))
		if !more {
			return b.String()
		}
	}
}
