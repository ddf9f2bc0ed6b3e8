package example

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const languageArgument = "language"

func (s *Server) addPrompts() {
	s.mcp.AddPrompt(&mcp.Prompt{
		Name: "greet", Title: "Greet somebody", Description: "Asks for a greeting in a language of your choice.",
		Arguments: []*mcp.PromptArgument{
			{Name: "name", Description: "whom to greet", Required: true},
			{Name: languageArgument, Description: "the language to greet in; english when absent"},
		},
	}, greet)
}

func greet(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	name := req.Params.Arguments["name"]
	if name == "" {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: `missing argument "name"`}
	}
	language := req.Params.Arguments[languageArgument]
	if language == "" {
		language = "english"
	}
	return &mcp.GetPromptResult{
		Description: "A greeting for " + name,
		Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{
			Text: fmt.Sprintf("Please greet %s warmly in %s.", name, language),
		}}},
	}, nil
}

// complete offers the languages, for the argument of the prompt and for the variable of the resource template.
func complete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	values := []string{}
	if req.Params.Argument.Name == languageArgument {
		for _, language := range slices.Sorted(maps.Keys(greetings)) {
			if strings.HasPrefix(language, strings.ToLower(req.Params.Argument.Value)) {
				values = append(values, language)
			}
		}
	}
	return &mcp.CompleteResult{
		Completion: mcp.CompletionResultDetails{Values: values, Total: len(values)},
	}, nil
}
