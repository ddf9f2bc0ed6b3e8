package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Bounds of one list of a server (security-reliability S21).
const (
	maxPages     = 1000
	maxItems     = 50_000
	maxListBytes = 64 << 20
	maxCursor    = 64 << 10
	listTimeout  = 15 * time.Second // for all pages of one list
)

// listSet is a set of a server's lists.
type listSet uint32

const (
	listTools listSet = 1 << iota
	listPrompts
	listResources
	listTemplates
	allLists = listTools | listPrompts | listResources | listTemplates
)

// listKind is how one list is asked for and where it is kept.
type listKind struct {
	bit    listSet
	has    protocol.ServerCapability
	method string
	member string // of the result
	items  func(*protocol.Inventory) *[][]byte
}

var listKinds = []listKind{
	{listTools, protocol.HasTools, protocol.ToolsList, "tools", func(i *protocol.Inventory) *[][]byte { return &i.Tools }},
	{listPrompts, protocol.HasPrompts, protocol.PromptsList, "prompts", func(i *protocol.Inventory) *[][]byte { return &i.Prompts }},
	{listResources, protocol.HasResources, protocol.ResourcesList, "resources", func(i *protocol.Inventory) *[][]byte { return &i.Resources }},
	{listTemplates, protocol.HasResources, protocol.ResourceTemplatesList, "resourceTemplates", func(i *protocol.Inventory) *[][]byte { return &i.Templates }},
}

// listsOf gives the lists that a list_changed notification is about.
func listsOf(method string) listSet {
	switch method {
	case protocol.ToolsListChanged:
		return listTools
	case protocol.PromptsListChanged:
		return listPrompts
	case protocol.ResourcesListChanged:
		return listResources | listTemplates
	}
	return 0
}

// loadInventory fetches the wanted lists of a server at once and takes the others from last. A list that cannot be fetched
// is kept as it was, and returned in failed with the errors joined; the others are not affected. Lists that the server does not
// declare are empty.
func loadInventory(ctx context.Context, c conn, last *protocol.Inventory, wanted listSet) (inv *protocol.Inventory, failed listSet, err error) {
	h := c.hello()
	next := *last
	next.Instructions, next.Capabilities, next.Info, next.Has, next.Stale = h.instructions, h.capabilities, h.info, h.has, false

	errs := make([]error, len(listKinds))
	var fetching sync.WaitGroup
	for i, kind := range listKinds {
		items := kind.items(&next)
		switch {
		case h.has&kind.has == 0:
			*items = nil
		case wanted&kind.bit != 0:
			fetching.Go(func() {
				var got [][]byte
				if got, errs[i] = fetchList(ctx, c, kind); got != nil || errs[i] == nil {
					*items = got
				}
			})
		}
	}
	fetching.Wait()
	for i, kind := range listKinds {
		if errs[i] != nil && !errors.Is(errs[i], errCapped) {
			failed |= kind.bit
		}
	}
	return &next, failed, errors.Join(errs...)
}

// errCapped marks a list that was cut: what was read of it is used, and trying again would not help.
var errCapped = errors.New("list is cut")

// fetchList reads all pages of one list. Items are returned with an error only if it is errCapped.
func fetchList(ctx context.Context, c conn, kind listKind) ([][]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listTimeout, protocol.ErrTimeout)
	defer cancel()
	l := &listing{kind: kind, items: [][]byte{}, seen: map[string]struct{}{}}
	params := []byte("{}")
	for range maxPages {
		cursor, err := l.page(ctx, c, params)
		if errors.Is(err, errCapped) {
			return l.items, err
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.method, err)
		}
		if l.invalid > 0 && cursor == nil {
			return l.items, fmt.Errorf("%s: %w: %d items are no valid JSON objects and left out", kind.method, errCapped, l.invalid)
		}
		if cursor == nil {
			return l.items, nil
		}
		params = append(append([]byte(`{"cursor":`), cursor...), '}')
	}
	return l.items, fmt.Errorf("%s: %w: more than %d pages", kind.method, errCapped, maxPages)
}

// listing is a list being read.
type listing struct {
	kind    listKind
	items   [][]byte
	bytes   int
	invalid int
	seen    map[string]struct{} // cursors
}

// page fetches one page and returns the raw cursor of the next, nil at the end.
func (l *listing) page(ctx context.Context, c conn, params []byte) ([]byte, error) {
	a, err := c.call(ctx, newRequest(l.kind.method, params))
	if err != nil {
		return nil, err
	}
	defer a.Close()
	m, err := whole(a)
	if err != nil {
		return nil, err
	}
	if m.Error.Present() {
		if code, ok := wire.Lookup(m.Raw, m.Error, "code"); ok && string(code.Of(m.Raw)) == "-32601" {
			return nil, nil
		}
		return nil, fmt.Errorf("server answered %s", errorText(m))
	}
	if err := l.take(m); err != nil {
		return nil, err
	}
	at, ok := wire.Lookup(m.Raw, m.Result, "nextCursor")
	cursor := at.Of(m.Raw)
	if !ok || len(cursor) <= len(`""`) || cursor[0] != '"' { // absent, null or empty
		return nil, nil
	}
	if len(cursor) > maxCursor {
		return nil, fmt.Errorf("%s: %w: a cursor of %d bytes", l.kind.method, errCapped, len(cursor))
	}
	if _, again := l.seen[string(cursor)]; again {
		return nil, fmt.Errorf("%s: %w: a cursor comes again", l.kind.method, errCapped)
	}
	l.seen[string(cursor)] = struct{}{}
	return slices.Clone(cursor), nil
}

// take copies the items of a page out of the message, in one piece.
func (l *listing) take(m *wire.Message) error {
	at, ok := wire.Lookup(m.Raw, m.Result, l.kind.member)
	if !ok || m.Raw[at.Start] != '[' {
		return fmt.Errorf("%w: result has no array %q", protocol.ErrProtocol, l.kind.member)
	}
	if l.bytes += at.End - at.Start; l.bytes > maxListBytes {
		return fmt.Errorf("%s: %w: more than %d bytes", l.kind.method, errCapped, maxListBytes)
	}
	page := slices.Clone(at.Of(m.Raw))
	for span := range wire.Elements(page, wire.Span{End: len(page)}) {
		if len(l.items) == maxItems {
			return fmt.Errorf("%s: %w: more than %d items", l.kind.method, errCapped, maxItems)
		}
		item := span.Of(page)
		if item[0] != '{' || !json.Valid(item) || !utf8.Valid(item) { // one bad item must not spoil the list of everybody
			l.invalid++
			continue
		}
		l.items = append(l.items, item)
	}
	return nil
}

// whole gives the message of an answer, read to its end if it came as a stream.
func whole(a *protocol.Answer) (*wire.Message, error) {
	if a.Stream == nil {
		return &a.Message, nil
	}
	raw, err := io.ReadAll(io.LimitReader(a.Stream, wire.MaxMessage+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", err)
	case len(raw) > wire.MaxMessage:
		return nil, protocol.ErrTooLarge
	}
	m, err := wire.Skim(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", protocol.ErrProtocol, err)
	}
	return &m, nil
}

// sameInventory tells whether nothing that a client could see has changed.
func sameInventory(a, b *protocol.Inventory) bool {
	same := a.Instructions == b.Instructions && a.Has == b.Has && a.Stale == b.Stale &&
		bytes.Equal(a.Capabilities, b.Capabilities) && bytes.Equal(a.Info, b.Info)
	for _, kind := range listKinds {
		same = same && slices.EqualFunc(*kind.items(a), *kind.items(b), bytes.Equal)
	}
	return same
}
