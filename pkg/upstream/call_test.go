package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

func TestUpstreamCallTimesOut(t *testing.T) {
	const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}`
	const log = `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%s}}`
	for _, tc := range []struct {
		rule string
		send string
		want time.Duration
	}{
		{"without a word", "", 10 * time.Second},
		{"progress starts the clock over, the limit holds", progress, time.Minute},
		{"other notifications do not", log, 10 * time.Second},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &memDialer{peer: func(int, greeting) (*peer, error) {
					return &peer{handle: func(p *peer, m envelope) bool {
						if m.Method == protocol.ToolsCall && tc.send != "" {
							go func() {
								for range 20 {
									time.Sleep(8 * time.Second) // fake time
									p.send(fmt.Sprintf(tc.send, m.ID))
								}
							}()
						}
						return m.Method == protocol.ToolsCall
					}}, nil
				}}
				u, _ := startUpstream(t, config.Server{RequestTimeout: 10 * time.Second}, Options{CallLimit: time.Minute}, d)
				began := time.Now()
				_, err := callUpstream(t, u, plainCall, &protocol.Client{Key: "k"}, &tape{})
				if !errors.Is(err, protocol.ErrTimeout) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took != tc.want {
					t.Errorf("took %v, want %v", took, tc.want)
				}
				time.Sleep(3 * time.Minute) // fake time: the peer's goroutine ends
			})
		})
	}
}

func TestUpstreamClockStandsStillWhileTheClientIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: askingPeer(protocol.ElicitationCreate, `{"mode":"form"}`)}
		u, _ := startUpstream(t, config.Server{RequestTimeout: 10 * time.Second, Isolation: config.IsolationShared}, Options{}, d)
		sink := &tape{answer: func(context.Context, string) (string, error) {
			time.Sleep(time.Minute) // fake time: a person thinks
			return `{"jsonrpc":"2.0","id":0,"result":{"action":"accept"}}`, nil
		}}
		got, err := callUpstream(t, u, plainCall, &protocol.Client{Key: "k", Caps: protocol.CanElicitForm}, sink)
		if err != nil || got != `{"answer":{"action":"accept"}}` {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

// askingPeer is a server that asks its client something during each tools/call and answers with what it got.
func askingPeer(method, params string) func(int, greeting) (*peer, error) {
	return func(int, greeting) (*peer, error) {
		return &peer{handle: func(p *peer, m envelope) bool {
			if m.Method != protocol.ToolsCall {
				return false
			}
			ch := p.ask(method, params)
			go func() {
				got := <-ch
				if got.Error != nil {
					p.reply(m.ID, `{"refused":true}`)
					return
				}
				p.reply(m.ID, `{"answer":`+string(got.Result)+`}`)
			}()
			return true
		}}, nil
	}
}

func TestUpstreamEndsAsksWithTheirCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(int, greeting) (*peer, error) {
			return &peer{handle: func(p *peer, m envelope) bool {
				if m.Method == protocol.ToolsCall {
					p.ask(protocol.RootsList, `{}`)
					time.AfterFunc(time.Second, func() { p.reply(m.ID, `{"done":1}`) }) // without waiting for the answer
				}
				return m.Method == protocol.ToolsCall
			}}, nil
		}}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationShared}, Options{}, d)
		ended := false
		sink := &tape{answer: func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			ended = true
			return "", ctx.Err()
		}}
		got, err := callUpstream(t, u, plainCall, &protocol.Client{Key: "k", Caps: protocol.CanRoots}, sink)
		if err != nil || got != `{"done":1}` || !ended {
			t.Errorf("got %s, %v; ask ended before the call returned: %v", got, err, ended)
		}
	})
}

func TestUpstreamErrorsNameTheServerAndTheSentinel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(int, greeting) (*peer, error) {
			return &peer{handle: func(_ *peer, m envelope) bool { return m.Method == protocol.ToolsCall }}, nil
		}}
		u, _ := startUpstream(t, config.Server{Name: "github"}, Options{}, d)
		time.AfterFunc(time.Second, d.pipes[0].kill)
		_, err := callUpstream(t, u, plainCall, nil, &tape{})
		if !errors.Is(err, protocol.ErrLost) || !strings.HasPrefix(err.Error(), `upstream "github": `) {
			t.Errorf("got %v", err)
		}
	})
}

// BenchmarkCall measures one call through upstream and mux over a pipe in memory whose peer answers at once.
func BenchmarkCall(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			raw := strings.Replace(plainCall, `"n":`, `"pad":"`+strings.Repeat("x", size)+`","n":`, 1)
			m := newMux(&echoPipe{ch: make(chan *wire.Buffer, 16)}, &silent{}, zerolog.Nop())
			go m.run()
			defer m.close(context.Background())
			opts := Options{}.withDefaults()
			u := newUpstream(&config.Server{Name: "bench", Isolation: config.IsolationAuto}, nil, opts, nil, deaf{}, zerolog.Nop())
			u.shared.Store(&sharedConn{u: u, conn: m})
			c := callOf(b, raw, &protocol.Client{Key: "k"}, &tape{})
			ctx, cancel := context.WithCancel(b.Context()) // like a request's
			defer cancel()
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				a, err := u.Call(ctx, c)
				if err != nil {
					b.Fatal(err)
				}
				a.Close()
			}
		})
	}
}

// echoPipe answers each request with itself as the result.
type echoPipe struct {
	ch   chan *wire.Buffer
	last *wire.Buffer
}

func (p *echoPipe) send(_ context.Context, msg []byte) error {
	m, err := wire.Skim(msg)
	if err != nil {
		return err
	}
	buf := wire.GetBuffer()
	buf.B = appendResult(buf.B, m.ID.Of(msg), msg)
	p.ch <- buf
	return nil
}

func (p *echoPipe) recv() ([]byte, error) {
	if p.last != nil {
		p.last.Free()
	}
	var ok bool
	if p.last, ok = <-p.ch; !ok {
		return nil, errors.New("closed")
	}
	return p.last.B, nil
}

func (p *echoPipe) close(context.Context) { close(p.ch) }
