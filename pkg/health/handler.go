package health

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Options describe the gateway to its reports.
type Options struct {
	// Level is how much reports show; the zero Level is Minimal.
	Level Level
	// Version is the gateway's own version.
	Version string
	// Start is when the gateway started; zero is now.
	Start time.Time
}

// Health serves the reports.
type Health struct {
	source  Source
	level   Level
	version string
	start   time.Time
}

// New makes the handlers over a source.
func New(source Source, o Options) *Health {
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	if o.Level == "" {
		o.Level = Minimal
	}
	return &Health{source: source, level: o.Level, version: o.Version, start: o.Start}
}

// Route is one address of the health service; all are for GET and HEAD.
type Route struct {
	Path string
	// Probe says that the route is for orchestrators and must not be limited in its rate.
	Probe   bool
	Handler http.Handler
}

// Routes lists the addresses, with the short names that orchestrators know.
func (h *Health) Routes() []Route {
	report, live, ready := http.HandlerFunc(h.Report), http.HandlerFunc(h.Live), http.HandlerFunc(h.Ready)
	return []Route{
		{"/health", false, report}, {"/healthz", false, report},
		{"/health/live", true, live}, {"/livez", true, live},
		{"/health/ready", true, ready}, {"/readyz", true, ready},
	}
}

// Report serves /health: 200 if healthy or degraded, 503 if unhealthy, 500 if the state cannot be told.
func (h *Health) Report(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	s, ok := h.snapshot()
	if !ok {
		answer(w, http.StatusInternalServerError, failure{Unhealthy, timestamp(now), "Health check failed", "The state of the gateway cannot be told."})
		return
	}
	rep := h.report(&s, now)
	header := w.Header()
	header.Set("X-Health-Status", string(rep.Status))
	header.Set("X-Service-Version", h.version)
	header.Set("X-Uptime-Seconds", strconv.FormatInt(rep.System.Uptime, 10))
	status := http.StatusOK
	if rep.Status == Unhealthy {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, rep)
}

// Live serves /health/live: 200 as long as the process answers at all.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct {
		Status    string `json:"status"`
		Timestamp string `json:"timestamp"`
	}{"alive", timestamp(time.Now())})
}

// Ready serves /health/ready: 200 if the configuration is loaded and the gateway is not draining, else 503.
func (h *Health) Ready(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	s, ok := h.snapshot()
	if !ok {
		answer(w, http.StatusServiceUnavailable, failure{"not_ready", timestamp(now), "Health check failed", "The state of the gateway cannot be told."})
		return
	}
	text, status := "ready", http.StatusOK
	if !s.Ready() {
		text, status = "not_ready", http.StatusServiceUnavailable
	}
	answer(w, status, struct {
		Status        string        `json:"status"`
		Timestamp     string        `json:"timestamp"`
		Configuration Configuration `json:"configuration"`
	}{text, timestamp(now), h.level.configuration(s.Configuration)})
}

// failure is the body when there is nothing to report.
type failure struct {
	Status    Overall `json:"status"`
	Timestamp string  `json:"timestamp"`
	Error     string  `json:"error"`
	Message   string  `json:"message"`
}

// snapshot asks the source; a source that panics has no state to tell, and the report says so.
func (h *Health) snapshot() (s Snapshot, ok bool) {
	defer func() {
		if recover() != nil {
			s, ok = Snapshot{}, false
		}
	}()
	return h.source.Snapshot(), true
}

func answer(w http.ResponseWriter, status int, body any) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // what cannot be written has nobody to read it
}
