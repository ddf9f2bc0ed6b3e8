package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ParsePreset reads the tagQuery of a preset in presets.json: nodes {"tag":"x"}, {"$or":[…]}, {"$and":[…]}, {"$not":…},
// {"$in":["x",…]}, and {"tag":{"$in":[…]}}. Of a node with several keys all must hold, so that none is ignored silently
// (1MCP evaluates one of them). Tags compare as everywhere else: without regard to case. The strategy (or, and, advanced)
// says how the query was written and does not change its meaning.
func ParsePreset(query json.RawMessage, strategy string) (Expr, error) {
	switch strategy {
	case "", "or", "and", "advanced":
	default:
		return Expr{}, fmt.Errorf("strategy: expected or, and, advanced, found %s", excerpt(strategy))
	}
	if err := checkLength(string(query)); err != nil {
		return Expr{}, err
	}
	n, err := presetNode(query, "tagQuery", 0)
	if err != nil {
		return Expr{}, err
	}
	if _, err := parse(n.text); err != nil { // nodes may nest deeper than parentheses may
		return Expr{}, fmt.Errorf("tagQuery: %w", err)
	}
	return newExpr(n)
}

// presetNode reads one node; path is its place in the file, for errors.
func presetNode(raw json.RawMessage, path string, depth int) (*node, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%s: more than %d levels", path, MaxDepth)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("%s: expected an object: %w", path, err)
	}
	var kids []*node
	for _, key := range []string{"tag", "$or", "$and", "$not", "$in"} {
		value, has := members[key]
		if !has {
			continue
		}
		delete(members, key)
		kid, err := presetMember(key, value, path+"."+key, depth)
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
	}
	for key := range members {
		return nil, fmt.Errorf("%s: unknown key %s; known are tag, $or, $and, $not, $in", path, excerpt(key))
	}
	if len(kids) == 0 {
		return nil, fmt.Errorf("%s: expected one of tag, $or, $and, $not, $in", path)
	}
	return combine(opAnd, kids), nil
}

func presetMember(key string, value json.RawMessage, path string, depth int) (*node, error) {
	switch key {
	case "tag":
		return presetTag(value, path)
	case "$not":
		kid, err := presetNode(value, path, depth+1)
		if err != nil {
			return nil, err
		}
		return newNot(kid), nil
	case "$in":
		return presetIn(value, path)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(value, &items); err != nil {
		return nil, fmt.Errorf("%s: expected an array: %w", path, err)
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s: expected at least one node", path)
	}
	kids := make([]*node, 0, len(items))
	for i, item := range items {
		kid, err := presetNode(item, fmt.Sprintf("%s[%d]", path, i), depth+1)
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
	}
	if key == "$or" {
		return combine(opOr, kids), nil
	}
	return combine(opAnd, kids), nil
}

func presetTag(value json.RawMessage, path string) (*node, error) {
	if bytes.HasPrefix(bytes.TrimSpace(value), []byte("{")) {
		var in map[string]json.RawMessage
		if err := json.Unmarshal(value, &in); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list, has := in["$in"]
		if !has || len(in) != 1 {
			return nil, fmt.Errorf("%s: expected a string or {\"$in\":[…]}", path)
		}
		return presetIn(list, path+".$in")
	}
	var tag string
	if err := json.Unmarshal(value, &tag); err != nil {
		return nil, fmt.Errorf("%s: expected a string: %w", path, err)
	}
	if err := checkTag(tag, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", path, unplaced(err))
	}
	return newTag(tag), nil
}

func presetIn(value json.RawMessage, path string) (*node, error) {
	var tags []string
	if err := json.Unmarshal(value, &tags); err != nil {
		return nil, fmt.Errorf("%s: expected an array of strings: %w", path, err)
	}
	if len(tags) == 0 {
		return nil, fmt.Errorf("%s: expected at least one tag", path)
	}
	kids := make([]*node, 0, len(tags))
	for i, tag := range tags {
		if err := checkTag(tag, 0); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", path, i, unplaced(err))
		}
		kids = append(kids, newTag(tag))
	}
	return combine(opOr, kids), nil
}

// unplaced takes the byte position off a tag's error: in a preset the path says where.
func unplaced(err error) error {
	var s *SyntaxError
	if errors.As(err, &s) {
		return fmt.Errorf("expected %s, found %s", s.Expected, s.Found)
	}
	return err
}
