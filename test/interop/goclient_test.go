//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

const (
	updateTimeout = 15 * time.Second // server-everything repeats its simulated updates every 5 s
	listTimeout   = 10 * time.Second
	settleTimeout = 20 * time.Second
)

// goClient is the Go SDK's client, carrying out one plan.
type goClient struct {
	plan    plan
	session *mcp.ClientSession
	updates chan string

	mu       sync.Mutex
	progress []map[string]any
}

// runGoClient carries out the plan and gives the transcript.
func runGoClient(t *testing.T, p plan) []entry {
	t.Helper()
	c := &goClient{plan: p, updates: make(chan string, 64)}
	client := mcp.NewClient(&mcp.Implementation{Name: "interop-go", Version: "1.0.0"}, c.options(t))
	for _, r := range p.Roots {
		client.AddRoots(&mcp.Root{URI: r.URI, Name: r.Name})
	}
	session, err := client.Connect(t.Context(), transport(p.Target), &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = session.Close() }()
	c.session = session
	if p.Settle {
		testkit.Until(t, settleTimeout, "the gateway offers tools", func() bool {
			tools, err := session.ListTools(t.Context(), nil)
			return err == nil && len(tools.Tools) > 0
		})
	}
	transcript := make([]entry, 0, len(p.Steps))
	for _, s := range p.Steps {
		transcript = append(transcript, c.run(t, s))
	}
	return transcript
}

func transport(to target) mcp.Transport {
	switch to.Kind {
	case "http":
		return &mcp.StreamableClientTransport{Endpoint: to.URL}
	case "sse":
		return &mcp.SSEClientTransport{Endpoint: to.URL}
	default:
		cmd := exec.Command(to.Command, to.Args...)
		for name, value := range to.Env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		return &mcp.CommandTransport{Command: cmd}
	}
}

// options are the canned answers of the plan.
func (c *goClient) options(t *testing.T) *mcp.ClientOptions {
	t.Helper()
	sampled := &mcp.CreateMessageResult{}
	if err := json.Unmarshal(c.plan.Sampling, sampled); err != nil {
		t.Fatal(err)
	}
	return &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{
			RootsV2: &mcp.RootCapabilities{ListChanged: true},
			Elicitation: &mcp.ElicitationCapabilities{
				Form: &mcp.FormElicitationCapabilities{}, URL: &mcp.URLElicitationCapabilities{},
			},
		},
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return sampled, nil
		},
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			if req.Params.Mode == "url" {
				return &mcp.ElicitResult{Action: "accept"}, nil
			}
			return &mcp.ElicitResult{Action: "accept", Content: c.plan.Elicitation}, nil
		},
		ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) {
			select {
			case c.updates <- req.Params.URI:
			default: // nobody waits for that many
			}
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.progress = append(c.progress, map[string]any{"progress": req.Params.Progress, "total": req.Params.Total})
		},
	}
}

// run carries out one step.
func (c *goClient) run(t *testing.T, s step) entry {
	t.Helper()
	e := entry{Label: s.Label}
	result, err := c.operate(t, s)
	if err != nil {
		var wire *jsonrpc.Error
		seen := map[string]any{"message": err.Error()}
		if errors.As(err, &wire) {
			seen = map[string]any{"code": wire.Code, "message": wire.Message, "data": wire.Data}
		}
		e.Error = encode(t, seen)
		return e
	}
	e.Result = encode(t, result)
	if s.Progress {
		c.mu.Lock()
		defer c.mu.Unlock()
		e.Progress = encode(t, c.progress)
	}
	return e
}

func encode(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (c *goClient) operate(t *testing.T, s step) (any, error) {
	ctx := t.Context()
	switch s.Op {
	case opList:
		return c.list(ctx, s)
	case opCall:
		return c.call(ctx, s)
	case opGet:
		arguments := map[string]string{}
		for k, v := range s.Arguments {
			arguments[k] = fmt.Sprint(v)
		}
		return c.session.GetPrompt(ctx, &mcp.GetPromptParams{Name: c.plan.Prefix + s.Name, Arguments: arguments})
	case opRead:
		return c.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: s.URI})
	case opComplete:
		params := &mcp.CompleteParams{
			Ref:      &mcp.CompleteReference{Type: s.Ref.Type, URI: s.Ref.URI},
			Argument: mcp.CompleteParamsArgument{Name: s.Argument.Name, Value: s.Argument.Value},
		}
		if s.Ref.Name != "" {
			params.Ref.Name = c.plan.Prefix + s.Ref.Name
		}
		if s.Context != nil {
			params.Context = &mcp.CompleteContext{Arguments: s.Context.Arguments}
		}
		return c.session.Complete(ctx, params)
	case opSubscribe:
		return c.subscribe(ctx, s)
	}
	return nil, fmt.Errorf("the Go client has no operation %q", s.Op)
}

// list follows every page; with Until, again until a resource has that URI.
func (c *goClient) list(ctx context.Context, s step) (result any, err error) {
	testkit.Poll(listTimeout, func() bool {
		var found bool
		result, found, err = c.listOnce(ctx, s)
		return err != nil || s.Until == "" || found
	})
	return result, err
}

func (c *goClient) listOnce(ctx context.Context, s step) (_ any, found bool, _ error) {
	items := []any{}
	var fail error
	switch s.What {
	case "tools":
		for item, err := range c.session.Tools(ctx, nil) {
			items, fail = append(items, item), errors.Join(fail, err)
		}
	case "prompts":
		for item, err := range c.session.Prompts(ctx, nil) {
			items, fail = append(items, item), errors.Join(fail, err)
		}
	case "resources":
		for item, err := range c.session.Resources(ctx, nil) {
			items, fail = append(items, item), errors.Join(fail, err)
			found = found || err == nil && item.URI == s.Until
		}
	case "resourceTemplates":
		for item, err := range c.session.ResourceTemplates(ctx, nil) {
			items, fail = append(items, item), errors.Join(fail, err)
		}
	}
	return map[string]any{s.What: items}, found, fail
}

func (c *goClient) call(ctx context.Context, s step) (any, error) {
	params := &mcp.CallToolParams{Name: c.plan.Prefix + s.Name, Arguments: s.Arguments}
	if s.Progress {
		c.mu.Lock()
		c.progress = nil
		c.mu.Unlock()
		params.SetProgressToken("interop")
	}
	return c.session.CallTool(ctx, params)
}

// subscribe waits for the word that the tool has made the resource change.
func (c *goClient) subscribe(ctx context.Context, s step) (any, error) {
	if err := c.session.Subscribe(ctx, &mcp.SubscribeParams{URI: s.URI}); err != nil {
		return nil, err
	}
	if _, err := c.call(ctx, s); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(updateTimeout)
	defer timeout.Stop()
	for {
		select {
		case uri := <-c.updates:
			if uri == s.URI {
				return map[string]any{"updated": uri}, c.session.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: s.URI})
			}
		case <-timeout.C:
			return nil, fmt.Errorf("no update of %s", s.URI)
		}
	}
}
