package testkit

import (
	"crypto/rand"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Streamable serves the streamable HTTP transport with sessions: POST, GET and DELETE on whatever path it is mounted. It
// answers as JSON when nothing precedes the answer and as a stream otherwise.
func (s *Server) Streamable() http.Handler {
	h := &streamableHandler{server: s, sessions: map[string]*session{}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			h.post(w, r)
		case http.MethodGet:
			h.get(w, r)
		case http.MethodDelete:
			h.delete(w, r)
		default:
			http.Error(w, "GET, POST or DELETE", http.StatusMethodNotAllowed)
		}
	})
}

type streamableHandler struct {
	server   *Server
	mu       sync.Mutex
	sessions map[string]*session
}

// session is one client's; its standing stream comes and goes.
type session struct {
	*Peer
	mu       sync.Mutex
	standing *sseStream
	// held are messages that came while there was no standing stream.
	held [][]byte
}

func (ss *session) sendLoose(raw []byte) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.standing == nil {
		ss.held = append(ss.held, raw)
		return nil
	}
	return ss.standing.event("message", raw)
}

func (h *streamableHandler) find(w http.ResponseWriter, r *http.Request) *session {
	h.mu.Lock()
	ss := h.sessions[r.Header.Get("Mcp-Session-Id")]
	h.mu.Unlock()
	if ss == nil {
		http.Error(w, "no such session", http.StatusNotFound)
	}
	return ss
}

func (h *streamableHandler) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	m, err := Parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var ss *session
	if m.Method == "initialize" {
		ss = &session{}
		ss.Peer = h.server.newPeer(ss.sendLoose)
		id := rand.Text()
		h.mu.Lock()
		h.sessions[id] = ss
		h.mu.Unlock()
		w.Header().Set("Mcp-Session-Id", id)
	} else if ss = h.find(w, r); ss == nil {
		return
	}
	if !m.IsRequest() {
		w.WriteHeader(http.StatusAccepted)
		ss.take(m, nil, nil)
		return
	}
	out := &postAnswer{sseStream: sseStream{w: w, rc: http.NewResponseController(w)}, stream: h.server.AlwaysStream && m.Method != "initialize"}
	defer out.shut()
	<-ss.take(m, out.respond, out.related)
	out.finish()
}

func (h *streamableHandler) get(w http.ResponseWriter, r *http.Request) {
	ss := h.find(w, r)
	if ss == nil {
		return
	}
	st := &sseStream{w: w, rc: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = st.rc.Flush()
	ss.mu.Lock()
	ss.standing = st
	for _, raw := range ss.held {
		_ = st.event("message", raw)
	}
	ss.held = nil
	ss.mu.Unlock()
	select {
	case <-r.Context().Done():
	case <-ss.ended.Done():
	}
	ss.mu.Lock()
	if ss.standing == st {
		ss.standing = nil
	}
	ss.mu.Unlock()
	st.shut()
}

func (h *streamableHandler) delete(w http.ResponseWriter, r *http.Request) {
	ss := h.find(w, r)
	if ss == nil {
		return
	}
	h.mu.Lock()
	delete(h.sessions, r.Header.Get("Mcp-Session-Id"))
	h.mu.Unlock()
	ss.end()
	w.WriteHeader(http.StatusOK)
}

// postAnswer is the answer to one POST: JSON until something precedes the response.
type postAnswer struct {
	sseStream
	stream  bool
	started bool
}

// begin turns the answer into a stream. The caller holds the lock.
func (a *postAnswer) begin() {
	if !a.started {
		a.started = true
		a.w.Header().Set("Content-Type", "text/event-stream")
		a.w.WriteHeader(http.StatusOK)
	}
}

func (a *postAnswer) related(raw []byte) error {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return errClosed
	}
	a.stream = true
	a.begin()
	a.mu.Unlock()
	return a.event("message", raw)
}

func (a *postAnswer) respond(raw []byte) error {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return errClosed
	}
	if a.stream {
		a.begin()
		a.mu.Unlock()
		return a.event("message", raw)
	}
	defer a.mu.Unlock()
	a.started = true
	a.w.Header().Set("Content-Type", "application/json")
	a.w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, err := a.w.Write(raw)
	return err
}

// finish ends an answer in which nothing was ever said (the call was cancelled) as an empty stream.
func (a *postAnswer) finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin()
}
