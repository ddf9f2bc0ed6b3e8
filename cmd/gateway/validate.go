package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/manifold-mcp/manifold/pkg/config"
)

func (p *program) validateCommand() *cobra.Command {
	return &cobra.Command{Use: "validate", Short: "Check mcp.json, flags and variables, and print every problem with its cure", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.validate() }}
}

// validate prints all problems; errors make it fail with the exit code for configuration.
func (p *program) validate() error {
	opts, report := p.flags.Resolve(p.env)
	printReport(p.stdout, "", report)
	file, fileReport, err := opts.LoadFile(p.env)
	if err != nil {
		return usageError{err}
	}
	printReport(p.stdout, file.Path, fileReport)
	presets, presetReport, err := config.LoadPresets(opts.PresetsPath(), p.env)
	if err != nil {
		return usageError{err}
	}
	printReport(p.stdout, opts.PresetsPath(), presetReport)
	all := append(append(report, fileReport...), presetReport...)
	fmt.Fprintf(p.stdout, "%s: %d servers (%d enabled), %d presets, %d errors, %d warnings\n",
		file.Path, len(file.Servers), len(file.Enabled()), len(presets), len(all.Errors()), len(all.Warnings()))
	if all.HasErrors() {
		return usageError{errReported}
	}
	return nil
}

// printReport prints one problem per line, as compilers do.
func printReport(w io.Writer, path string, report config.Report) {
	for _, p := range report {
		place := path
		if at := p.Position(); at != "" {
			place += ":" + at
		}
		if place != "" {
			place += ": "
		}
		fmt.Fprintf(w, "%s%s: %s\n", place, p.Severity, p)
	}
}

func (p *program) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "About the configuration", Args: noArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(&cobra.Command{Use: "schema", Short: "Print the JSON Schema of mcp.json", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		_, err := p.stdout.Write(config.Schema())
		return err
	}})
	return c
}

// options resolves flags, variables and config.toml, and fails on the first layer that is wrong.
func (p *program) options() (config.Options, config.Report, error) {
	opts, report := p.flags.Resolve(p.env)
	if err := report.Err(); err != nil {
		return opts, report, usageError{errors.Join(errors.New("wrong options"), err)}
	}
	return opts, report.Warnings(), nil
}
