package example

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	// CounterURI names the resource that changes while [Server.Run] runs.
	CounterURI = "example://counter"
	// GreetingTemplate names one text per language; completion knows the languages.
	GreetingTemplate = "example://greeting/{language}"

	greetingPrefix = "example://greeting/"
)

// greetings by language, as both the resource template and the prompt use them.
var greetings = map[string]string{
	"english": "Hello",
	"french":  "Bonjour",
	"german":  "Guten Tag",
	"italian": "Buongiorno",
	"spanish": "Buenos días",
}

func (s *Server) addResources() {
	s.mcp.AddResource(&mcp.Resource{
		URI: CounterURI, Name: "counter", Title: "Counter", MIMEType: "text/plain",
		Description: "A number that grows while the server runs; subscribe to be told.",
	}, s.readCounter)
	s.mcp.AddResourceTemplate(&mcp.ResourceTemplate{
		URITemplate: GreetingTemplate, Name: "greeting", Title: "Greeting", MIMEType: "text/plain",
		Description: "How one says hello in a language.",
	}, readGreeting)
}

func (s *Server) readCounter(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return plain(req.Params.URI, strconv.FormatInt(s.counter.Load(), 10)), nil
}

func readGreeting(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	language, err := url.PathUnescape(strings.TrimPrefix(req.Params.URI, greetingPrefix))
	greeting, ok := greetings[strings.ToLower(language)]
	if err != nil || !ok {
		return nil, mcp.ResourceNotFoundError(req.Params.URI)
	}
	return plain(req.Params.URI, greeting), nil
}

func plain(uri, content string) *mcp.ReadResourceResult {
	return &mcp.ReadResourceResult{
		Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: "text/plain", Text: content}},
	}
}
