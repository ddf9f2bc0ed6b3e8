package server

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// encodingGuard refuses compressed bodies: what they unpack to has no bound, and no MCP client sends them.
func encodingGuard(c *gin.Context) {
	for _, e := range c.Request.Header["Content-Encoding"] {
		if e != "" && !strings.EqualFold(e, "identity") {
			refuse(c, http.StatusUnsupportedMediaType, "encoding_not_supported", "The body must not be compressed: send it without Content-Encoding.")
			return
		}
	}
}

// bodyDeadline gives the body a time in which it must have come whole. Header and idle times are the http.Server's; it has
// none for bodies that would not also end streams. How large a body may be is decided by whoever reads it.
func (s *Server) bodyDeadline(c *gin.Context) {
	r := c.Request
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return
	}
	ctl := http.NewResponseController(c.Writer)
	if ctl.SetReadDeadline(time.Now().Add(s.cfg.BodyTimeout)) != nil {
		return // not a connection of ours: a test's recorder
	}
	r.Body = &timedBody{ReadCloser: r.Body, ctl: ctl}
}

// timedBody lifts the deadline once the body has been read, since the connection is read on to see whether the client
// leaves. If it is not read to its end the deadline stays, for http.Server reads the rest.
type timedBody struct {
	io.ReadCloser
	ctl  *http.ResponseController
	done bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.done {
		b.done = true
		_ = b.ctl.SetReadDeadline(time.Time{})
	}
	return n, err
}
