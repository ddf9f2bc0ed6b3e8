package filter

import (
	"fmt"
	"net/url"
	"strings"
)

// Options are what else a client's query chooses.
type Options struct {
	// Pagination asks for lists in pages instead of whole (?pagination=true).
	Pagination bool
}

// selectors are the query parameters of which a request may have one, each with its reader.
var selectors = []struct {
	key  string
	read func(string) (Expr, error)
}{
	{"tags", ParseTags},
	{"tag-filter", ParseExpr},
	{"filter", ParseFilter},
	{"preset", nil},
}

// Select reads a request's query. Without a selector the Expr is zero; with more than one, or an empty one, it is an error,
// as is a preset that does not exist. preset looks a name up; nil means there are none. Errors are meant for the client.
func Select(query url.Values, preset func(name string) (Expr, bool)) (Expr, Options, error) {
	opts := Options{Pagination: query.Get("pagination") == "true"}
	var expr Expr
	given := ""
	for _, s := range selectors {
		values, has := query[s.key]
		if !has {
			continue
		}
		if given != "" {
			return Expr{}, opts, fmt.Errorf("%s and %s exclude each other: give one", given, s.key)
		}
		if given = s.key; len(values) != 1 {
			return Expr{}, opts, fmt.Errorf("%s is given %d times: give it once", s.key, len(values))
		}
		if strings.TrimSpace(values[0]) == "" {
			return Expr{}, opts, fmt.Errorf("%s is empty: leave it out to select everything", s.key)
		}
		read := s.read
		if read == nil {
			read = func(name string) (Expr, error) { return findPreset(name, preset) }
		}
		var err error
		if expr, err = read(values[0]); err != nil {
			return Expr{}, opts, fmt.Errorf("%s: %w", s.key, err)
		}
	}
	return expr, opts, nil
}

func findPreset(name string, preset func(string) (Expr, bool)) (Expr, error) {
	if preset != nil {
		if e, has := preset(name); has {
			return e, nil
		}
	}
	return Expr{}, fmt.Errorf("unknown preset %s", excerpt(name))
}
