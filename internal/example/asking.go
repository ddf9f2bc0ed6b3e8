package example

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The keys under which an answer to an input request comes back; they live only between two rounds of one call.
const (
	formKey    = "form"
	summaryKey = "summary"
	rootsKey   = "roots"
)

type askInput struct {
	Question string `json:"question,omitempty" jsonschema:"what to ask above the form"`
}

type summariseInput struct {
	Text string `json:"text" jsonschema:"the text to summarise"`
}

func (s *Server) addAskingTools() {
	mcp.AddTool(s.mcp, &mcp.Tool{
		Name: "ask", Title: "Ask the user", Description: "Asks the user to fill in a small form (elicitation) and says what came back.",
	}, ask)
	mcp.AddTool(s.mcp, &mcp.Tool{
		Name: "summarise", Title: "Summarise", Description: "Lets the client's own model summarise a text (sampling).",
	}, summarise)
	mcp.AddTool(s.mcp, &mcp.Tool{
		Name: "whereami", Title: "Where am I", Description: "Lists the client's roots.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true},
	}, whereami)
}

func ask(_ context.Context, req *mcp.CallToolRequest, in askInput) (*mcp.CallToolResult, any, error) {
	if caps := req.ClientCapabilities(); caps == nil || caps.Elicitation == nil {
		return nil, nil, errors.New("this client cannot show a form: it did not declare the capability elicitation")
	}
	if answer, ok := req.Params.InputResponses[formKey].(*mcp.ElicitResult); ok {
		if answer.Action != "accept" {
			return text("the user chose to %s", answer.Action), nil, nil
		}
		return text("name: %v, colour: %v, subscribe: %v",
			answer.Content["name"], answer.Content["colour"], answer.Content["subscribe"]), nil, nil
	}
	question := in.Question
	if question == "" {
		question = "Who are you?"
	}
	return askFor(formKey, &mcp.ElicitParams{Message: question, RequestedSchema: form()}), nil, nil
}

// form is an elicitation form with one field of each common kind: free text, a choice, a yes or no with a default.
func form() map[string]any {
	return map[string]any{
		"type": "object",
		"properties": map[string]any{
			"name":      map[string]any{"type": "string", "title": "Name", "minLength": 1},
			"colour":    map[string]any{"type": "string", "title": "Favourite colour", "enum": []string{"red", "green", "blue"}},
			"subscribe": map[string]any{"type": "boolean", "title": "Subscribe", "default": false},
		},
		"required": []string{"name"},
	}
}

func summarise(_ context.Context, req *mcp.CallToolRequest, in summariseInput) (*mcp.CallToolResult, any, error) {
	if caps := req.ClientCapabilities(); caps == nil || caps.Sampling == nil {
		return nil, nil, errors.New("this client lends no model: it did not declare the capability sampling")
	}
	if answer, ok := req.Params.InputResponses[summaryKey].(*mcp.CreateMessageWithToolsResult); ok {
		i := slices.IndexFunc(answer.Content, isText)
		if i < 0 {
			return nil, nil, fmt.Errorf("the model %q answered without text", answer.Model)
		}
		return text("%s", answer.Content[i].(*mcp.TextContent).Text), nil, nil
	}
	return askFor(summaryKey, &mcp.CreateMessageParams{
		MaxTokens:    200,
		SystemPrompt: "Summarise the text in one sentence.",
		Messages:     []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: in.Text}}},
	}), nil, nil
}

func isText(c mcp.Content) bool {
	_, ok := c.(*mcp.TextContent)
	return ok
}

func whereami(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	if caps := req.ClientCapabilities(); caps == nil || caps.RootsV2 == nil {
		return nil, nil, errors.New("this client has no roots: it did not declare the capability roots")
	}
	if answer, ok := req.Params.InputResponses[rootsKey].(*mcp.ListRootsResult); ok {
		var b strings.Builder
		fmt.Fprintf(&b, "%d roots", len(answer.Roots))
		for _, root := range answer.Roots {
			fmt.Fprintf(&b, "\n%s %s", root.URI, root.Name)
		}
		return text("%s", b.String()), nil, nil
	}
	return askFor(rootsKey, &mcp.ListRootsParams{}), nil, nil
}

// askFor makes one request of the client. The SDK calls the handler again with the answer under the same key.
func askFor(key string, request mcp.InputRequest) *mcp.CallToolResult {
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{key: request}}
}
