package config

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what stands in place of a secret wherever it could be read by somebody.
const redacted = "[redacted]"

// Secret is a text that must never be printed: a value of env or headers, a URL, an OAuth secret.
//
// It prints as [redacted] with every verb of fmt, in JSON, in text encodings and in slog; zerolog's Stringer, Interface
// and Any go through these. An empty Secret prints as the empty string, so that "not set" stays visible. Two things
// in Go go past all of this: the key of a map in JSON, and fmt on an unexported field of another struct. So a Secret is
// never a key, and a struct that keeps one in an unexported field is not printed.
type Secret string

// Reveal returns the secret text itself. Every call is a place to review.
func (s Secret) Reveal() string { return string(s) }

// String returns [redacted], or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString serves %#v.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// Format serves every verb: without it a verb that does not fit a string, such as %d, would print the text.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	switch {
	case verb == 'v' && f.Flag('#'):
		text = s.GoString()
	case verb == 'q':
		text = fmt.Sprintf("%q", text)
	}
	_, _ = io.WriteString(f, text)
}

// MarshalJSON writes "[redacted]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalText serves map keys, XML, TOML and YAML encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue serves log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
