package main

import (
	"context"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/manifold-mcp/manifold/pkg/config"
)

// program is what every command needs from the outside world.
type program struct {
	environ        []string
	env            config.Env
	flags          *config.Flags
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run is the program without its process: arguments and streams in, an error out.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := &program{environ: environ, env: config.EnvFrom(environ), flags: config.NewFlags(), stdin: stdin, stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "agent",
		Short:         "One MCP endpoint in front of many MCP servers",
		Long:          "agent starts or connects to every MCP server in mcp.json and serves all of them as one, at http://127.0.0.1:3050/mcp.",
		Example:       "  agent --config mcp.json\n  agent --config mcp.json --transport stdio\n  agent validate --config mcp.json",
		Version:       versionText(),
		Args:          noArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          p.serve,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{err}
	})
	p.flags.Bind(root.PersistentFlags())
	root.AddCommand(
		&cobra.Command{Use: "serve", Short: "Serve (what agent does without a command)", Args: noArgs, RunE: p.serve},
		p.validateCommand(), p.configCommand(), p.exampleCommand(), versionCommand(), p.guardCommand(),
	)
	return root
}

func noArgs(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return usageError{err}
	}
	return nil
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: noArgs, RunE: func(c *cobra.Command, _ []string) error {
		c.Println("agent " + versionText())
		return nil
	}}
}

// versionText is the release, the commit if the build knows it, and the Go version.
func versionText() string {
	var text strings.Builder
	text.WriteString(version)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				text.WriteString(" (" + s.Value[:min(12, len(s.Value))] + ")")
			}
		}
	}
	return text.String() + " " + runtime.Version()
}

func (p *program) exampleCommand() *cobra.Command {
	opts := exampleOptions{Version: version}
	c := &cobra.Command{Use: "example-server", Short: "Run a small MCP server to try things with (stdio, or HTTP)", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runExampleServer(c.Context(), p.stdin, p.stdout, p.stderr, opts)
		}}
	c.Flags().StringVar(&opts.HTTP, "http", "", "serve streamable HTTP at /mcp on this address instead of stdio")
	c.Flags().StringVar(&opts.SSE, "sse", "", "serve HTTP+SSE at /sse on this address instead of stdio")
	c.Flags().DurationVar(&opts.Interval, "interval", 0, "how often the counter resource changes")
	return c
}
