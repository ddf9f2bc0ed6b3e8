package testkit

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// SSE serves the HTTP+SSE transport (2024-11-05): GET opens the stream, POST with ?session= takes messages, both on
// whatever path the handler is mounted.
func (s *Server) SSE() http.Handler {
	var mu sync.Mutex
	streams := map[string]*sseStream{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			st := &sseStream{w: w, rc: http.NewResponseController(w)}
			st.peer = s.newPeer(func(raw []byte) error { return st.event("message", raw) })
			id := rand.Text()
			mu.Lock()
			streams[id] = st
			mu.Unlock()
			defer func() {
				mu.Lock()
				delete(streams, id)
				mu.Unlock()
				st.shut()
				st.peer.close()
			}()
			w.Header().Set("Content-Type", "text/event-stream")
			_ = st.event("endpoint", fmt.Appendf(nil, "%s?session=%s", r.URL.Path, id))
			<-r.Context().Done()
		case http.MethodPost:
			mu.Lock()
			st := streams[r.URL.Query().Get("session")]
			mu.Unlock()
			if st == nil {
				http.Error(w, "no such session", http.StatusNotFound)
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			m, err := Parse(body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusAccepted)
			st.peer.take(m, st.peer.loose, st.peer.loose)
		default:
			http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		}
	})
}

// sseStream writes events to one response as long as its handler runs.
type sseStream struct {
	peer *Peer

	mu   sync.Mutex
	w    http.ResponseWriter
	rc   *http.ResponseController
	over bool
}

func (st *sseStream) event(name string, data []byte) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over {
		return errClosed
	}
	if _, err := st.w.Write(appendEvent(nil, name, "", data)); err != nil {
		return err
	}
	return st.rc.Flush()
}

// shut makes further events fail: a ResponseWriter must not be used after its handler returned.
func (st *sseStream) shut() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.over = true
}
