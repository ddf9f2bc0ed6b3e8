package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// list compares tools/list of many tools with a handler that writes the same bytes.
func (s *setting) list() error {
	agent, err := s.keep(startAgent(s.binary, s.dir, "list", s.canned("/many")))
	if err != nil {
		return err
	}
	bytes, err := toolsOf(agent.addr, "/mcp", manyTools)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.listFile(), bytes, 0o600); err != nil {
		return err
	}
	plain := target{"net/http writing the same bytes", s.proxy.addr, s.proxy}
	manifold := target{"Manifold", agent.addr, agent}
	rs := results{}
	for range s.rounds {
		o, err := plain.measure(job{Path: "/list", Clients: 1, Duration: s.duration, Body: listRequest, Loose: true})
		if err != nil {
			return err
		}
		rs["plain"] = append(rs["plain"], o)
		if o, err = manifold.measure(job{Path: "/mcp", Clients: 1, Duration: s.duration, Body: listRequest}); err != nil {
			return err
		}
		rs["manifold"] = append(rs["manifold"], o)
	}
	fmt.Printf("| `tools/list` of %d tools (%.1f MB) | p50 | CPU per call | bytes per call | allocations per call |\n|---|---:|---:|---:|---:|\n",
		manyTools, float64(len(bytes))/1e6)
	for _, row := range []struct{ name, key string }{{plain.name, "plain"}, {"Manifold", "manifold"}} {
		fmt.Printf("| %s | %s | %s | %.1f kB | %.0f |\n", row.name,
			micros(median(rs[row.key], func(o outcome) float64 { return float64(o.P50) })),
			micros(median(rs[row.key], cpuPerCall)), median(rs[row.key], bytesPerCall)/1000, median(rs[row.key], allocsPerCall))
	}
	fmt.Printf("| ratio (*goal ≤ 2*) | %.2f | %.2f | | |\n\n",
		medianRatio(rs["manifold"], rs["plain"], func(o outcome) float64 { return float64(o.P50) }),
		medianRatio(rs["manifold"], rs["plain"], cpuPerCall))
	return nil
}

// Numbers of idle things whose memory is measured.
const (
	idleSessions = 2000
	idleStreams  = 1000
)

// sessions measures what an idle session and an idle stream cost.
func (s *setting) sessions() error {
	fmt.Println("| idle, each | resident memory |\n|---|---:|")
	agent, err := s.keep(startAgent(s.binary, s.dir, "sessions", s.canned("/mcp")))
	if err != nil {
		return err
	}
	if _, err := toolsOf(agent.addr, "/mcp", 1); err != nil {
		return err
	}
	open := &idle{addr: agent.addr}
	defer open.close()
	if err := open.measure(agent, "session of Manifold", idleSessions, open.session); err != nil {
		return err
	}
	if err := open.measure(agent, "GET stream of Manifold (beside its session)", idleStreams, open.stream); err != nil {
		return err
	}
	plain := &idle{addr: s.proxy.addr}
	defer plain.close()
	if err := plain.measure(s.proxy, "stream of a plain net/http handler", idleStreams, plain.bare); err != nil {
		return err
	}
	fmt.Println()
	return nil
}

// idle opens things and leaves them open.
type idle struct {
	addr    string
	headers []string // of the sessions
	conns   []*client
	used    int
}

func (i *idle) close() {
	for _, c := range i.conns {
		c.close()
	}
}

// measure prints by how much the process grew per thing, after a garbage collection each.
func (i *idle) measure(c *child, what string, n int, open func() error) error {
	before, err := settled(c)
	if err != nil {
		return err
	}
	for range n {
		if err := open(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	after, err := settled(c)
	if err != nil {
		return err
	}
	fmt.Printf("| %s (of %d) | %.1f KiB |\n", what, n, float64(after-before)/float64(n)/1024)
	return nil
}

// settled is the resident memory after a garbage collection that gave everything back.
func settled(c *child) (int64, error) {
	for range 2 {
		if err := getJSON("http://"+c.probe+"/gc", nil); err != nil {
			return 0, err
		}
	}
	u, err := testkit.UsageOf(c.pid())
	return u.RSS, err
}

// session opens a session and leaves its connection behind, as most clients do between calls.
func (i *idle) session() error {
	c, err := dial(i.addr, "/mcp")
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.initialize(); err != nil {
		return err
	}
	i.headers = append(i.headers, c.header)
	return nil
}

// stream opens the standing stream of one of the sessions.
func (i *idle) stream() error {
	if i.used >= len(i.headers) {
		return errors.New("more streams than sessions")
	}
	i.used++
	// Streams are limited per client and minute; the agent believes a neighbour on the loopback whom it speaks for.
	from := fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d\r\n", i.used/250, i.used%250+1)
	return i.get("/mcp", i.headers[i.used-1]+from)
}

func (i *idle) bare() error { return i.get("/idle", "") }

func (i *idle) get(path, header string) error {
	c, err := dial(i.addr, path)
	if err != nil {
		return err
	}
	i.conns = append(i.conns, c)
	c.header = header
	if _, err := c.conn.Write(c.format("GET", "")); err != nil {
		return err
	}
	status, err := c.r.ReadSlice('\n')
	if err == nil && (len(status) < 12 || status[9] != '2') {
		err = fmt.Errorf("GET %s: %s", path, status)
	}
	return err
}

// start measures the time from the start of the agent to the first list, with one hung server among twenty.
func (s *setting) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	servers := map[string]server{}
	for i := range 20 {
		mode := "stdio"
		if i == 7 {
			mode = "hang"
		}
		servers[fmt.Sprintf("s%02d", i)] = server{"type": "stdio", "command": self, "env": map[string]string{modeVariable: mode}}
	}
	var first, whole []float64
	for round := range s.rounds {
		begun := time.Now()
		agent, err := startAgent(s.binary, s.dir, fmt.Sprintf("start%d", round), servers)
		if err != nil {
			return err
		}
		_, err = toolsOf(agent.addr, "/mcp", 0)
		first = append(first, float64(time.Since(begun)))
		if err == nil {
			_, err = toolsOf(agent.addr, "/mcp", 19)
		}
		whole = append(whole, float64(time.Since(begun)))
		agent.stop()
		if err != nil {
			return err
		}
	}
	fmt.Printf("| with one hung server among twenty, from the start of the process | median |\n|---|---:|\n")
	fmt.Printf("| first `tools/list` answered (*goal ≤ 2 s*) | %s |\n| tools of the other 19 listed | %s |\n\n", micros(middle(first)), micros(middle(whole)))
	return nil
}
