package protocol

// Methods that the gateway itself knows. Everything else is routed, not understood.
const (
	Initialize            = "initialize"
	Ping                  = "ping"
	ToolsList             = "tools/list"
	ToolsCall             = "tools/call"
	PromptsList           = "prompts/list"
	PromptsGet            = "prompts/get"
	ResourcesList         = "resources/list"
	ResourceTemplatesList = "resources/templates/list"
	ResourcesRead         = "resources/read"
	ResourcesSubscribe    = "resources/subscribe"
	ResourcesUnsubscribe  = "resources/unsubscribe"
	CompletionComplete    = "completion/complete"
	LoggingSetLevel       = "logging/setLevel"
	SamplingCreateMessage = "sampling/createMessage"
	ElicitationCreate     = "elicitation/create"
	RootsList             = "roots/list"
	Initialized           = "notifications/initialized"
	Cancelled             = "notifications/cancelled"
	Progress              = "notifications/progress"
	LogMessage            = "notifications/message"
	RootsListChanged      = "notifications/roots/list_changed"
	ToolsListChanged      = "notifications/tools/list_changed"
	PromptsListChanged    = "notifications/prompts/list_changed"
	ResourcesListChanged  = "notifications/resources/list_changed"
	ResourcesUpdated      = "notifications/resources/updated"
	ElicitationComplete   = "notifications/elicitation/complete"
	ServerDiscover        = "server/discover"      // 2026-07-28
	SubscriptionsListen   = "subscriptions/listen" // 2026-07-28
)

// JSON-RPC and MCP error codes.
const (
	CodeParse               = -32700
	CodeInvalidRequest      = -32600
	CodeMethodNotFound      = -32601
	CodeInvalidParams       = -32602
	CodeInternal            = -32603
	CodeResourceNotFound    = -32002 // ≤ 2025-11-25, resources: "Error Handling"
	CodeElicitationRequired = -32042 // 2025-11-25, elicitation: "URL Elicitation Required"
	CodeUnsupportedRevision = -32022 // 2026-07-28, versioning
)
