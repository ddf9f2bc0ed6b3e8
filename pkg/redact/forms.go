package redact

import (
	"net/url"
	"strings"
)

// forms are what gives a secret away by its own form, or by a word that always announces one.
var forms = []rule{
	// PEM, whole or cut off at either end.
	{need: []string{"-----BEGIN", "-----END"}, re: re(`(?s)-----BEGIN.*?(?:-----END[^\n\\]*?-----|\z)|(?:[A-Za-z0-9+/=]{4,}(?:\s|\\[rn])*)+-----END[^-]*(?:-----)?`), repl: secretMark},
	// URLs of every scheme, with whatever is in them. A quote or bracket ends one only if it is not followed by userinfo.
	{need: []string{"://"}, re: re(`(?i)(?:[a-z][a-z0-9+.-]*:)*[a-z][a-z0-9+.-]*://[^\s"<>` + "`" + `]*`), fn: wholeURL},
	{need: []string{":@", "thin:", "THIN:", "jdbc:", "data:", "mailto:", "urn:"}, re: re(`(?i)\b(?:jdbc|data|mailto|urn):[^\s"'<>]+|\bthin:[^\s"'<>]+`), repl: urlMark},
	{need: []string{"arn:"}, re: re(`\barn:[\w-]*:[^\s"'<>,]+`), repl: secretMark},
	// DSNs without a scheme: user:password@tcp(host:port)/db, user:password@host.
	{need: []string{"@"}, re: re(`[^\s"'=(]+:[^\s"']*@(?:tcp|udp|unix)\([^)\s]*\)[^\s"']*`), repl: urlMark},
	{need: []string{"@"}, re: re(`[^\s:"'(<=,/\[]+:[^\s"'<>]+@[\w.\[-][^\s"'<>,;)]*`), repl: urlMark},
	// Headers that hold nothing but secrets, to the end of the line or of the quote.
	{re: re(`(?i)("(?:(?:proxy-)?authorization|(?:set-)?cookie2?|x-[a-z-]*(?:token|key|secret|auth)[a-z-]*)"\s*[:=]\s*\[?\s*")[^"]*`), repl: "${1}" + secretMark},
	{re: re(`(?i)('(?:(?:proxy-)?authorization|(?:set-)?cookie2?|x-[a-z-]*(?:token|key|secret|auth)[a-z-]*)'\s*[:=]\s*\[?\s*')[^']*`), repl: "${1}" + secretMark},
	{re: re(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie2?)(\\*["']?\s*[:=]\s*\[?)((?:[^\n\r"\\\[]|\\[^nr"])[^\n\r]*?)(\\[nr]|["']\]?[,)}\s]|["']\]?$|[\r\n]|$)`), fn: headerLine},
	// Schemes of authorization.
	{re: re(`(?i)\b(bearer|basic|digest|negotiate|ntlm|hawk|aws4-hmac-sha256|apikey|api-key|token)(\s+|%20|\+)([^\s"'<>,;]+)((?:,?\s+\w+=(?:"[^"]*"|[^\s,]+))*)`), fn: scheme},
	// AWS signatures, Telegram bots.
	{re: re(`\b\d{6,12}:[A-Za-z0-9_-]{30,}`), repl: secretMark},
	// Tokens by their makers' prefixes, with everything that hangs on.
	{re: re(`\b(?:eyJ[\w-]{4}|sk-|[spr]k_(?:live|test)_|gh[pousr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|soat|oas|ffct|agent|imt)-|xox[a-z]?-|xapp-|xwfp-|(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)[A-Z0-9]|AIza|ya29\.|1//0|GOCSPX-|SG\.[\w-]{6}|npm_|pypi-|hf_|do[opr]_v1_|shp(?:at|ss|ca|pa)_|sq0[a-z]{3}-|EAA[A-Za-z0-9]{6}|rzp_(?:live|test)_|lin_api_|ntn_|figd_|PMAK-|dapi[0-9a-f]{6}|NRA[KL]-|gls[ac]_|hv[sbr]\.|AGE-SECRET-KEY-|AT(?:ATT|CTT|BB)[A-Za-z0-9]|xai-|gsk_|pplx-|whsec_|phc_|sntry[su]_|dckr_pat_|CFPAT-|tskey-|ops_eyJ|FlyV1|fm[12]_|sbp_|vercel_|rpa_|nvapi-|tvly-|fc-[0-9a-f]{6}|secret_[A-Za-z0-9]{8})[^\s"'<>,;)(\]}{&|]*`), repl: secretMark},
	{re: re(`\b(?:tk|code|sess|rt|at|key|pat|stream|rest|sid|tok|cs|pi|seti|acct|cus|re|r8|pul|rnd|do|s|v|ops|ak|pk|rk|ck|csk|uat|ot)[-_.][A-Za-z0-9][^\s"'<>,;)(\]}{&|=:]{7,}`), fn: secretiveRun},
	// curl -u user:secret, mysql -psecret
	{need: []string{"-u", "user"}, re: re(`((?:^|\s)(?:-u|--user|--proxy-user|-U)[\s=]*["']?)[^\s:"']+:[^\s"']{3,}`), repl: "${1}" + secretMark},
	{need: []string{"-p"}, re: re(`(^|\s)-p([^\s"'=-][^\s"']{3,})`), fn: shortFlag},
	// Azure client secrets.
	{need: []string{"~"}, re: re(`[A-Za-z0-9_.~-]{3,}Q~[A-Za-z0-9_.~-]{8,}`), repl: secretMark},
}

// wholeURL takes a URL but leaves the punctuation of the sentence after it.
func wholeURL(s string, loc []int) (string, bool) {
	m := s[loc[0]:loc[1]]
	kept := strings.TrimRight(m, `'").,;:]}>!?`)
	if i := strings.IndexAny(kept, `'`); i >= 0 && !strings.Contains(kept[i:], "@") {
		kept = kept[:i]
	}
	return urlMark + m[len(kept):], true
}

// scheme takes the credentials after a word that may be the name of an authorization scheme, and parameters that follow.
func scheme(s string, loc []int) (string, bool) {
	word, gap, value, params := s[loc[2]:loc[3]], s[loc[4]:loc[5]], s[loc[6]:loc[7]], s[loc[8]:loc[9]]
	lower := strings.ToLower(word)
	if strings.HasPrefix(value, "[") {
		return "", false
	}
	name, _, isParam := strings.Cut(value, "=")
	if isParam && plainWord(name) && len(name) < 24 { // Digest username="…", WWW-Authenticate: Bearer realm="…"
		if lower == "bearer" && harmlessParam(name) || lower == "token" {
			return "", false
		}
		return word + gap + secretMark, true
	}
	core := strings.TrimRight(value, ".:!?)]}")
	if len(core) < 4 || commonValue(core) {
		return "", false
	}
	if lower != "bearer" && lower != "aws4-hmac-sha256" && !secretive(core) && !printableBase64(core) {
		return "", false
	}
	return word + gap + secretMark + value[len(core):] + params, true
}

func harmlessParam(name string) bool {
	switch strings.ToLower(name) {
	case "realm", "error", "error_description", "scope", "resource_metadata", "charset":
		return true
	}
	return false
}

// headerLine takes the rest of a header's line.
func headerLine(s string, loc []int) (string, bool) {
	value := s[loc[6]:loc[7]]
	if isMark(value) || isMark(s[loc[6]-1:]) || commonValue(value) {
		return "", false
	}
	return s[loc[2]:loc[3]] + s[loc[4]:loc[5]] + secretMark + s[loc[8]:loc[9]], true
}

func shortFlag(s string, loc []int) (string, bool) {
	return s[loc[2]:loc[3]] + "-p" + secretMark, secretive(s[loc[4]:loc[5]])
}

func secretiveRun(s string, loc []int) (string, bool) {
	m := s[loc[0]:loc[1]]
	rest := m[strings.IndexAny(m, "-_.")+1:]
	return secretMark, shapeOf(rest).digit > 0 && secretive(rest)
}

var percented = re(`[^\s"'<>]*%[0-9A-Fa-f]{2}[^\s"'<>]*`)

// encoded takes URL-encoded runs that hold something when they are decoded.
func encoded(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return percented.ReplaceAllStringFunc(s, func(m string) string {
		if strings.Contains(m, "://") {
			return m
		}
		plain, err := url.PathUnescape(m)
		if err != nil || plain == m {
			return m
		}
		if inner, err := url.PathUnescape(plain); err == nil {
			plain = inner
		}
		plain = strings.ReplaceAll(plain, "%", "") // one level is enough, and keeps this from recursing
		if Text(plain) != strip(plain) {
			return secretMark
		}
		return m
	})
}
