package proxy

import (
	"strings"
	"sync"

	"github.com/manifold-mcp/manifold/pkg/filter"
)

// view is the part of a catalogue that some clients see: those whose filter selects the same servers share one.
type view struct {
	*catalogue
	// visible tells per entry whether this view shows it.
	visible []bool
	count   int // of visible entries
	lists   [kinds]list
}

// list is one encoded list of a view, made on first use.
type list struct {
	once  sync.Once
	items []*target
	whole []byte // result with all items
}

// views caches the views of a catalogue, by filter text and by the set of servers selected. Both are bounded: a client
// that sends ever new expressions makes only entries of byText that are dropped whole when there are too many.
type views struct {
	mu     sync.RWMutex
	byText map[string]*view
	bySet  map[string]*view
}

const (
	maxViewTexts = 1024
	maxViewSets  = 128
)

// view gives the view of a filter. It costs a lookup when the filter was seen before.
func (c *catalogue) view(expr filter.Expr) *view {
	text := expr.String()
	c.views.mu.RLock()
	v := c.views.byText[text]
	c.views.mu.RUnlock()
	if v != nil {
		return v
	}
	v = c.newView(expr)
	set := v.set()
	c.views.mu.Lock()
	defer c.views.mu.Unlock()
	if len(c.views.byText) >= maxViewTexts || c.views.byText == nil {
		c.views.byText = map[string]*view{}
	}
	if len(c.views.bySet) >= maxViewSets || c.views.bySet == nil {
		c.views.bySet = map[string]*view{}
	}
	if same, ok := c.views.bySet[set]; ok {
		v = same
	} else {
		c.views.bySet[set] = v
	}
	c.views.byText[text] = v
	return v
}

func (c *catalogue) newView(expr filter.Expr) *view {
	v := &view{catalogue: c, visible: make([]bool, len(c.entries))}
	for i, e := range c.entries {
		if expr.Match(e.Tags) {
			v.visible[i] = true
			v.count++
		}
	}
	return v
}

func (v *view) set() string {
	var b strings.Builder
	for _, on := range v.visible {
		if on {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}

// shows tells whether the view shows the server of that name.
func (v *view) shows(server string) bool {
	for i, e := range v.entries {
		if e.Name() == server {
			return v.visible[i]
		}
	}
	return false
}

// find gives what a public name leads to in this view, or nil.
func (v *view) find(k kind, public string) *target {
	t := v.index[k][public]
	if t == nil || !v.visible[t.entry.index] {
		return nil
	}
	return t
}

// list gives an encoded list, sorted by public name.
func (v *view) list(k kind) *list {
	l := &v.lists[k]
	l.once.Do(func() {
		for _, t := range v.sorted[k] {
			if v.visible[t.entry.index] {
				l.items = append(l.items, t)
			}
		}
		l.whole = encodeList(k, l.items, "")
	})
	return l
}

// encodeList makes the result of a list method; next is the cursor of the following page, if any.
func encodeList(k kind, items []*target, next string) []byte {
	size := 64 + len(next)
	for _, t := range items {
		size += len(t.item) + 1
	}
	b := append(make([]byte, 0, size), `{"`+shapes[k].member+`":[`...)
	for i, t := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, t.item...)
	}
	b = append(b, ']')
	if next != "" {
		b = append(b, `,"nextCursor":"`+next+`"`...)
	}
	return append(b, '}')
}
