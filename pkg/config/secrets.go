package config

import (
	"net/url"
	"slices"
	"strings"
)

// shortest is the length from which a value that a reference became counts as a secret by itself: cleaning texts of
// shorter ones (a port, "true") would leave nothing to read.
const shortest = 8

// Secrets returns every value of the file that must not be shown anywhere: variables and headers of servers, whole URLs
// with the passwords, query values and key-like path segments in them, client secrets, and what ${VAR} and ${file:…}
// became wherever they stand, arguments included. It is for whoever cleans texts before they are kept.
func (f *File) Secrets() []string {
	out := []string{}
	for _, s := range f.Servers {
		for _, v := range s.Env {
			out = append(out, v.Reveal())
		}
		for _, v := range s.Headers {
			out = append(out, v.Reveal())
		}
		if s.OAuth != nil {
			out = append(out, s.OAuth.ClientSecret.Reveal())
		}
		out = append(out, secretsOfURL(s.URL.Reveal())...)
	}
	for _, v := range f.substituted {
		if len(v) >= shortest {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

func secretsOfURL(raw string) []string {
	u, err := url.Parse(raw)
	if raw == "" || err != nil {
		return nil
	}
	out := []string{raw}
	if password, ok := u.User.Password(); ok {
		out = append(out, password)
	}
	for _, values := range u.Query() {
		out = append(out, values...)
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if looksLikeKey(segment) {
			out = append(out, segment)
		}
	}
	return out
}
