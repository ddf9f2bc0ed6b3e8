package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Redactor cleans text as [Text] does, and takes out the secrets it was made with, whatever they look like: raw, URL-encoded,
// base64, hexadecimal, and as inside a JSON string. It is safe for concurrent use.
type Redactor struct {
	known *strings.Replacer
}

// minSecret is the length under which a value is too common to be taken for a secret wherever it occurs.
const minSecret = 4

// NewRedactor makes a Redactor that knows the given secrets: values of env and headers, passwords and queries of URLs, tokens.
// Values of fewer than four bytes, words such as "true" and "production", and numbers of up to five digits (ports) are left
// out: as secrets they would be hopeless, and text without them unreadable.
func NewRedactor(secrets ...string) *Redactor {
	forms := map[string]bool{}
	add := func(form string) {
		if len(form) >= minSecret {
			forms[form] = true
		}
	}
	for _, s := range secrets {
		s = strings.TrimSpace(s)
		if len(s) < minSecret || commonValue(s) || smallNumber(s) && len(s) <= 5 {
			continue
		}
		for _, f := range spellings(s) {
			add(f)
		}
		if strings.ContainsAny(s, "\r\n") {
			for line := range strings.Lines(s) {
				if line = strings.TrimSpace(line); len(line) >= 8 {
					add(line)
				}
			}
		}
	}
	if len(forms) == 0 {
		return &Redactor{}
	}
	// Of two that begin at one place the longer must win: the Replacer takes the first in its list.
	list := make([]string, 0, len(forms))
	for f := range forms {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(list))
	for _, f := range list {
		pairs = append(pairs, f, secretMark)
	}
	return &Redactor{known: strings.NewReplacer(pairs...)}
}

// Text cleans s; see [Text]. A nil Redactor knows no secrets.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return Text(s)
	}
	return clean(s, r.known)
}

// Error gives the cleaned text of an error, empty for nil.
func (r *Redactor) Error(err error) string {
	if err == nil {
		return ""
	}
	return r.Text(err.Error())
}

// spellings gives the forms in which a secret turns up in messages.
func spellings(s string) []string {
	query, path := url.QueryEscape(s), url.PathEscape(s)
	forms := []string{s, query, path, lowerEscapes(query), lowerEscapes(path), hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s)))}
	if q, err := json.Marshal(s); err == nil {
		forms = append(forms, string(q[1:len(q)-1]))
	}
	forms = append(forms, strings.NewReplacer("\\", `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s))
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, enc.EncodeToString([]byte(s)), enc.WithPadding(base64.NoPadding).EncodeToString([]byte(s)))
		// Inside the base64 of something longer (user:secret) it stands at one of three offsets; the characters that it
		// alone decides are the same in each.
		for offset := 1; offset < 3; offset++ {
			all := enc.WithPadding(base64.NoPadding).EncodeToString(append(make([]byte, offset), s...))
			first := offset + 1
			last := (offset + len(s)) * 8 / 6
			if last-first >= 8 {
				forms = append(forms, all[first:last])
			}
		}
		if last := len(s) * 8 / 6; last >= 8 {
			forms = append(forms, enc.EncodeToString([]byte(s))[:last])
		}
	}
	return forms
}

// lowerEscapes writes %AB as %ab.
func lowerEscapes(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			for _, j := range []int{i + 1, i + 2} {
				if isUpper(b[j]) {
					b[j] |= 0x20
				}
			}
		}
	}
	return string(b)
}
