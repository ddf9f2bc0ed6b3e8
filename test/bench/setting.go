package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const listRequest = `{"jsonrpc":"2.0","id":42,"method":"tools/list","params":{}}`

// setting is what a run measures in: the server, the proxy and the agent in front of it.
type setting struct {
	dir      string
	binary   string
	duration time.Duration
	rounds   int
	// profiles is a folder for profiles of the agent; none if empty.
	profiles string

	upstream, proxy, agent *child
	children               []*child
}

func newSetting(ctx context.Context, duration time.Duration, rounds int, profiles string) (*setting, error) {
	dir, err := os.MkdirTemp("", "manifold-bench-")
	if err != nil {
		return nil, err
	}
	s := &setting{dir: dir, duration: duration, rounds: rounds, profiles: profiles}
	if err := s.begin(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *setting) begin(ctx context.Context) error {
	var err error
	if s.binary, err = buildAgent(ctx, s.dir, s.profiles != ""); err != nil {
		return err
	}
	if s.upstream, err = s.keep(startSelf("upstream")); err != nil {
		return err
	}
	if s.proxy, err = s.keep(startSelf("proxy", "http://"+s.upstream.addr, s.listFile())); err != nil {
		return err
	}
	if s.agent, err = s.keep(startAgent(s.binary, s.dir, "calls", s.canned("/mcp"))); err != nil {
		return err
	}
	_, err = toolsOf(s.agent.addr, "/mcp", 1)
	return err
}

// canned is the configuration of an agent in front of the upstream, with names unchanged.
func (s *setting) canned(path string) map[string]server {
	return map[string]server{"canned": {"type": "http", "url": "http://" + s.upstream.addr + path, "prefix": ""}}
}

func (s *setting) listFile() string { return filepath.Join(s.dir, "list.json") }

// keep has the child ended with the run.
func (s *setting) keep(c *child, err error) (*child, error) {
	if err == nil {
		s.children = append(s.children, c)
	}
	return c, err
}

func (s *setting) close() {
	for i := range s.children {
		s.children[len(s.children)-1-i].stop()
	}
	_ = os.RemoveAll(s.dir)
}

// target is one of the three things that are compared.
type target struct {
	name string
	addr string
	// middle is the process that is measured; nil for direct calls.
	middle *child
}

func (s *setting) targets() []target {
	return []target{
		{"direct", s.upstream.addr, nil},
		{"ReverseProxy", s.proxy.addr, s.proxy},
		{"Manifold", s.agent.addr, s.agent},
	}
}

// measure runs a job against a target.
func (t target) measure(j job) (outcome, error) {
	j.Addr = t.addr
	if t.middle != nil {
		j.PID, j.Probe = t.middle.pid(), t.middle.probe
	}
	o, err := runLoad(j)
	if err != nil {
		return o, fmt.Errorf("%s: %w", t.name, err)
	}
	return o, nil
}
