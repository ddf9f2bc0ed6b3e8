package wire

import "slices"

// Edit replaces the bytes At of a message by With. An empty At (Start equals End) inserts, an empty With deletes.
type Edit struct {
	At   Span
	With []byte
}

// Member is a key and its raw JSON value, for SetMembers.
type Member struct {
	Key   string
	Value []byte
}

// AppendSplice appends raw with all edits applied to dst and returns it. Edits may come in any order; the slice given is
// sorted by position, edits at the same position keep their order. An edit that begins inside an earlier one has no
// effect: the outer replacement wins. An edit out of raw's bounds is ignored.
//
// The memory that dst grows into, its spare capacity, must not overlap raw or any With: a message cannot be spliced in
// place.
func AppendSplice(dst, raw []byte, edits ...Edit) []byte {
	sortEdits(edits)
	size := len(raw)
	for _, e := range edits {
		size += len(e.With)
	}
	dst = slices.Grow(dst, size)
	at := 0
	for _, e := range edits {
		if e.At.Start < at || e.At.End < e.At.Start || e.At.End > len(raw) {
			continue
		}
		dst = append(dst, raw[at:e.At.Start]...)
		dst = append(dst, e.With...)
		at = e.At.End
	}
	return append(dst, raw[at:]...)
}

// sortEdits is an insertion sort: stable, without allocation, and at once for the usual few edits in order.
func sortEdits(edits []Edit) {
	for i := 1; i < len(edits); i++ {
		for j := i; j > 0 && edits[j].At.Start < edits[j-1].At.Start; j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
}

// SetMember returns the edit that gives member key of an object the raw JSON value: it replaces the value, or inserts the
// member at the beginning. obj must be an object of a message that Parse or Skim accepted; for anything else the edit
// changes nothing.
//
// Two insertions into the same empty object do not make a valid one: use SetMembers.
func SetMember(raw []byte, obj Span, key string, value []byte) Edit {
	if !obj.in(raw) || raw[obj.Start] != '{' {
		return Edit{}
	}
	if at, ok := Lookup(raw, obj, key); ok {
		return Edit{At: at, With: value}
	}
	with := make([]byte, 0, len(key)+len(value)+4)
	with = appendMember(with, key, value)
	if !emptyObject(raw, obj) {
		with = append(with, ',')
	}
	return Edit{At: Span{obj.Start + 1, obj.Start + 1}, With: with}
}

// SetMembers appends to edits what gives all members their values in one object, as SetMember does for one. The keys
// must differ.
func SetMembers(edits []Edit, raw []byte, obj Span, members ...Member) []Edit {
	if !obj.in(raw) || raw[obj.Start] != '{' {
		return edits
	}
	var insert []byte
	for _, m := range members {
		if at, ok := Lookup(raw, obj, m.Key); ok {
			edits = append(edits, Edit{At: at, With: m.Value})
			continue
		}
		if insert != nil {
			insert = append(insert, ',')
		}
		insert = appendMember(insert, m.Key, m.Value)
	}
	if insert == nil {
		return edits
	}
	if !emptyObject(raw, obj) {
		insert = append(insert, ',')
	}
	return append(edits, Edit{At: Span{obj.Start + 1, obj.Start + 1}, With: insert})
}

// DeleteMember returns the edit that removes a member and one comma, or false if the object has no such member. Deleting
// two members of one object by one AppendSplice is only right if they are not neighbours at its end.
func DeleteMember(raw []byte, obj Span, key string) (Edit, bool) {
	before := Span{} // value of the previous member
	for name, value := range Members(raw, obj) {
		if !equalString(name.Of(raw), key) {
			before = value
			continue
		}
		if i := skipSpace(raw, value.End); i < obj.End && raw[i] == ',' {
			return Edit{At: Span{name.Start, skipSpace(raw, i+1)}}, true
		}
		if before.Present() {
			return Edit{At: Span{before.End, value.End}}, true
		}
		return Edit{At: Span{name.Start, value.End}}, true
	}
	return Edit{}, false
}

func appendMember(dst []byte, key string, value []byte) []byte {
	dst = AppendQuote(dst, key)
	dst = append(dst, ':')
	return append(dst, value...)
}

func emptyObject(raw []byte, obj Span) bool {
	i := skipSpace(raw, obj.Start+1)
	return i < len(raw) && raw[i] == '}'
}
