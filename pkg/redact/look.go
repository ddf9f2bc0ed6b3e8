package redact

import (
	"encoding/base64"
	"strings"
)

// shape counts what a run of characters is made of.
type shape struct {
	lower, upper, digit, symbol int
	groups                      int // stretches of digits
}

func shapeOf(s string) (h shape) {
	wasDigit := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		isDigit := '0' <= c && c <= '9'
		switch {
		case isDigit:
			h.digit++
			if !wasDigit {
				h.groups++
			}
		case 'a' <= c && c <= 'z':
			h.lower++
		case 'A' <= c && c <= 'Z':
			h.upper++
		default:
			h.symbol++
		}
		wasDigit = isDigit
	}
	return h
}

// secretive tells whether a run that stands where a secret may stand looks like one, and not like a word or a number.
func secretive(s string) bool {
	h := shapeOf(s)
	letters := h.lower + h.upper
	switch {
	case len(s) < 5:
		return false
	case letters == 0:
		return h.digit >= 6 && h.symbol == 0
	case h.digit > 0:
		return !versionLike(s)
	case len(s) >= 8 && strings.ContainsAny(s, "!@#$%^&*+=~?"):
		return true
	}
	return randomLooking(s)
}

var version = re(`^(?:[A-Za-z]?[a-z]{0,5}|[A-Z]{0,6})[-_/]?\d{1,4}(?:[.:_-]\d{1,4})*(?i:[a-z]{0,3}|[-.+](?:alpha|beta|rc|dev|pre|next|canary)[.-]?\d{0,3})$`)

// versionLike tells whether s is a version, a date, a time or a name that ends in a small number (utf8, Http2, HTTP/1.1);
// a word of capitals in no order is not a name.
func versionLike(s string) bool { return version.MatchString(s) }

// bigrams are the 220 commonest pairs of letters in the names and comments of Go's own library: 92 of 100 pairs in
// words are among them, and 33 of 100 in random letters.
var bigrams = func() (t [26 * 26]bool) {
	for p := range strings.FieldsSeq(commonPairs) {
		t[int(p[0]-'a')*26+int(p[1]-'a')] = true
	}
	return t
}()

const commonPairs = `ab ac ad ag ai ak al am an ap ar as at au av ay ba be bi bl bo bs bu by ca ce ch ci ck cl co cr ct cu da
	dd de di dl do dr ds du ea ec ed ee ef eg ei el em en ep eq er es et ev ew ex ey fa fe ff fi fl fo fr fu ge gh gi gn go
	gr gs ha he hi ho ht ia ic id ie if ig il im in io ip ir is it iv iz ka ke ki la ld le li ll lo ls lt lu ly ma me mi mo
	mp mu na nc nd ne nf ng ni nn no ns nt nu nv ob oc od of oi ol om on oo op or os ot ou ov ow pa pe pi pl po pp pr ps pt
	pu py qu ra rc rd re ri rm rn ro rr rs rt ru rv ry sa sc sd se sh si so sp ss st su sy ta tc te th ti tl to tp tr ts tt
	tu ty uc ue ui ul um un up ur us ut va ve vi wa wh wi wr xp xt yp ys yt ze`

// familiar gives the share of letter pairs in s that are common, and their number.
func familiar(s string) (share float64, pairs int) {
	common := 0
	last := -1
	for i := 0; i < len(s); i++ {
		c := int(s[i] | 0x20)
		if c < 'a' || c > 'z' {
			last = -1
			continue
		}
		c -= 'a'
		if last >= 0 {
			pairs++
			if bigrams[last*26+c] {
				common++
			}
		}
		last = c
	}
	if pairs == 0 {
		return 0, 0
	}
	return float64(common) / float64(pairs), pairs
}

// turns counts the changes between capitals, small letters and digits, a capital that begins a word left out.
func turns(s string) (n int) {
	class := func(c byte) int {
		switch {
		case '0' <= c && c <= '9':
			return 1
		case 'a' <= c && c <= 'z':
			return 2
		case 'A' <= c && c <= 'Z':
			return 3
		}
		return 0
	}
	for i := 1; i < len(s); i++ {
		a, b := class(s[i-1]), class(s[i])
		if a != b && a != 0 && b != 0 && (a != 3 || b != 2) {
			n++
		}
	}
	return n
}

// randomLooking tells whether s looks drawn rather than written: letters that do not sit together in words, digits strewn
// in, capitals without order.
func randomLooking(s string) bool {
	h := shapeOf(s)
	letters := h.lower + h.upper
	share, pairs := familiar(s)
	switch {
	case letters > 0 && h.groups >= 3 && share < 0.8 && !versionLike(s):
		return true
	case h.digit > 0 && letters > 0 && h.groups >= 2 && pairs < 4 && len(s) >= 8 && h.symbol == 0:
		return true
	case pairs >= 4 && h.digit > 0 && share < 0.62:
		return true
	case pairs >= 7 && share < 0.5:
		return true
	case pairs >= 11 && share < 0.6:
		return true
	}
	return h.symbol == 0 && len(s) >= 8 && turns(s)*3 > len(s)
}

// printableBase64 tells whether s is base64 of readable text: words in camelCase are not, but for one in a few thousand.
func printableBase64(s string) bool {
	core := strings.TrimRight(s, "=")
	if len(core) < 8 || len(core)%4 == 1 || len(s) == len(core) && len(core) < 12 {
		return false
	}
	h := shapeOf(core)
	if h.upper == 0 || h.lower == 0 {
		return false
	}
	enc := base64.RawStdEncoding
	if strings.ContainsAny(core, "-_") {
		enc = base64.RawURLEncoding
	}
	plain, err := enc.DecodeString(core)
	if err != nil {
		return false
	}
	for _, c := range plain {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// plainWord tells whether s is letters only, with hyphens or underscores.
func plainWord(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}
