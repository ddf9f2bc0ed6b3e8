package protocol

// The revisions of MCP, oldest first. They compare correctly as strings.
const (
	Revision20241105 = "2024-11-05"
	Revision20250326 = "2025-03-26"
	Revision20250618 = "2025-06-18"
	Revision20251125 = "2025-11-25"
	Revision20260728 = "2026-07-28"
)

// NewestLegacy is the newest revision with an initialize handshake; it is offered to upstreams and answered to clients
// that ask for a revision nobody knows (lifecycle, "Version Negotiation").
const NewestLegacy = Revision20251125

// AssumedRevision is what an HTTP request without MCP-Protocol-Version speaks (2025-06-18 transports, "Protocol Version Header").
const AssumedRevision = Revision20250326

// Legacy lists the revisions that begin with initialize, oldest first.
var Legacy = []string{Revision20241105, Revision20250326, Revision20250618, Revision20251125}

// IsLegacy tells whether r is a revision with a handshake that the gateway speaks.
func IsLegacy(r string) bool {
	switch r {
	case Revision20241105, Revision20250326, Revision20250618, Revision20251125:
		return true
	}
	return false
}

// IsModern tells whether r claims a revision of the stateless era (2026-07-28 and later).
func IsModern(r string) bool { return len(r) == len(Revision20260728) && r >= Revision20260728 }

// Negotiate gives the revision that answers an initialize asking for r.
func Negotiate(r string) string {
	if IsLegacy(r) {
		return r
	}
	return NewestLegacy
}
