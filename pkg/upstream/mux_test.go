package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// openMux connects a mux to a peer; both end with the test.
func openMux(t *testing.T, p *peer, ev events) (*mux, *memPipe) {
	t.Helper()
	pipe := newMemPipe(p)
	g := greeting{capabilities: []byte("{}"), info: gatewayInfo("test")}
	m, err := dialMux(t.Context(), pipe, g, ev, zerolog.Nop())
	if err != nil {
		t.Fatalf("dialMux: %v", err)
	}
	t.Cleanup(func() { m.close(context.Background()) })
	return m, pipe
}

const plainCall = `{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"t1"},"arguments":{"n":9007199254740993}}}`

func TestMuxKeepsEverythingButIDAndToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent string
		p := &peer{handle: func(p *peer, m envelope) bool {
			if m.Method != protocol.ToolsCall {
				return false
			}
			sent = string(m.ID) + " " + string(m.Params)
			p.send(`{"result":{"zzz":18446744073709551615,"resultType":"task"},"jsonrpc":"2.0","id":` + string(m.ID) + `}`)
			return true
		}}
		m, _ := openMux(t, p, &silent{})
		a, err := m.call(t.Context(), callOf(t, plainCall, &protocol.Client{}, &tape{}))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		got := string(a.Append(nil, []byte(`"mine"`)))
		want := `{"result":{"zzz":18446744073709551615,"resultType":"task"},"jsonrpc":"2.0","id":"mine"}`
		if got != want {
			t.Errorf("answer %s, want %s", got, want)
		}
		if want := `2 {"name":"echo","_meta":{"progressToken":"2"},"arguments":{"n":9007199254740993}}`; sent != want {
			t.Errorf("sent %s, want %s", sent, want)
		}
	})
}

func TestMuxAppliesEditsOfTheRouter(t *testing.T) {
	c := callOf(t, plainCall, nil, nobody{})
	c.Edits = []wire.Edit{{At: c.Message.Name, With: []byte(`"other"`)}}
	got := string(appendCall(nil, c, 12, new([24]byte)))
	want := `{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"name":"other","_meta":{"progressToken":"12"},"arguments":{"n":9007199254740993}}}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMuxAnswersInAnyOrderToIdenticalIDsAndTokens(t *testing.T) {
	const n = 100
	synctest.Test(t, func(t *testing.T) {
		var held []envelope
		p := &peer{}
		p.handle = func(p *peer, m envelope) bool {
			if m.Method != protocol.ToolsCall {
				return false
			}
			if held = append(held, m); len(held) < n {
				return true
			}
			for i := len(held) - 1; i >= 0; i-- { // the last is answered first
				var params struct {
					Meta struct{ ProgressToken json.RawMessage } `json:"_meta"`
					Arg  json.RawMessage                         `json:"arguments"`
				}
				if err := json.Unmarshal(held[i].Params, &params); err != nil {
					t.Error(err)
				}
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1,"message":%s}}`, params.Meta.ProgressToken, params.Arg))
				p.reply(held[i].ID, string(params.Arg))
			}
			return true
		}
		m, _ := openMux(t, p, &silent{})
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				nonce := fmt.Sprintf(`"nonce-%d"`, i)
				token := "7" // every second client uses a number, the others a string
				if i%2 == 1 {
					token = `"7"`
				}
				sink := &tape{}
				raw := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":%s},"arguments":%s}}`, token, nonce)
				a, err := m.call(t.Context(), callOf(t, raw, &protocol.Client{Key: nonce}, sink))
				if err != nil {
					t.Errorf("call %d: %v", i, err)
					return
				}
				defer a.Close()
				if got := string(a.Message.Result.Of(a.Message.Raw)); got != nonce {
					t.Errorf("call %d got the answer %s", i, got)
				}
				want := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1,"message":%s}}`, token, nonce)
				if got := sink.notes(); got != want {
					t.Errorf("call %d was notified %s, want %s", i, got, want)
				}
			})
		}
		wg.Wait()
	})
}

func TestMuxDropsUnknownAndDoubledAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		p.handle = func(p *peer, m envelope) bool {
			if m.Method != protocol.ToolsCall {
				return false
			}
			p.send(`{"jsonrpc":"2.0","id":999,"result":{"wrong":1}}`)
			p.send(`{"jsonrpc":"2.0","id":"2","result":{"wrong":2}}`)
			p.reply(m.ID, `{"right":1}`)
			p.reply(m.ID, `{"wrong":3}`)
			return true
		}
		m, _ := openMux(t, p, &silent{})
		for range 2 {
			a, err := m.call(t.Context(), callOf(t, plainCall, &protocol.Client{}, &tape{}))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(a.Message.Result.Of(a.Message.Raw)); got != `{"right":1}` {
				t.Errorf("answer %s", got)
			}
			a.Close()
		}
		synctest.Wait()
		if got := m.dropped.Load(); got != 6 {
			t.Errorf("dropped %d messages, want 6", got)
		}
	})
}

func TestMuxGoesOnAfterGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		p.handle = func(p *peer, m envelope) bool {
			if m.Method != protocol.ToolsCall {
				return false
			}
			for _, s := range []string{`{`, `[INFO] hello`, `{"level":"info"}`, `[]`, `{"jsonrpc":"2.0","id":2,"id":2,"result":{}}`, `[1,{"jsonrpc":"2.0"}]`} {
				p.send(s)
			}
			p.send(`[{"jsonrpc":"2.0","method":"x/y"},{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"batched":true}}]`)
			return true
		}
		ev := &silent{}
		m, _ := openMux(t, p, ev)
		sink := &tape{}
		a, err := m.call(t.Context(), callOf(t, plainCall, &protocol.Client{}, sink))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if got := string(a.Message.Result.Of(a.Message.Raw)); got != `{"batched":true}` {
			t.Errorf("answer %s", got)
		}
		if got := sink.notes(); got != `{"jsonrpc":"2.0","method":"x/y"}` {
			t.Errorf("notified %s", got)
		}
	})
}

func TestMuxCancelsUpstreamAndKeepsTheCause(t *testing.T) {
	for _, tc := range []struct {
		cause  error
		reason string
	}{
		{protocol.ErrTimeout, "no answer in time"},
		{errors.New("client left"), "the client gave up"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var cancelled string
			p := &peer{}
			var id json.RawMessage
			p.handle = func(p *peer, m envelope) bool {
				switch m.Method {
				case protocol.ToolsCall:
					id = m.ID
					return true
				case protocol.Cancelled:
					cancelled = string(m.Params)
					p.reply(id, `{"late":true}`)
				}
				return false
			}
			m, _ := openMux(t, p, &silent{})
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(tc.cause) })
			_, err := m.call(ctx, callOf(t, plainCall, &protocol.Client{}, &tape{}))
			if !errors.Is(err, tc.cause) {
				t.Errorf("call: %v, want %v", err, tc.cause)
			}
			synctest.Wait()
			if want := `{"requestId":2,"reason":"` + tc.reason + `"}`; cancelled != want {
				t.Errorf("server was told %s, want %s", cancelled, want)
			}
			if got := m.dropped.Load(); got != 1 {
				t.Errorf("%d messages dropped, want the late answer", got)
			}
		})
	}
}

func TestMuxDoesNotCancelInitialize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var methods []string
		p := &peer{handle: func(_ *peer, m envelope) bool {
			methods = append(methods, m.Method)
			return true
		}}
		m := newMux(newMemPipe(p), &silent{}, zerolog.Nop())
		go m.run()
		defer m.close(context.Background())
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, protocol.ErrTimeout)
		defer cancel()
		if err := m.handshake(ctx, greeting{[]byte("{}"), []byte("{}")}); !errors.Is(err, protocol.ErrTimeout) {
			t.Errorf("handshake: %v", err)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{protocol.Initialize}, methods); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMuxEndFailsCallsAsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{handle: func(_ *peer, m envelope) bool { return m.Method == protocol.ToolsCall }}
		m, pipe := openMux(t, p, &silent{})
		time.AfterFunc(time.Second, pipe.kill)
		_, err := m.call(t.Context(), callOf(t, plainCall, &protocol.Client{}, &tape{}))
		if !errors.Is(err, protocol.ErrLost) {
			t.Errorf("call in flight: %v, want ErrLost", err)
		}
		<-m.done()
		if _, err = m.call(t.Context(), callOf(t, plainCall, &protocol.Client{}, &tape{})); !errors.Is(err, protocol.ErrUnavailable) {
			t.Errorf("call afterwards: %v, want ErrUnavailable", err)
		}
	})
}

func TestMuxRefusesWhatNobodyCanAnswer(t *testing.T) {
	const noMethod = `{"code":-32601,"message":"the client cannot be asked"}`
	for _, tc := range []struct{ method, result, err string }{
		{protocol.Ping, `{}`, ""},
		{protocol.ElicitationCreate, `{"action":"cancel"}`, ""},
		{protocol.SamplingCreateMessage, "", noMethod},
		{protocol.RootsList, "", noMethod},
		{"made/up", "", noMethod},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{}
			openMux(t, p, &silent{})
			got := <-p.ask(tc.method, `{}`)
			if string(got.Result) != tc.result || string(got.Error) != tc.err {
				t.Errorf("%s: result %s error %s", tc.method, got.Result, got.Error)
			}
		})
	}
}

func TestMuxAsksOutOfOrderUnderTheServersIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		ev := &silent{onAsk: func(_ context.Context, a *ask) ([]byte, error) {
			name, _ := text(a.msg.Raw, a.msg.Params, "n")
			if name == "slow" {
				time.Sleep(time.Second) // fake time
			}
			return []byte(`{"jsonrpc":"2.0","id":5,"result":{"n":"` + name + `"}}`), nil
		}}
		openMux(t, p, ev)
		slow := p.ask(protocol.RootsList, `{"n":"slow"}`)
		fast := p.ask(protocol.RootsList, `{"n":"fast"}`)
		if got := <-fast; string(got.Result) != `{"n":"fast"}` {
			t.Errorf("fast: %s", got.Result)
		}
		if got := <-slow; string(got.Result) != `{"n":"slow"}` {
			t.Errorf("slow: %s", got.Result)
		}
	})
}

func TestMuxEndsAnAskThatTheServerCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		ended := make(chan error, 1)
		ev := &silent{onAsk: func(ctx context.Context, _ *ask) ([]byte, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil, context.Cause(ctx)
		}}
		openMux(t, p, ev)
		answer := p.ask(protocol.RootsList, `{}`)
		p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"ask-1"}}`)
		if err := <-ended; !errors.Is(err, errServerGaveUp) {
			t.Errorf("ask ended with %v", err)
		}
		synctest.Wait()
		select {
		case got := <-answer:
			t.Errorf("a cancelled request was answered: %s%s", got.Result, got.Error)
		default:
		}
	})
}

func TestMuxBoundsAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		ev := &silent{onAsk: func(ctx context.Context, _ *ask) ([]byte, error) {
			<-ctx.Done()
			return nil, protocol.ErrRefused
		}}
		openMux(t, p, ev)
		for range maxAsks {
			p.ask(protocol.RootsList, `{}`)
		}
		if got := <-p.ask(protocol.RootsList, `{}`); got.Error == nil {
			t.Errorf("one too many was answered %s", got.Result)
		}
	})
}

func TestMuxAttributesNotifications(t *testing.T) {
	a, b, keyless := &protocol.Client{Key: "a"}, &protocol.Client{Key: "b"}, &protocol.Client{}
	for _, tc := range []struct {
		rule    string
		callers []*protocol.Client
		sink    int // index of the caller whose sink gets it; -1 is stray
	}{
		{"no call in flight", nil, -1},
		{"one call", []*protocol.Client{a}, 0},
		{"one call of a client without key", []*protocol.Client{keyless}, 0},
		{"two calls of one client: the oldest", []*protocol.Client{b, b}, 0},
		{"two clients", []*protocol.Client{a, b}, -1},
		{"two clients without key are not one", []*protocol.Client{keyless, keyless}, -1},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peer{handle: func(_ *peer, m envelope) bool { return m.Method == protocol.ToolsCall }}
				ev := &silent{}
				m, pipe := openMux(t, p, ev)
				sinks := make([]*tape, len(tc.callers))
				for i, c := range tc.callers {
					sinks[i] = &tape{}
					go func() { _, _ = m.call(t.Context(), callOf(t, plainCall, c, sinks[i])) }()
					synctest.Wait()
				}
				p.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`)
				synctest.Wait()
				for i, s := range sinks {
					if got := strings.Contains(s.notes(), "notifications/message"); got != (i == tc.sink) {
						t.Errorf("caller %d got it: %v", i, got)
					}
				}
				if got := len(ev.strays) == 1; got != (tc.sink == -1) {
					t.Errorf("stray: %v", ev.strays)
				}
				pipe.kill()
			})
		})
	}
}

func TestMuxSortsNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		ev := &silent{}
		openMux(t, p, ev)
		p.send(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		p.send(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:\u0062"}}`)
		p.send(`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e"}}`)
		p.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"nobody","progress":1}}`)
		synctest.Wait()
		got := []string{fmt.Sprint(ev.lists), fmt.Sprint(ev.uris), fmt.Sprint(ev.strays)}
		want := []string{"[notifications/tools/list_changed]", "[a:b]", "[notifications/elicitation/complete]"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHandshakeRefusesWhatItCannotSpeak(t *testing.T) {
	for _, tc := range []struct{ rule, answer, text string }{
		{"unknown revision", `"result":{"protocolVersion":"1999-01-01","capabilities":{}}`, `"1999-01-01", which is none of 2024-11-05`},
		{"modern revision in a legacy handshake", `"result":{"protocolVersion":"2026-07-28","capabilities":{}}`, "2026-07-28"},
		{"no revision", `"result":{}`, `""`},
		{"an error", `"error":{"code":-32000,"message":"go away"}`, "go away (-32000)"},
		{"no object", `"result":[]`, "no result object"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			m, err := wire.Skim([]byte(`{"jsonrpc":"2.0","id":1,` + tc.answer + `}`))
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseHello(&m)
			if !errors.Is(err, protocol.ErrProtocol) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHandshakeReadsTheServersWords(t *testing.T) {
	m, err := wire.Skim([]byte(`{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-03-26","instructions":"a\nb","serverInfo":{"name":"x"},` +
		`"capabilities":{"tools":{},"prompts":null,"resources":{"subscribe":true},"logging":{},"completions":false}}}`))
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseHello(&m)
	if err != nil {
		t.Fatal(err)
	}
	if h.revision != "2025-03-26" || h.instructions != "a\nb" || string(h.info) != `{"name":"x"}` {
		t.Errorf("got %+v", h)
	}
	if want := protocol.HasTools | protocol.HasResources | protocol.HasSubscribe | protocol.HasLogging; h.has != want {
		t.Errorf("has %b, want %b", h.has, want)
	}
}
