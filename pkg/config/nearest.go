package config

import (
	"slices"
	"strings"
)

// nearest returns the candidate that a person most probably meant by word, or "" when none is near enough to say.
// Candidates are compared without regard to case; a third of the letters may differ, and at least one. The first few
// letters of a candidate mean that candidate.
func nearest(word string, candidates []string) string {
	const longest = 64 // a longer word is not a slip of the finger, and the cost is quadratic
	if word == "" || len(word) > longest {
		return ""
	}
	lower := strings.ToLower(word)
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if len(word) >= 4 && strings.HasPrefix(strings.ToLower(c), lower) {
			return c
		}
		if d := editDistance(lower, strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is Damerau's restricted distance in bytes: insert, delete, replace, and swap of neighbours cost one.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// didYouMean returns a cure for an unknown word: the nearest known one, or else the list of all.
func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	return ""
}

// oneOf returns "a, b or c".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
