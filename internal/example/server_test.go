package example_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/internal/example"
)

const (
	legacy = "2025-11-25"
	modern = "2026-07-28"
)

// seen collects what the server sends of its own accord.
type seen struct {
	progress chan float64
	logs     chan mcp.LoggingLevel
	updates  chan string
}

func newSeen() *seen {
	return &seen{progress: make(chan float64, 100), logs: make(chan mcp.LoggingLevel, 100), updates: make(chan string, 100)}
}

// options is a client that answers every question the server may ask, always the same way.
func options(s *seen) *mcp.ClientOptions {
	return &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			if req.Params.Message != "Who are you?" {
				return &mcp.ElicitResult{Action: "decline"}, nil
			}
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada", "colour": "green"}}, nil
		},
		CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			asked := req.Params.Messages[0].Content.(*mcp.TextContent).Text
			return &mcp.CreateMessageResult{Model: "canned", Role: "assistant", Content: &mcp.TextContent{Text: "short: " + asked}}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			s.progress <- req.Params.Progress
		},
		LoggingMessageHandler: func(_ context.Context, req *mcp.LoggingMessageRequest) {
			s.logs <- req.Params.Level
		},
		ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) {
			s.updates <- req.Params.URI
		},
	}
}

// connect opens a session that negotiates the given revision, with one root, and closes it with the test.
func connect(t *testing.T, transport mcp.Transport, revision string, opts *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, opts)
	client.AddRoots(&mcp.Root{URI: "file:///home/ada", Name: "home"})
	session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = session.Close() })
	if got := session.InitializeResult().ProtocolVersion; got != revision {
		t.Fatalf("negotiated %s, want %s", got, revision)
	}
	return session
}

// inMemory is a session with a server whose counter changes every second; for use inside a synctest bubble.
func inMemory(t *testing.T, revision string, opts *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	server := example.New("test")
	clientEnd, serverEnd := mcp.NewInMemoryTransports()
	go func() { _ = server.Connect(t.Context(), serverEnd) }()
	go func() { _ = server.Run(t.Context(), time.Second) }()
	return connect(t, clientEnd, revision, opts)
}

func call(t *testing.T, session *mcp.ClientSession, name string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("call %s: %v", name, err)
	}
	return result
}

func textOf(t *testing.T, result *mcp.CallToolResult) string {
	t.Helper()
	if len(result.Content) != 1 {
		t.Fatalf("%d content blocks, want 1", len(result.Content))
	}
	return result.Content[0].(*mcp.TextContent).Text
}

// checkServer is the contract that holds over every transport and revision.
func checkServer(t *testing.T, session *mcp.ClientSession) {
	t.Helper()
	for _, row := range []struct {
		rule, tool string
		args       map[string]any
		want       string
		isError    bool
	}{
		{"echo sends the text back, format verbs included", "echo", map[string]any{"message": "100 % of %s"}, "100 % of %s", false},
		{"add adds", "add", map[string]any{"a": 2, "b": 0.5}, "2 + 0.5 = 2.5", false},
		{"slow ends after its steps", "slow", map[string]any{"seconds": 0.02, "steps": 2}, "done: 2 steps in 0.02 seconds", false},
		{"slow refuses to hold a connection for ever", "slow", map[string]any{"seconds": 601}, "seconds must be in 0…600 and steps in 0…1000", true},
		{"ask shows a form and reads it", "ask", nil, "name: Ada, colour: green, subscribe: false", false},
		{"ask reports a user who declines", "ask", map[string]any{"question": "Really?"}, "the user chose to decline", false},
		{"summarise borrows the client's model", "summarise", map[string]any{"text": "long"}, "short: long", false},
		{"whereami lists the roots", "whereami", nil, "1 roots\nfile:///home/ada home", false},
		{"log says how many", "log", map[string]any{"message": "m"}, "logged on 8 levels; the client's level decides which arrive", false},
	} {
		result := call(t, session, row.tool, row.args)
		if got := textOf(t, result); got != row.want || result.IsError != row.isError {
			t.Errorf("%s: got %q (isError %v), want %q (isError %v)", row.rule, got, result.IsError, row.want, row.isError)
		}
	}
	checkResourcesAndPrompts(t, session)
}

func checkResourcesAndPrompts(t *testing.T, session *mcp.ClientSession) {
	t.Helper()
	read, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "example://greeting/german"})
	if err != nil || read.Contents[0].Text != "Guten Tag" {
		t.Errorf("read greeting: %v, %v", read, err)
	}
	if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "example://greeting/klingon"}); err == nil {
		t.Error("a language without a greeting must be an error")
	}
	prompt, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "greet", Arguments: map[string]string{"name": "Ada"}})
	if err != nil || prompt.Messages[0].Content.(*mcp.TextContent).Text != "Please greet Ada warmly in english." {
		t.Errorf("get prompt: %v, %v", prompt, err)
	}
	if _, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "greet"}); err == nil {
		t.Error("a missing required argument must be an error")
	}
	completed, err := session.Complete(t.Context(), &mcp.CompleteParams{
		Ref:      &mcp.CompleteReference{Type: "ref/prompt", Name: "greet"},
		Argument: mcp.CompleteParamsArgument{Name: "language", Value: "G"},
	})
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	if diff := cmp.Diff([]string{"german"}, completed.Completion.Values); diff != "" {
		t.Errorf("completion (-want +got):\n%s", diff)
	}
}

func TestOverStdio(t *testing.T) {
	for _, revision := range []string{legacy, modern} {
		t.Run(revision, func(t *testing.T) {
			in, toServer := io.Pipe()
			fromServer, out := io.Pipe()
			server := example.New("test")
			go func() { _ = server.RunStdio(t.Context(), in, out) }()
			checkServer(t, connect(t, &mcp.IOTransport{Reader: fromServer, Writer: toServer}, revision, options(newSeen())))
		})
	}
}

// serve listens until the test is over, its sessions included: an open event stream would hold Close.
func serve(t *testing.T, handler http.Handler) (url string) {
	t.Helper()
	host := httptest.NewServer(handler)
	t.Cleanup(host.Close)
	return host.URL
}

func TestOverStreamableHTTP(t *testing.T) {
	checkServer(t, connect(t, &mcp.StreamableClientTransport{
		Endpoint: serve(t, example.New("test").StreamableHandler(time.Minute)),
	}, legacy, options(newSeen())))
}

func TestOverSSE(t *testing.T) {
	checkServer(t, connect(t, &mcp.SSEClientTransport{
		Endpoint: serve(t, example.New("test").SSEHandler()),
	}, legacy, options(newSeen())))
}

func TestSlowReportsProgressInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen()
		session := inMemory(t, legacy, options(s))
		params := &mcp.CallToolParams{Name: "slow", Arguments: map[string]any{"seconds": 90, "steps": 3}}
		params.SetProgressToken("p1")
		start := time.Now()
		if _, err := session.CallTool(t.Context(), params); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 90*time.Second {
			t.Errorf("took %v, want 90s", took)
		}
		synctest.Wait()
		for step := range 3 {
			if got := <-s.progress; got != float64(step+1) {
				t.Errorf("progress %d is %v", step+1, got)
			}
		}
	})
}

func TestSlowStopsWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen()
		session := inMemory(t, legacy, options(s))
		params := &mcp.CallToolParams{Name: "slow", Arguments: map[string]any{"seconds": 100, "steps": 10}}
		params.SetProgressToken("p1")
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		if _, err := session.CallTool(ctx, params); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want a deadline exceeded", err)
		}
		<-time.After(time.Hour) // of the bubble's clock: a call that went on would have reported to the end
		if got := len(s.progress); got != 2 {
			t.Errorf("%d progress notifications, want the 2 from before the cancellation", got)
		}
	})
}

func TestLogObeysTheLevelOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen()
		session := inMemory(t, legacy, options(s))
		if err := session.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "error"}); err != nil {
			t.Fatal(err)
		}
		call(t, session, "log", map[string]any{"message": "m"})
		synctest.Wait()
		for _, want := range []mcp.LoggingLevel{"error", "critical", "alert", "emergency"} {
			if got := <-s.logs; got != want {
				t.Errorf("got a message of level %s, want %s", got, want)
			}
		}
		if len(s.logs) != 0 {
			t.Errorf("%d messages below the level came through", len(s.logs))
		}
	})
}

func TestCounterTellsItsSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen()
		session := inMemory(t, legacy, options(s))
		if err := session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: example.CounterURI}); err != nil {
			t.Fatal(err)
		}
		if got := <-s.updates; got != example.CounterURI {
			t.Errorf("update of %q", got)
		}
		read, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: example.CounterURI})
		if err != nil || read.Contents[0].Text != "1" {
			t.Errorf("after one update the counter reads %v, %v", read, err)
		}
		if err := session.Unsubscribe(t.Context(), &mcp.UnsubscribeParams{URI: example.CounterURI}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := len(s.updates)
		<-time.After(10 * time.Second) // of the bubble's clock: ten more changes
		synctest.Wait()
		if got := len(s.updates) - before; got != 0 {
			t.Errorf("%d updates after unsubscribing", got)
		}
	})
}

func TestAskingToolsNeedTheCapability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := inMemory(t, legacy, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
		for tool, args := range map[string]map[string]any{"ask": nil, "summarise": {"text": "t"}, "whereami": nil} {
			if result := call(t, session, tool, args); !result.IsError {
				t.Errorf("%s: %q, want a tool error that names the capability", tool, textOf(t, result))
			}
		}
	})
}
