package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

func newRequest(forwarded string) *http.Request {
	return &http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{"X-Forwarded-For": {forwarded}}}
}

func limited(class RouteClass, n int64, more Config) Config {
	more.Limits = map[RouteClass]Limit{class: {Max: n, Period: time.Minute}}
	return more
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, limited(MCP, 3, Config{}))
		for i := range 3 {
			w := e.do(t, "POST", "/mcp")
			if w.Code != 200 || w.Header().Get("RateLimit-Remaining") != "" { // calls are told nothing until they are refused
				t.Errorf("request %d: %d, %v", i, w.Code, w.Header())
			}
			w = e.do(t, "GET", "/health")
			if want := strconv.Itoa(199 - i); w.Header().Get("RateLimit-Remaining") != want || w.Header().Get("X-RateLimit-Remaining") != want {
				t.Errorf("health request %d: %v", i, w.Header())
			}
		}
		time.Sleep(20 * time.Second) // fake time
		w := e.do(t, "POST", "/mcp")
		if w.Code != 429 || code(t, w) != "rate_limited" || e.hits != 3 {
			t.Errorf("request 4: %d %s after %d hits", w.Code, w.Body, e.hits)
		}
		for name, want := range map[string]string{
			"Retry-After": "40", "RateLimit-Reset": "40", "RateLimit-Limit": "3", "X-RateLimit-Limit": "3", "RateLimit-Policy": "3;w=60",
			"RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(time.Now().Add(40*time.Second).Unix(), 10),
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if w := e.do(t, "GET", "/health"); w.Code != 200 {
			t.Errorf("another class: %d", w.Code)
		}
		if w := e.do(t, "POST", "/mcp", "Peer: 192.0.2.2:1"); w.Code != 200 {
			t.Errorf("another client: %d", w.Code)
		}
		time.Sleep(41 * time.Second) // fake time
		if w := e.do(t, "POST", "/mcp"); w.Code != 200 {
			t.Errorf("after the window: %d", w.Code)
		}
	})
}

func TestForgedHeadersDoNotBeatTheLimit(t *testing.T) {
	e := newEdge(t, Config{})
	last := 0
	for i := range 400 {
		ip := fmt.Sprintf("198.51.%d.%d", i/250, i%250)
		last = e.do(t, "GET", "/health", "Peer: 127.0.0.1:9", "X-Forwarded-For: "+ip, "X-Real-IP: "+ip, "CF-Connecting-IP: "+ip, "Forwarded: for="+ip, "True-Client-IP: "+ip).Code
	}
	if last != 429 {
		t.Errorf("request 400 is %d", last)
	}
}

func TestNeighboursInAnIPv6NetworkShareABudget(t *testing.T) {
	e := newEdge(t, limited(MCP, 10, Config{}))
	last := 0
	for i := range 300 {
		last = e.do(t, "GET", "/mcp", fmt.Sprintf("Peer: [2001:db8:1:2::%x]:9", i+1)).Code
	}
	if last != 429 {
		t.Errorf("300 addresses of one /64: %d", last)
	}
	if w := e.do(t, "GET", "/mcp", "Peer: [2001:db8:1:3::1]:9"); w.Code != 200 {
		t.Errorf("the next /64: %d", w.Code)
	}
}

func TestProbesAreNeverRefused(t *testing.T) {
	e := newEdge(t, Config{})
	e.Mount("/health/live", []string{"GET"}, Probe, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for range 2000 {
		if w := e.do(t, "GET", "/health/live"); w.Code != 200 {
			t.Fatalf("probe: %d", w.Code)
		}
	}
}

// brokenStore is a shared store that cannot be reached.
type brokenStore struct{ limiter.Store }

func (brokenStore) Get(context.Context, string, limiter.Rate) (limiter.Context, error) {
	return limiter.Context{}, errors.New("redis: dial tcp 10.2.3.4:6379: password=hunter2")
}

func TestStoreThatFailsNeverMeansUnlimited(t *testing.T) {
	cfg := limited(MCP, 2, Config{LimitStore: brokenStore{}})
	cfg.Limits[OAuth] = Limit{Max: 5, Period: time.Minute, FailClosed: true}
	e := newEdge(t, cfg)
	e.Mount("/token", []string{"POST"}, OAuth, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { e.hits += 100 }))
	if w := e.do(t, "POST", "/token"); w.Code != 503 || code(t, w) != "rate_limit_unavailable" || e.hits != 0 {
		t.Errorf("closed: %d %s", w.Code, w.Body)
	}
	var codes strings.Builder
	for range 3 {
		codes.WriteString(strconv.Itoa(e.do(t, "POST", "/mcp").Code) + " ")
	}
	if codes.String() != "200 200 429 " {
		t.Errorf("this process counts alone: %s", codes.String())
	}
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	if log := e.log.buf.String(); strings.Contains(log, "hunter2") || !strings.Contains(log, "rate limit store failed") {
		t.Errorf("log: %s", log)
	}
}

func TestStoreIsBoundedAgainstMadeUpClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute)
		rate := limiter.Rate{Period: time.Minute, Limit: 5}
		reached := 0
		for i := range 200_000 {
			state, err := s.Get(t.Context(), "mcp:"+strconv.Itoa(i), rate)
			if err != nil {
				t.Fatal(err)
			}
			if state.Reached {
				reached++
			}
		}
		n := 0
		s.cache.Range(func(string, *memory.Counter) { n++ })
		if n > maxClients+overflow {
			t.Errorf("%d counters", n)
		}
		if reached == 0 {
			t.Error("clients beyond the bound are not limited")
		}
		if state, err := s.Get(t.Context(), "mcp:5", rate); err != nil || state.Remaining != 3 {
			t.Errorf("a client that was there before: %+v, %v", state, err)
		}
		time.Sleep(3 * time.Minute) // fake time
		if state, err := s.Get(t.Context(), "mcp:199999", rate); err != nil || state.Remaining != 4 {
			t.Errorf("after the flood: %+v, %v", state, err)
		}
		n = 0
		s.cache.Range(func(string, *memory.Counter) { n++ })
		if n != 1 {
			t.Errorf("%d counters are left", n)
		}
	})
}
