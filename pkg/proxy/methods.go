package proxy

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// job is one request on its way through the router.
type job struct {
	*Request
	method string
	sink   protocol.Sink
}

// handler answers one method. An error becomes a JSON-RPC error by Router.failed.
type handler func(*Router, context.Context, *job) (*protocol.Answer, error)

// methods is the table of what the router knows. Everything else goes by the rule of unknown.
var methods map[string]handler

func init() { // the table refers to handlers that refer to it
	methods = map[string]handler{
		protocol.Ping:                  func(*Router, context.Context, *job) (*protocol.Answer, error) { return empty(), nil },
		protocol.ToolsList:             listOf(tools),
		protocol.PromptsList:           listOf(prompts),
		protocol.ResourcesList:         listOf(resources),
		protocol.ResourceTemplatesList: listOf(templates),
		protocol.ToolsCall:             callOf(tools),
		protocol.PromptsGet:            callOf(prompts),
		protocol.ResourcesRead:         (*Router).read,
		protocol.ResourcesSubscribe:    subscription(Upstream.Subscribe),
		protocol.ResourcesUnsubscribe:  subscription(Upstream.Unsubscribe),
		protocol.CompletionComplete:    (*Router).complete,
		protocol.LoggingSetLevel:       (*Router).setLevel,
		protocol.Initialize: func(*Router, context.Context, *job) (*protocol.Answer, error) {
			return nil, protocol.Errorf(protocol.CodeInvalidRequest, "the session is initialized already")
		},
		// The stateless era begins with these. A server must not answer them on the gateway's behalf: its client would go on
		// in an era that the gateway does not speak.
		protocol.ServerDiscover:      noSuchMethod,
		protocol.SubscriptionsListen: noSuchMethod,
	}
}

var emptyResult = []byte("{}")

func empty() *protocol.Answer { return &protocol.Answer{Result: emptyResult} }

// listOf answers a list method.
func listOf(k kind) handler {
	return func(r *Router, ctx context.Context, j *job) (*protocol.Answer, error) {
		r.awaitStart(ctx)
		sealed := ""
		if m := &j.Message; m.Cursor.Present() {
			text, ok := wire.Unquote(m.Cursor.Of(m.Raw))
			if !ok {
				return nil, protocol.Errorf(protocol.CodeInvalidParams, "params.cursor must be a string")
			}
			sealed = text
		}
		result, err := r.page(r.view(j.Filter), k, sealed, j.Paged)
		if err != nil {
			return nil, err
		}
		return &protocol.Answer{Result: result}, nil
	}
}

// callOf answers tools/call and prompts/get.
func callOf(k kind) handler {
	return func(r *Router, ctx context.Context, j *job) (*protocol.Answer, error) {
		public, err := j.text(j.Message.Name, "params.name")
		if err != nil {
			return nil, err
		}
		t := r.view(j.Filter).find(k, public)
		if t == nil {
			return nil, protocol.Errorf(protocol.CodeInvalidParams, "Unknown %s: %s", shapes[k].noun, clip(public))
		}
		return j.forward(ctx, t.entry, t.edit(j.Message.Name))
	}
}

// text gives a member of params that must be a string.
func (j *job) text(at wire.Span, name string) (string, error) {
	if at.Present() {
		if s, ok := wire.Unquote(at.Of(j.Message.Raw)); ok {
			return s, nil
		}
	}
	return "", protocol.Errorf(protocol.CodeInvalidParams, "%s must be a string", name)
}

// clip keeps what a client sent from filling our own messages.
func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// edit replaces a public name by the server's own; none if they are the same.
func (t *target) edit(at wire.Span) []wire.Edit {
	if t.ownJSON == nil {
		return nil
	}
	return []wire.Edit{{At: at, With: t.ownJSON}}
}

// forward sends the request to a server, and puts public URIs into the answer where the server has any.
func (j *job) forward(ctx context.Context, e *entry, edits []wire.Edit) (*protocol.Answer, error) {
	answer, err := e.Call(ctx, j.call(edits))
	if err != nil || e.wrapped == nil {
		return answer, err
	}
	return e.publish(answer)
}

func (j *job) call(edits []wire.Edit) *protocol.Call {
	return &protocol.Call{Message: j.Message, Method: j.method, Edits: edits, Client: j.Client, Sink: j.sink}
}

// read answers resources/read. A URI that nobody lists is tried with every server that might know it: a read changes nothing.
func (r *Router) read(ctx context.Context, j *job) (*protocol.Answer, error) {
	uri, err := j.text(j.Message.URI, "params.uri")
	if err != nil {
		return nil, err
	}
	owners := r.view(j.Filter).owners(uri)
	for i, o := range owners {
		answer, err := j.forward(ctx, o.entry, o.edit(j.Message.URI))
		if i == len(owners)-1 || err == nil && !notFound(answer) {
			return answer, err
		}
		if answer != nil {
			answer.Close()
		}
	}
	return nil, noResource(uri)
}

func noResource(uri string) error {
	return &protocol.Error{Code: protocol.CodeResourceNotFound, Message: "Resource not found",
		Data: append(wire.AppendQuote([]byte(`{"uri":`), clip(uri)), '}')}
}

// notFound tells whether a server says that it has no such resource. Servers differ in the code, so any error counts, but
// for the one by which a server asks for something first; a read may be repeated elsewhere.
func notFound(a *protocol.Answer) bool {
	if a == nil || !a.Failed() {
		return false
	}
	code, _ := wire.Lookup(a.Message.Raw, a.Message.Error, "code")
	return string(code.Of(a.Message.Raw)) != strconv.Itoa(protocol.CodeElicitationRequired)
}

// subscription answers resources/subscribe and unsubscribe.
func subscription(do func(Upstream, context.Context, *protocol.Call, string) (*protocol.Answer, error)) handler {
	return func(r *Router, ctx context.Context, j *job) (*protocol.Answer, error) {
		if j.Session == nil {
			return nil, protocol.Errorf(protocol.CodeInvalidRequest, "%s needs a session", j.method)
		}
		uri, err := j.text(j.Message.URI, "params.uri")
		if err != nil {
			return nil, err
		}
		owners := r.view(j.Filter).owners(uri)
		for _, o := range owners {
			if o.entry.inv.Has&protocol.HasSubscribe != 0 {
				return do(o.entry.Upstream, ctx, j.call(o.edit(j.Message.URI)), o.own)
			}
		}
		if len(owners) > 0 {
			return nil, protocol.Errorf(protocol.CodeMethodNotFound, "no server that may have this resource offers subscriptions")
		}
		return nil, noResource(uri)
	}
}

// complete answers completion/complete, whose ref names a prompt or a resource template.
func (r *Router) complete(ctx context.Context, j *job) (*protocol.Answer, error) {
	m := &j.Message
	ref, ok := wire.Lookup(m.Raw, m.Params, "ref")
	if !ok {
		return nil, protocol.Errorf(protocol.CodeInvalidParams, "params.ref is missing")
	}
	v := r.view(j.Filter)
	at, ok := wire.Lookup(m.Raw, ref, "uri")
	if kind, _ := wire.Lookup(m.Raw, ref, "type"); ok && string(kind.Of(m.Raw)) != `"ref/prompt"` {
		uri, err := j.text(at, "params.ref.uri")
		if err != nil {
			return nil, err
		}
		t := v.find(templates, uri)
		if t == nil {
			if owners := v.owners(uri); len(owners) > 0 {
				t = owners[0]
			}
		}
		if t == nil {
			return nil, protocol.Errorf(protocol.CodeInvalidParams, "Unknown resource: %s", clip(uri))
		}
		return j.forward(ctx, t.entry, t.edit(at))
	}
	at, _ = wire.Lookup(m.Raw, ref, "name")
	name, err := j.text(at, "params.ref.name")
	if err != nil {
		return nil, err
	}
	t := v.find(prompts, name)
	if t == nil {
		return nil, protocol.Errorf(protocol.CodeInvalidParams, "Unknown prompt: %s", clip(name))
	}
	return j.forward(ctx, t.entry, t.edit(at))
}

// levelPatience is how long a client that sets its log level waits for servers that are slow to take it.
const levelPatience = 2 * time.Second

// setLevel keeps the level for the session and lets every server know.
func (r *Router) setLevel(ctx context.Context, j *job) (*protocol.Answer, error) {
	at, _ := wire.Lookup(j.Message.Raw, j.Message.Params, "level")
	level, err := j.text(at, "params.level")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(levels, level) {
		return nil, protocol.Errorf(protocol.CodeInvalidParams, "Unknown log level %q: use debug, info, notice, warning, error, critical, alert or emergency", clip(level))
	}
	if j.Session == nil {
		return empty(), nil // nothing to remember it by
	}
	j.Session.setLevel(level)
	ctx, cancel := context.WithTimeout(ctx, levelPatience)
	defer cancel()
	var asked sync.WaitGroup
	v := r.view(j.Filter)
	for i, e := range v.entries {
		if !v.visible[i] {
			continue
		}
		asked.Go(func() {
			if err := e.SetLevel(ctx, j.Client.Key, level); err != nil { // it is set again when the server is back
				r.log.Debug().Err(err).Str("upstream", e.Name()).Msg("log level was not passed on")
			}
		})
	}
	asked.Wait()
	return empty(), nil
}

// unknown routes a method that the gateway does not know (bridge matrix, "Unknown methods"): to the owner of the name or
// URI it carries, or to the only server there is.
func (r *Router) unknown(ctx context.Context, j *job) (*protocol.Answer, error) {
	v := r.view(j.Filter)
	if e, edits := v.route(&j.Message); e != nil {
		return j.forward(ctx, e, edits)
	}
	return noSuchMethod(r, ctx, j)
}

func noSuchMethod(_ *Router, _ context.Context, j *job) (*protocol.Answer, error) {
	return nil, protocol.Errorf(protocol.CodeMethodNotFound, "Method not found: %s", clip(j.method))
}

func (v *view) route(m *wire.Message) (*entry, []wire.Edit) {
	if m.Name.Present() {
		name, _ := wire.Unquote(m.Name.Of(m.Raw))
		for _, k := range []kind{tools, prompts} {
			if t := v.find(k, name); t != nil {
				return t.entry, t.edit(m.Name)
			}
		}
	}
	if m.URI.Present() {
		uri, _ := wire.Unquote(m.URI.Of(m.Raw))
		if owners := v.owners(uri); len(owners) == 1 {
			return owners[0].entry, owners[0].edit(m.URI)
		}
	}
	if v.count != 1 {
		return nil, nil
	}
	for i, e := range v.entries {
		if v.visible[i] {
			return e, nil
		}
	}
	return nil, nil
}
