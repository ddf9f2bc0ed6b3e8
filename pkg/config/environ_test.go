package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnviron(t *testing.T) {
	parent := []string{
		"PATH=/bin", "HOME=/home/me", "USER=me", "LOGNAME=me", "SHELL=/bin/sh", "TERM=xterm", "TMPDIR=/var/tmp", "LANG=C", "LC_ALL=C",
		"GW_SECRET=x", "AWS_SECRET_ACCESS_KEY=y", "HTTPS_PROXY=http://u:p@proxy", "ONE_MCP_ADMIN_PASSWORD=z", "NODE_A=1", "NODE_B=2",
		"BASH_FUNC_f%%=() { :; }", "=C:=C:\\", "NOVALUE",
	}
	minimum := []string{"HOME=/home/me", "LANG=C", "LC_ALL=C", "LOGNAME=me", "PATH=/bin", "SHELL=/bin/sh", "TERM=xterm", "TMPDIR=/var/tmp", "USER=me"}
	tests := []struct {
		rule   string
		server Server
		parent []string
		want   []string
	}{
		{"the minimum and nothing else", Server{}, parent, minimum},
		{"env comes on top", Server{Env: map[string]Secret{"PATH": "/opt", "Z": "1"}}, []string{"PATH=/bin", "GW_SECRET=x"}, []string{"PATH=/opt", "Z=1"}},
		{"envFilter alone lets nothing more through", Server{EnvFilter: []string{"GW_*"}}, parent, minimum},
		{
			"inheriting passes all but the gateway's own and shell functions", Server{InheritParentEnv: true},
			[]string{"PATH=/bin", "GW_SECRET=x", "ONE_MCP_X=1", "f=() { :; }"},
			[]string{"GW_SECRET=x", "PATH=/bin"},
		},
		{"names and prefixes allow", Server{InheritParentEnv: true, EnvFilter: []string{"PATH", "NODE_*"}}, parent, []string{"NODE_A=1", "NODE_B=2", "PATH=/bin"}},
		{"a denial wins", Server{InheritParentEnv: true, EnvFilter: []string{"NODE_*", "!NODE_B"}}, parent, []string{"NODE_A=1"}},
		{
			"denials only allow everything else", Server{InheritParentEnv: true, EnvFilter: []string{"!AWS_*"}},
			[]string{"PATH=/bin", "AWS_SECRET_ACCESS_KEY=y", "X=1"},
			[]string{"PATH=/bin", "X=1"},
		},
		{"* does not hand out ONE_MCP_*", Server{InheritParentEnv: true, EnvFilter: []string{"*"}}, []string{"A=1", "ONE_MCP_X=1"}, []string{"A=1"}},
		{"naming ONE_MCP_* does", Server{InheritParentEnv: true, EnvFilter: []string{"ONE_MCP_*"}}, []string{"A=1", "ONE_MCP_X=1"}, []string{"ONE_MCP_X=1"}},
		{"env is not filtered", Server{InheritParentEnv: true, EnvFilter: []string{"!A"}, Env: map[string]Secret{"A": "2"}}, []string{"A=1", "B=1"}, []string{"A=2", "B=1"}},
		{"of a name given twice the last value holds", Server{InheritParentEnv: true}, []string{"A=1", "A=2"}, []string{"A=2"}},
		{"an empty parent gives env only", Server{Env: map[string]Secret{"A": ""}}, nil, []string{"A="}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.server.environ("linux", tt.parent)); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
	windows := Server{Env: map[string]Secret{"path": "D:\\"}}
	got := windows.environ("windows", []string{"Path=C:\\", "SystemRoot=C:\\Windows", "ComSpec=cmd", "Secret=x", "HOME=no"})
	if diff := cmp.Diff([]string{"ComSpec=cmd", "SystemRoot=C:\\Windows", "path=D:\\"}, got); diff != "" {
		t.Errorf("on Windows names have no case (-want +got):\n%s", diff)
	}
}
