package upstream

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
)

const everything = `{"tools":{},"prompts":{},"resources":{}}`

// pagingPeer answers tools/list by page, the other lists with one item each unless handle says otherwise.
func pagingPeer(page func(cursor string) string, handle func(p *peer, m envelope) bool) func(int, greeting) (*peer, error) {
	return func(int, greeting) (*peer, error) {
		return &peer{caps: everything, handle: func(p *peer, m envelope) bool {
			if handle != nil && handle(p, m) {
				return true
			}
			switch m.Method {
			case protocol.ToolsList:
				var params struct{ Cursor string }
				if err := json.Unmarshal(m.Params, &params); err != nil {
					panic(err)
				}
				p.reply(m.ID, page(params.Cursor))
			case protocol.PromptsList:
				p.reply(m.ID, `{"prompts":[{"name":"p"}]}`)
			case protocol.ResourcesList:
				p.reply(m.ID, `{"resources":[{"uri":"r:1"}]}`)
			case protocol.ResourceTemplatesList:
				p.reply(m.ID, `{"resourceTemplates":[{"uriTemplate":"r:{x}"}]}`)
			default:
				return false
			}
			return true
		}}, nil
	}
}

func onePage(string) string { return `{"tools":[{"name":"t"}]}` }

// counts gives the sizes of the four lists.
func counts(inv *protocol.Inventory) []int {
	return []int{len(inv.Tools), len(inv.Prompts), len(inv.Resources), len(inv.Templates)}
}

func TestInventoryFollowsPagesAndStopsSomewhere(t *testing.T) {
	for _, tc := range []struct {
		rule string
		page func(cursor string) string
		want int
	}{
		{"no page", func(string) string { return `{"tools":[]}` }, 0},
		{"three pages, the cursor as it was written", func(c string) string {
			next := map[string]string{"": `,"nextCursor":"a\u0062\""`, "ab\"": `,"nextCursor":"z"`, "z": ""}
			return `{"tools":[{"name":"x"}]` + next[c] + `}`
		}, 3},
		{"null and empty cursors end", func(c string) string {
			if c == "" {
				return `{"tools":[{}],"nextCursor":"2"}`
			}
			return `{"tools":[{}],"nextCursor":""}`
		}, 2},
		{"null cursor ends", func(string) string { return `{"tools":[{}],"nextCursor":null}` }, 1},
		{"a cursor that comes again", func(string) string { return `{"tools":[{}],"nextCursor":"again"}` }, 2},
		{"endless pages", func(c string) string { return fmt.Sprintf(`{"tools":[{}],"nextCursor":"%sx"}`, c) }, maxPages},
		{"too many items", func(string) string {
			return `{"tools":[` + strings.Repeat(`{},`, maxItems+100) + `{}]}`
		}, maxItems},
		{"bad items are left out", func(string) string {
			return `{"tools":[{"name":"good"},7,{"bad":tru},{"bad":"` + "\xff" + `"},{"name":"fine"}]}`
		}, 2},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, _ := startUpstream(t, config.Server{}, Options{}, &memDialer{peer: pagingPeer(tc.page, nil)})
				if diff := cmp.Diff([]int{tc.want, 1, 1, 1}, counts(u.Inventory())); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestInventoryItemsKeepTheirBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const item = `{ "zzz":[1, 2.50],"name":"t","big":18446744073709551615,"\u0061":"\/" }`
		u, _ := startUpstream(t, config.Server{}, Options{}, &memDialer{peer: pagingPeer(func(string) string { return `{"tools":[` + item + `]}` }, nil)})
		if got := string(u.Inventory().Tools[0]); got != item {
			t.Errorf("got %s", got)
		}
	})
}

func TestInventoryOneFailingListDoesNotLoseTheOthers(t *testing.T) {
	for _, tc := range []struct {
		rule   string
		answer func(p *peer, m envelope)
		heals  bool
	}{
		{"method not found is an empty list", func(p *peer, m envelope) { p.refuse(m.ID, -32601) }, false},
		{"an error is tried again", func(p *peer, m envelope) { p.refuse(m.ID, -32603) }, true},
		{"no array is tried again", func(p *peer, m envelope) { p.reply(m.ID, `{"prompts":{}}`) }, true},
		{"silence is tried again", func(*peer, envelope) {}, true},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				u, _ := startUpstream(t, config.Server{}, Options{}, &memDialer{peer: pagingPeer(onePage, func(p *peer, m envelope) bool {
					if m.Method != protocol.PromptsList || !first {
						return false
					}
					first = false
					tc.answer(p, m)
					return true
				})})
				if diff := cmp.Diff([]int{1, 0, 1, 1}, counts(u.Inventory())); diff != "" {
					t.Error(diff)
				}
				time.Sleep(5 * time.Second) // fake time
				synctest.Wait()
				if got := len(u.Inventory().Prompts) == 1; got != tc.heals {
					t.Errorf("healed: %v", got)
				}
			})
		})
	}
}

func TestInventoryAsksOnlyForWhatIsDeclared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		d := &memDialer{peer: func(int, greeting) (*peer, error) {
			return &peer{caps: `{"prompts":{}}`, handle: func(p *peer, m envelope) bool {
				asked = append(asked, m.Method)
				if m.Method == protocol.PromptsList {
					p.reply(m.ID, `{"prompts":[]}`)
					return true
				}
				return false
			}}, nil
		}}
		startUpstream(t, config.Server{}, Options{}, d)
		if diff := cmp.Diff([]string{protocol.Initialize, protocol.Initialized, protocol.PromptsList}, asked); diff != "" {
			t.Error(diff)
		}
	})
}

func TestListChangedStormsAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lists := map[string]int{}
		grown := 1
		d := &memDialer{}
		d.peer = pagingPeer(func(string) string { return `{"tools":[` + strings.Repeat(`{},`, grown) + `{}]}` }, func(_ *peer, m envelope) bool {
			lists[m.Method]++
			return false
		})
		u, l := startUpstream(t, config.Server{}, Options{}, d)
		synctest.Wait()
		grown = 5
		for range 100 { // 10 seconds of ten a second
			d.peers[0].send(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
			time.Sleep(100 * time.Millisecond) // fake time
		}
		time.Sleep(2 * time.Second) // fake time
		synctest.Wait()
		if n := lists[protocol.ToolsList]; n < 9 || n > 13 {
			t.Errorf("the list was fetched %d times", n)
		}
		if n := lists[protocol.PromptsList]; n != 1 {
			t.Errorf("a list that did not change was fetched %d times", n)
		}
		if len(u.Inventory().Tools) != 6 || l.changes() != 2 {
			t.Errorf("%d tools, Changed %d times", len(u.Inventory().Tools), l.changes())
		}
	})
}
