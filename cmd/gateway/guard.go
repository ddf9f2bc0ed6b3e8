package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/manifold-mcp/manifold/pkg/upstream"
)

// guardName is the command by which the gateway starts its guardian: the process that ends the servers' processes when the
// gateway is killed. It is not for people.
const guardName = "guard"

func (p *program) guardCommand() *cobra.Command {
	return &cobra.Command{Use: guardName, Short: "End the servers' processes when the gateway is killed (started by the gateway itself)",
		Hidden: true, Args: noArgs, RunE: func(*cobra.Command, []string) error { return upstream.RunGuardian(p.stdin) }}
}

// guardLine is the command line of the guardian; empty, which means none, if the program does not know where it lies.
func guardLine() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{self, guardName}
}
