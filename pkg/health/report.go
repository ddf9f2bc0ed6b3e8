package health

import (
	"os"
	"runtime"
	"runtime/metrics"
	"time"
)

// Overall is the state of the whole gateway.
type Overall string

// The overall states.
const (
	Healthy   Overall = "healthy"
	Degraded  Overall = "degraded"
	Unhealthy Overall = "unhealthy"
)

// Overall judges a snapshot.
func (s *Snapshot) Overall() Overall {
	total, healthy := len(s.Servers), s.healthyServers()
	switch {
	case !s.Configuration.Loaded:
		return Unhealthy
	case total == 0:
		return Degraded
	case healthy == total:
		return Healthy
	case 2*healthy > total:
		return Degraded
	}
	return Unhealthy
}

// Ready tells whether the gateway should be given requests. No upstream server has a say in it: one broken server must not
// take a gateway out of service that serves the others.
func (s *Snapshot) Ready() bool { return s.Configuration.Loaded && !s.Draining }

func (s *Snapshot) healthyServers() (n int) {
	for i := range s.Servers {
		if s.Servers[i].healthy() {
			n++
		}
	}
	return n
}

// report is the body of /health. Names and order are those of 1MCP.
type report struct {
	Status        Overall       `json:"status"`
	Timestamp     string        `json:"timestamp"`
	Version       string        `json:"version"`
	System        system        `json:"system"`
	Servers       servers       `json:"servers"`
	Configuration Configuration `json:"configuration"`
}

type system struct {
	Uptime  int64   `json:"uptime"` // seconds
	Memory  memory  `json:"memory"`
	Process process `json:"process"`
}

// memory is the heap in MB (of 1,048,576 bytes, as 1MCP counts).
type memory struct {
	Used       float64 `json:"used"`
	Total      float64 `json:"total"`
	Percentage float64 `json:"percentage"`
}

// process describes the process; nodeVersion keeps its name for monitoring that reads it, and holds Go's version.
type process struct {
	PID         int    `json:"pid"`
	NodeVersion string `json:"nodeVersion"`
	Platform    string `json:"platform"`
	Arch        string `json:"arch"`
}

type servers struct {
	Total     int      `json:"total"`
	Healthy   int      `json:"healthy"`
	Unhealthy int      `json:"unhealthy"`
	Details   []detail `json:"details"`
}

type detail struct {
	Name          string   `json:"name"`
	Status        Status   `json:"status"`
	Healthy       bool     `json:"healthy"`
	LastConnected string   `json:"lastConnected,omitempty"`
	LastError     string   `json:"lastError,omitempty"`
	Tags          []string `json:"tags,omitempty"`
}

func (h *Health) report(s *Snapshot, now time.Time) report {
	healthy := s.healthyServers()
	return report{
		Status: s.Overall(), Timestamp: timestamp(now), Version: h.version,
		System: system{
			Uptime: h.uptime(now), Memory: h.level.memory(readMemory()), Process: h.level.process(thisProcess),
		},
		Servers: servers{
			Total: len(s.Servers), Healthy: healthy, Unhealthy: len(s.Servers) - healthy, Details: h.level.details(s.Servers),
		},
		Configuration: h.level.configuration(s.Configuration),
	}
}

func (h *Health) uptime(now time.Time) int64 { return max(int64(now.Sub(h.start)/time.Second), 0) }

// timestamp writes a time as JavaScript does: UTC, milliseconds, Z.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// readMemory reads the heap without stopping the world, as runtime.ReadMemStats would.
func readMemory() memory {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	used := float64(samples[0].Value.Uint64())
	total := used + float64(samples[1].Value.Uint64()+samples[2].Value.Uint64())
	const mb = 1 << 20
	return memory{Used: used / mb, Total: total / mb, Percentage: used / total * 100}
}

// thisProcess names platform and architecture as Node.js does.
var thisProcess = process{
	PID: os.Getpid(), NodeVersion: runtime.Version(),
	Platform: rename(runtime.GOOS, map[string]string{"windows": "win32"}),
	Arch:     rename(runtime.GOARCH, map[string]string{"amd64": "x64", "386": "ia32"}),
}

func rename(name string, as map[string]string) string {
	if other, has := as[name]; has {
		return other
	}
	return name
}
