package protocol

// Inventory is what a server offers, as it said it. It is immutable; a change makes a new one.
type Inventory struct {
	// Tools, Prompts, Resources and Templates are the items of all pages, each a JSON value exactly as the server sent it.
	Tools, Prompts, Resources, Templates [][]byte
	// Instructions is the server's text for the model; empty if it gave none.
	Instructions string
	// Capabilities and Info are the server's own objects from its initialize result; may be nil.
	Capabilities, Info []byte
	// Has tells which parts the server serves.
	Has ServerCapability
	// Stale says that the server is not connected now and these are its last known lists.
	Stale bool
}

// ServerCapability is a set of what a server declares.
type ServerCapability uint32

// What a server can declare (2025-11-25 schema, ServerCapabilities).
const (
	HasTools ServerCapability = 1 << iota
	HasPrompts
	HasResources
	HasSubscribe
	HasCompletions
	HasLogging
)
