package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
)

func TestUpstreamHandsCompletedElicitationsToTheirClient(t *testing.T) {
	const complete = `{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"%s"}}`
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(int, greeting) (*peer, error) {
			return &peer{handle: func(p *peer, m envelope) bool {
				if m.Method == protocol.ToolsCall {
					p.send(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":{"code":-32042,"message":"go there","data":{"elicitations":[{"elicitationId":"e1","mode":"url"},{"elicitationId":"e2"}]}}}`)
				}
				return m.Method == protocol.ToolsCall
			}}, nil
		}}
		u, l := startUpstream(t, config.Server{}, Options{}, d)
		mine, other := &tape{}, &tape{}
		if _, err := callUpstream(t, u, plainCall, &protocol.Client{Key: "mine", Peer: mine}, &tape{}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"e2", "e2", "unknown"} { // the second time it is unknown
			d.peers[0].send(fmt.Sprintf(complete, id))
		}
		synctest.Wait()
		if got, want := mine.notes(), fmt.Sprintf(complete, "e2"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if other.notes() != "" || len(l.strays) != 0 {
			t.Errorf("others got %q, strays %v", other.notes(), l.strays)
		}
	})
}

func TestElicitationsAreBounded(t *testing.T) {
	var e elicitations
	c := &protocol.Client{Key: "k"}
	for i := range 3 * maxElicitations {
		e.remember(fmt.Sprint(i), c)
	}
	if len(e.clients) != maxElicitations || len(e.order) != maxElicitations {
		t.Errorf("%d remembered, order %d", len(e.clients), len(e.order))
	}
	e.release("k")
	if len(e.clients) != 0 {
		t.Errorf("%d left after release", len(e.clients))
	}
}
