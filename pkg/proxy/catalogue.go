package proxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/yosida95/uritemplate/v3"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// catalogue is everything that all servers offer, under the names that clients see. It is built whole and never changed.
type catalogue struct {
	// id is a digest of the contents; cursors are bound to it.
	id      string
	entries []*entry
	index   [kinds]map[string]*target
	sorted  [kinds][]*target
	// patterns are the compiled resource templates, in order of configuration.
	patterns []pattern
	problems []Problem
	views    views
}

// entry is one server in the catalogue.
type entry struct {
	*Server
	in    *catalogue
	index int
	inv   *protocol.Inventory
	// wrapped maps its own URIs that another server claimed first to the public ones. Almost always empty.
	wrapped map[string]string
	// digest of its public items per list, to tell what a change changed.
	digest [kinds]string
}

// target is where a public name leads.
type target struct {
	entry  *entry
	public string
	own    string
	// ownJSON is own as a JSON string, to be spliced into requests; nil where the name is the same.
	ownJSON []byte
	// item is the list item as clients see it.
	item []byte
}

type pattern struct {
	*target
	re *regexp.Regexp
}

// Problem is something that a server offers and that could not be served as it is.
type Problem struct {
	Server, Kind, Item, Reason string
}

func (p Problem) String() string {
	return fmt.Sprintf("server %q: %s %q %s", p.Server, p.Kind, p.Item, p.Reason)
}

// maxProblems bounds what one catalogue reports; a server may have 50,000 bad items.
const maxProblems = 200

// build makes a catalogue of the servers' present inventories. Servers come in order of configuration, which decides collisions.
func build(servers []*Server, separator string) *catalogue {
	c := &catalogue{}
	for k := range kinds {
		c.index[k] = map[string]*target{}
	}
	for i, s := range servers {
		e := &entry{Server: s, in: c, index: i, inv: s.Inventory()}
		c.entries = append(c.entries, e)
		c.addNamed(e, tools, e.inv.Tools, separator)
		c.addNamed(e, prompts, e.inv.Prompts, separator)
		c.addURIs(e, resources, e.inv.Resources)
		c.addURIs(e, templates, e.inv.Templates)
	}
	c.finish()
	return c
}

func (c *catalogue) report(e *entry, k kind, item, reason string) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{e.Name(), shapes[k].noun, clip(item), reason})
	}
}

// checked yields the usable items of a list with their own names, and reports the others.
func (c *catalogue) checked(e *entry, k kind, items [][]byte, add func(raw []byte, own string)) {
	seen := make(map[string]bool, len(items))
	for i, raw := range items {
		item, own, note, err := shapes[k].check(raw)
		switch {
		case err != nil:
			c.report(e, k, cmp.Or(own, fmt.Sprintf("#%d", i+1)), err.Error()+"; left out")
		case seen[own]:
			c.report(e, k, own, "is listed twice; the first counts")
		default:
			seen[own] = true
			if note != "" {
				c.report(e, k, own, note)
			}
			add(item, own)
		}
	}
}

// addNamed adds tools or prompts under their public names.
func (c *catalogue) addNamed(e *entry, k kind, items [][]byte, separator string) {
	c.checked(e, k, items, func(raw []byte, own string) {
		public, altered := filter.PublicName(e.Prefix, separator, own, 0)
		if k == tools && (slices.Contains(e.DisabledTools, own) || slices.Contains(e.DisabledTools, public)) {
			return
		}
		if altered {
			c.report(e, k, own, fmt.Sprintf("does not fit a public name and is served as %q", public))
		}
		if first, taken := c.index[k][public]; taken {
			public, _ = filter.PublicName(e.Name(), separator, own, 0)
			if _, taken := c.index[k][public]; taken {
				c.report(e, k, own, fmt.Sprintf("collides with one of server %q; left out", first.entry.Name()))
				return
			}
			c.report(e, k, own, fmt.Sprintf("collides with one of server %q and is served as %q", first.entry.Name(), public))
		}
		t := &target{entry: e, public: public, own: own, item: raw}
		whole := wire.Span{End: len(raw)}
		if public != own {
			t.ownJSON = wire.AppendQuote(nil, own)
			t.item = wire.AppendSplice(nil, raw, wire.SetMember(raw, whole, "name", wire.AppendQuote(nil, public)))
		}
		if text, ok := e.Descriptions[own]; ok && k == tools {
			at := wire.Span{End: len(t.item)}
			t.item = wire.AppendSplice(nil, t.item, wire.SetMember(t.item, at, "description", wire.AppendQuote(nil, text)))
		}
		c.index[k][public] = t
	})
}

// addURIs adds resources or templates. URIs pass verbatim; only one that an earlier server has is wrapped.
func (c *catalogue) addURIs(e *entry, k kind, items [][]byte) {
	c.checked(e, k, items, func(raw []byte, own string) {
		t := &target{entry: e, public: own, own: own, item: raw}
		if first, taken := c.index[k][own]; taken {
			t.public = wrapURI(e.Name(), own)
			if _, taken := c.index[k][t.public]; taken {
				c.report(e, k, own, "collides even when wrapped; left out")
				return
			}
			c.report(e, k, own, fmt.Sprintf("is also one of server %q and is served as %q", first.entry.Name(), t.public))
			t.ownJSON = wire.AppendQuote(nil, own)
			t.item = wire.AppendSplice(nil, raw, wire.SetMember(raw, wire.Span{End: len(raw)}, shapes[k].key, wire.AppendQuote(nil, t.public)))
			if e.wrapped == nil {
				e.wrapped = map[string]string{}
			}
			e.wrapped[own] = t.public
		}
		c.index[k][t.public] = t
		if k == templates {
			c.addPattern(t)
		}
	})
}

// Bounds of what URIs are matched against. A template beyond them is listed but not matched: its expression would be large,
// slow, or refused by package regexp, which repeats nothing more than 1000 times.
const (
	maxTemplate  = 2 << 10 // bytes of one template
	maxVariables = 64      // of one template
	maxPatterns  = 2000    // of all servers together
)

func (c *catalogue) addPattern(t *target) {
	var why string
	switch {
	case len(t.public) > maxTemplate:
		why = fmt.Sprintf("is longer than %d bytes", maxTemplate)
	case strings.Count(t.public, "{")+strings.Count(t.public, ",") > maxVariables:
		why = fmt.Sprintf("has more than %d variables", maxVariables)
	case len(c.patterns) >= maxPatterns:
		why = fmt.Sprintf("comes after %d others", maxPatterns)
	default:
		tmpl, err := uritemplate.New(t.public)
		if err == nil {
			c.patterns = append(c.patterns, pattern{t, tmpl.Regexp()})
			return
		}
		why = "is not a URI template"
	}
	c.report(t.entry, templates, clip(t.own), why+"; URIs are not matched against it")
}

// finish sorts the lists and takes the digests.
func (c *catalogue) finish() {
	all := sha256.New()
	for k := range kinds {
		for _, t := range c.index[k] {
			c.sorted[k] = append(c.sorted[k], t)
		}
		slices.SortFunc(c.sorted[k], func(a, b *target) int { return cmp.Compare(a.public, b.public) })
		sums := make([]strings.Builder, len(c.entries))
		for _, t := range c.sorted[k] {
			sum := sha256.Sum256(t.item)
			sums[t.entry.index].Write(sum[:])
			all.Write(sum[:])
		}
		for i, e := range c.entries {
			sum := sha256.Sum256([]byte(sums[i].String()))
			e.digest[k] = string(sum[:])
		}
	}
	c.id = base64.RawURLEncoding.EncodeToString(all.Sum(nil)[:12])
}

// noItems is the digest of an empty list.
var noItems = func() string { sum := sha256.Sum256(nil); return string(sum[:]) }()

// scheme of wrapped URIs; ui:// keeps its own because hosts key on it (MCP Apps).
const (
	wrapScheme = "manifold://"
	uiScheme   = "ui://"
	uiWrapped  = "ui://manifold/"
)

// wrapURI makes a URI (or template) that only one server can have. It is undone by cutting what was put before it.
func wrapURI(server, uri string) string {
	server = url.PathEscape(server)
	if rest, ok := strings.CutPrefix(uri, uiScheme); ok {
		return uiWrapped + server + "/" + rest
	}
	return wrapScheme + server + "/" + uri
}

// unwrapURI gives the server's own form of a public URI of e.
func (e *entry) unwrapURI(public string) string {
	server := url.PathEscape(e.Name())
	if rest, ok := strings.CutPrefix(public, wrapScheme+server+"/"); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(public, uiWrapped+server+"/"); ok {
		return uiScheme + rest
	}
	return public
}
