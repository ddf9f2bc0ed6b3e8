package health

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var aTime = time.Date(2025, 1, 30, 12, 30, 0, 5e6, time.FixedZone("", 3600))

func sample() Snapshot {
	return Snapshot{
		Servers: []Server{
			{Name: "a", Status: Connected, Healthy: true, LastConnected: aTime, Tags: []string{"x"}},
			{Name: "b", Status: Connected, Healthy: true},
			{Name: "c", Status: Failed, Healthy: true, LastError: "The server failed."},
		},
		Configuration: Configuration{Loaded: true, ServerCount: 4, EnabledCount: 3, DisabledCount: 1, AuthEnabled: true, Transport: "http"},
	}
}

// ask serves one request and gives the answer and its body, decoded.
func ask(t *testing.T, o Options, s Snapshot, method, path string) (*http.Response, map[string]any) {
	t.Helper()
	mux := http.NewServeMux()
	for _, r := range New(SourceFunc(func() Snapshot { return s }), o).Routes() {
		mux.Handle("GET "+r.Path, r.Handler)
	}
	srv := httptest.NewServer(mux)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{}
	if method == http.MethodGet {
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	} else if len(raw) > 0 {
		t.Errorf("%s has a body: %s", method, raw)
	}
	return resp, body
}

func TestReportAtEachLevel(t *testing.T) {
	config := map[string]any{"loaded": true, "serverCount": 4.0, "enabledCount": 3.0, "disabledCount": 1.0, "authEnabled": true, "transport": "http"}
	details := []any{
		map[string]any{"name": "a", "status": "connected", "healthy": true, "lastConnected": "2025-01-30T11:30:00.005Z", "tags": []any{"x"}},
		map[string]any{"name": "b", "status": "connected", "healthy": true},
		map[string]any{"name": "c", "status": "error", "healthy": false, "lastError": "The server failed."},
	}
	for _, c := range []struct {
		level   Level
		config  map[string]any
		details []any
	}{
		{Full, config, details},
		{Basic, config, details},
		{Minimal, map[string]any{"loaded": true, "serverCount": 0.0, "enabledCount": 0.0, "disabledCount": 0.0, "authEnabled": false, "transport": "http"}, []any{}},
	} {
		resp, body := ask(t, Options{Level: c.level, Version: "1.2.3", Start: time.Now().Add(-90 * time.Second)}, sample(), "GET", "/health")
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d, degraded is 200", c.level, resp.StatusCode)
		}
		want := map[string]any{
			"status": "degraded", "version": "1.2.3", "configuration": c.config,
			"servers": map[string]any{"total": 3.0, "healthy": 2.0, "unhealthy": 1.0, "details": c.details},
		}
		stamp, _ := body["timestamp"].(string)
		if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(stamp) {
			t.Errorf("%s: timestamp %q", c.level, stamp)
		}
		system, _ := body["system"].(map[string]any)
		delete(body, "timestamp")
		delete(body, "system")
		if diff := cmp.Diff(want, body); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.level, diff)
		}
		checkSystem(t, c.level, system)
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Cache-Control": "no-cache, no-store, must-revalidate",
			"X-Health-Status": "degraded", "X-Service-Version": "1.2.3", "X-Uptime-Seconds": "90",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.level, name, got, want)
			}
		}
	}
}

func checkSystem(t *testing.T, level Level, system map[string]any) {
	t.Helper()
	if system["uptime"] != 90.0 {
		t.Errorf("%s: uptime %v", level, system["uptime"])
	}
	mem, _ := system["memory"].(map[string]any)
	used, total, percent := mem["used"].(float64), mem["total"].(float64), mem["percentage"].(float64)
	proc := system["process"]
	none := map[string]any{"pid": 0.0, "nodeVersion": "", "platform": "", "arch": ""}
	switch level {
	case Full:
		if used <= 0 || total < used || percent <= 0 || percent > 100 {
			t.Errorf("full: memory %v", mem)
		}
		if p, _ := proc.(map[string]any); p["nodeVersion"] != runtime.Version() || p["pid"].(float64) < 1 || p["platform"] == "" || p["arch"] == "" {
			t.Errorf("full: process %v", proc)
		}
		return
	case Basic:
		if used != float64(int(used)) || total != float64(int(total)) || total < 1 || percent <= 0 {
			t.Errorf("basic: memory %v, want whole megabytes", mem)
		}
	case Minimal:
		if used != 0 || total != 0 || percent != 0 || len(mem) != 3 {
			t.Errorf("minimal: memory %v", mem)
		}
	}
	if diff := cmp.Diff(any(none), proc); diff != "" {
		t.Errorf("%s: process (-want +got)\n%s", level, diff)
	}
}

func TestOverallStatus(t *testing.T) {
	up, down := Server{Status: Connected, Healthy: true}, Server{Status: Failed}
	for _, c := range []struct {
		rule    string
		servers []Server
		lost    bool
		want    Overall
		code    int
	}{
		{"all healthy", []Server{up, up}, false, Healthy, 200},
		{"no servers", nil, false, Degraded, 200},
		{"more than half", []Server{up, up, down}, false, Degraded, 200},
		{"exactly half is not more than half", []Server{up, down}, false, Unhealthy, 503},
		{"none", []Server{down}, false, Unhealthy, 503},
		{"configuration not loaded", []Server{up}, true, Unhealthy, 503},
		{"connected but failing its probes", []Server{{Status: Connected}}, false, Unhealthy, 503},
		{"waiting for a login is not healthy", []Server{up, up, {Status: AwaitingOAuth, Healthy: true}}, false, Degraded, 200},
	} {
		s := Snapshot{Servers: c.servers, Configuration: Configuration{Loaded: !c.lost, Transport: "http"}}
		resp, body := ask(t, Options{}, s, "GET", "/health")
		if body["status"] != string(c.want) || resp.StatusCode != c.code || resp.Header.Get("X-Health-Status") != string(c.want) {
			t.Errorf("%s: %v, %d; want %s, %d", c.rule, body["status"], resp.StatusCode, c.want, c.code)
		}
	}
}

func TestReadinessDependsOnConfigurationAndDrainingAlone(t *testing.T) {
	for _, c := range []struct {
		rule             string
		loaded, draining bool
		want             string
		code             int
	}{
		{"loaded, with every server down", true, false, "ready", 200},
		{"not loaded", false, false, "not_ready", 503},
		{"draining", true, true, "not_ready", 503},
	} {
		s := Snapshot{Servers: []Server{{Status: Failed}}, Configuration: Configuration{Loaded: c.loaded, ServerCount: 1, Transport: "http"}, Draining: c.draining}
		for _, path := range []string{"/health/ready", "/readyz"} {
			resp, body := ask(t, Options{Level: Basic}, s, "GET", path)
			config, _ := body["configuration"].(map[string]any)
			if body["status"] != c.want || resp.StatusCode != c.code || config["loaded"] != c.loaded || config["serverCount"] != 1.0 {
				t.Errorf("%s: %s is %d %v", c.rule, path, resp.StatusCode, body)
			}
		}
		if resp, body := ask(t, Options{}, s, "GET", "/health/live"); resp.StatusCode != 200 || body["status"] != "alive" || len(body) != 2 {
			t.Errorf("%s: liveness is %d %v", c.rule, resp.StatusCode, body)
		}
	}
}

func TestHeadAnswersLikeGetWithoutBody(t *testing.T) {
	for _, path := range []string{"/health", "/healthz", "/health/live", "/livez", "/health/ready", "/readyz"} {
		resp, _ := ask(t, Options{}, sample(), "HEAD", path)
		if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Cache-Control"), "no-store") {
			t.Errorf("HEAD %s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

func TestSourceThatPanicsIsReportedAndLeaksNothing(t *testing.T) {
	h := New(SourceFunc(func() Snapshot { panic("password=hunter2") }), Options{Level: Full})
	for _, c := range []struct {
		handler http.HandlerFunc
		code    int
	}{{h.Report, 500}, {h.Ready, 503}, {h.Live, 200}} {
		w := httptest.NewRecorder()
		c.handler(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		if w.Code != c.code || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%d %s, want %d", w.Code, w.Body, c.code)
		}
	}
}

func TestLevels(t *testing.T) {
	for text, want := range map[string]Level{"": Minimal, "full": Full, "basic": Basic, "minimal": Minimal} {
		if got, err := ParseLevel(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := ParseLevel("Full"); err == nil || err.Error() != `health-info-level: "Full" is not full, basic or minimal` {
		t.Errorf("unknown level: %v", err)
	}
}
