package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// startExample runs the subcommand and returns the stream of its notes and, once it ended, its error.
func startExample(t *testing.T, in io.Reader, out io.Writer, opts exampleOptions) (notes *bufio.Scanner, done <-chan error, stop context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	read, write := io.Pipe()
	t.Cleanup(func() { _ = read.Close() })
	result := make(chan error, 1)
	go func() { result <- runExampleServer(ctx, in, out, write, opts) }()
	return bufio.NewScanner(read), result, cancel
}

func checkEcho(t *testing.T, transport mcp.Transport) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"message": "hi"}})
	if err != nil || result.Content[0].(*mcp.TextContent).Text != "hi" {
		t.Fatalf("echo: %+v, %v", result, err)
	}
	return session
}

func TestExampleServerOverStdioEndsWithItsInput(t *testing.T) {
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	_, done, _ := startExample(t, in, out, exampleOptions{})
	checkEcho(t, &mcp.IOTransport{Reader: fromServer, Writer: toServer})
	if err := toServer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the end of the input is a normal end, got %v", err)
	}
}

func TestExampleServerOverHTTPAndSSEAtOnce(t *testing.T) {
	notes, done, stop := startExample(t, nil, nil, exampleOptions{HTTP: "127.0.0.1:0", SSE: "127.0.0.1:0"})
	for range 2 {
		if !notes.Scan() {
			t.Fatalf("no address was told: %v", notes.Err())
		}
		_, url, found := strings.Cut(notes.Text(), "listening on ")
		if !found {
			t.Fatalf("unexpected note %q", notes.Text())
		}
		if strings.HasSuffix(url, "/sse") {
			checkEcho(t, &mcp.SSEClientTransport{Endpoint: url})
		} else {
			checkEcho(t, &mcp.StreamableClientTransport{Endpoint: url})
		}
	}
	stop() // with both sessions and their event streams still open
	if err := <-done; err != nil {
		t.Errorf("a cancelled server ends without an error, got %v", err)
	}
}

func TestExampleServerReportsATakenAddress(t *testing.T) {
	notes, _, _ := startExample(t, nil, nil, exampleOptions{HTTP: "127.0.0.1:0"})
	if !notes.Scan() {
		t.Fatal("no address was told")
	}
	addr := strings.TrimSuffix(strings.TrimPrefix(notes.Text(), "example server listening on http://"), "/mcp")
	err := runExampleServer(t.Context(), nil, nil, io.Discard, exampleOptions{HTTP: addr})
	if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v, want an error that names %s", err, addr)
	}
}
