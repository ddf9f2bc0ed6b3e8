package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	docsFile   = "../../docs/configuration.md"
	docsBegin  = "<!-- begin options: written by go test ./pkg/config -update -->\n"
	docsEnd    = "<!-- end options -->\n"
	docsHeader = "| Flag | Variable | config.toml | Default | |\n|---|---|---|---|---|\n"
)

// TestDocumentationHasEveryOption compares the tables of options in the documentation with the registry.
func TestDocumentationHasEveryOption(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), docsBegin)
	got, after, ok2 := strings.Cut(rest, docsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no section between %q and %q", docsFile, docsBegin, docsEnd)
	}
	want := optionTables()
	if *update {
		if err := os.WriteFile(docsFile, []byte(before+docsBegin+want+docsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables of options (-registry +documentation), go test ./pkg/config -update writes them:\n%s", diff)
	}
}

func optionTables() string {
	var b strings.Builder
	group := ""
	for _, o := range Registry() {
		if o.Group != group {
			group = o.Group
			fmt.Fprintf(&b, "\n### %s\n\n%s", group, docsHeader)
		}
		flag := "`--" + o.Name + "`"
		if o.Short != "" {
			flag = "`-" + o.Short + "`, " + flag
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", flag, o.Env(), codes(o.TOML...), codes(o.Default), docsRemark(o))
	}
	b.WriteString("\n")
	return b.String()
}

func codes(words ...string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, "`"+w+"`")
		}
	}
	return strings.Join(out, ", ")
}

func docsRemark(o Option) string {
	out := strings.ReplaceAll(o.Help, "|", `\|`)
	if o.NoEffect != "" {
		out += ". *No effect: " + o.NoEffect + ".*"
	}
	if o.Refused != "" {
		out += ". *Refused: " + o.Refused + ".*"
	}
	if o.Deprecated != "" {
		out += ". *Deprecated: " + o.Deprecated + ".*"
	}
	return out
}

// TestDocumentationHasEveryKey checks that each key of mcp.json has a word in the documentation.
func TestDocumentationHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Concat(slices.Collect(maps.Keys(sections)), slices.Collect(maps.Keys(serverKeys)), slices.Collect(maps.Keys(oauthKeys)),
		slices.Collect(maps.Keys(typeWords)), minimumUnix, minimumOf["windows"], ownedHeaders)
	for _, key := range keys {
		if !strings.Contains(string(data), "`"+key+"`") {
			t.Errorf("%s does not mention `%s`", docsFile, key)
		}
	}
}
