package streamable

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// readBody reads a request's JSON into a pooled buffer.
func (e *Edge) readBody(w http.ResponseWriter, r *http.Request) (*wire.Buffer, *failure) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, fail(http.StatusUnsupportedMediaType, protocol.CodeInvalidRequest, "Content-Type must be application/json")
	}
	if r.ContentLength > e.opts.MaxBody {
		return nil, e.tooLarge()
	}
	buf := wire.GetBuffer()
	if r.ContentLength > 0 {
		buf.B = slices.Grow(buf.B, int(r.ContentLength)+1) // one more, so that the end is seen without growing
	}
	body := http.MaxBytesReader(w, r.Body, e.opts.MaxBody)
	for {
		if len(buf.B) == cap(buf.B) {
			buf.B = slices.Grow(buf.B, cap(buf.B))
		}
		n, err := body.Read(buf.B[len(buf.B):cap(buf.B)])
		buf.B = buf.B[:len(buf.B)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			buf.Free()
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return nil, e.tooLarge()
			}
			return nil, fail(http.StatusBadRequest, protocol.CodeParse, "request body could not be read")
		}
	}
}

func (e *Edge) tooLarge() *failure {
	return fail(http.StatusRequestEntityTooLarge, protocol.CodeInvalidRequest,
		fmt.Sprintf("request body is larger than %d bytes (--max-body-size)", e.opts.MaxBody))
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// accepts reads which kinds of answer a client takes. Clients must name both (2025-11-25 transports, "Sending Messages");
// one that names a single kind gets that kind, and one that names nothing gets JSON.
func accepts(r *http.Request) (json, sse bool) {
	values := r.Header.Values("Accept")
	if len(values) == 0 {
		return true, false
	}
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			media, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "application/json", "application/*":
				json = true
			case "text/event-stream", "text/*":
				sse = true
			case "*/*":
				json, sse = true, true
			}
		}
	}
	return json, sse
}
