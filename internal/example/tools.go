package example

import (
	"context"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds of the tool "slow", so that an example cannot be made to hold a connection for ever.
const (
	maxSlowSeconds = 600
	maxSlowSteps   = 1000
)

type echoInput struct {
	Message string `json:"message" jsonschema:"the text to send back"`
}

type addInput struct {
	A float64 `json:"a" jsonschema:"the first summand"`
	B float64 `json:"b" jsonschema:"the second summand"`
}

type addOutput struct {
	Sum float64 `json:"sum" jsonschema:"a + b"`
}

type slowInput struct {
	Seconds float64 `json:"seconds,omitempty" jsonschema:"how long to take in all, at most 600; 2 when absent"`
	Steps   int     `json:"steps,omitempty" jsonschema:"how many progress notifications to send, at most 1000; 4 when absent"`
}

type logInput struct {
	Message string `json:"message" jsonschema:"the text to log"`
	Level   string `json:"level,omitempty" jsonschema:"one level of RFC 5424 such as debug, warning or error; one message on each level when absent"`
}

// logLevels are the levels of RFC 5424 that MCP uses, from the least to the most severe.
var logLevels = []mcp.LoggingLevel{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

func (s *Server) addTools() {
	mcp.AddTool(s.mcp, &mcp.Tool{
		Name: "echo", Title: "Echo", Description: "Sends the message back.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true},
	}, echo)
	mcp.AddTool(s.mcp, &mcp.Tool{
		Name: "add", Title: "Add", Description: "Adds two numbers; the sum comes as text and as structured content.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true},
	}, add)
	mcp.AddTool(s.mcp, &mcp.Tool{
		Name: "slow", Title: "Take a while",
		Description: "Takes the given time, reports progress in steps, and stops when the call is cancelled.",
	}, slow)
	mcp.AddTool(s.mcp, &mcp.Tool{
		Name: "log", Title: "Log", Description: "Sends log messages to the client.",
	}, logMessages)
}

func echo(_ context.Context, _ *mcp.CallToolRequest, in echoInput) (*mcp.CallToolResult, any, error) {
	return text(in.Message), nil, nil
}

func add(_ context.Context, _ *mcp.CallToolRequest, in addInput) (*mcp.CallToolResult, addOutput, error) {
	sum := in.A + in.B
	return text("%v + %v = %v", in.A, in.B, sum), addOutput{Sum: sum}, nil
}

// slow waits and reports. A client that cancels, or leaves, ends ctx and with it the wait.
func slow(ctx context.Context, req *mcp.CallToolRequest, in slowInput) (*mcp.CallToolResult, any, error) {
	if in.Seconds == 0 {
		in.Seconds = 2
	}
	if in.Steps == 0 {
		in.Steps = 4
	}
	if in.Seconds < 0 || in.Seconds > maxSlowSeconds || in.Steps < 0 || in.Steps > maxSlowSteps {
		return nil, nil, fmt.Errorf("seconds must be in 0…%d and steps in 0…%d", maxSlowSeconds, maxSlowSteps)
	}
	ticker := time.NewTicker(max(time.Duration(in.Seconds*float64(time.Second))/time.Duration(in.Steps), time.Microsecond))
	defer ticker.Stop()
	for step := 1; step <= in.Steps; step++ {
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-ticker.C:
		}
		if err := notifyProgress(ctx, req, step, in.Steps); err != nil {
			return nil, nil, err
		}
	}
	return text("done: %d steps in %v seconds", in.Steps, in.Seconds), nil, nil
}

// notifyProgress tells a caller who asked for it, by a progress token, how far its call has come.
func notifyProgress(ctx context.Context, req *mcp.CallToolRequest, step, steps int) error {
	token := req.Params.GetProgressToken()
	if token == nil {
		return nil
	}
	return req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
		ProgressToken: token,
		Progress:      float64(step),
		Total:         float64(steps),
		Message:       fmt.Sprintf("step %d of %d", step, steps),
	})
}

func logMessages(ctx context.Context, req *mcp.CallToolRequest, in logInput) (*mcp.CallToolResult, any, error) {
	levels := logLevels
	if in.Level != "" {
		levels = []mcp.LoggingLevel{mcp.LoggingLevel(in.Level)}
	}
	for _, level := range levels {
		err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: level, Logger: Name, Data: in.Message})
		if err != nil {
			return nil, nil, err
		}
	}
	return text("logged on %d levels; the client's level decides which arrive", len(levels)), nil, nil
}

// text is a result of one text block. Arguments, if any, go into format as in fmt.Sprintf.
func text(format string, args ...any) *mcp.CallToolResult {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: format}}}
}
