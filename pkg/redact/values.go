package redact

import (
	"regexp"
	"strings"
)

// weight says how much a name tells about its value.
type weight uint8

const (
	harmless weight = iota
	weak            // the value is secret if it looks so: code, key, state
	strong          // the value is secret: password, api_key, token
)

// words of names, by weight. A name is cut into words at punctuation and capitals.
var (
	strongWords = set(`password passwd passwort passphrase passcode pwd secret secrets token tokens apikey apikeys credential
		credentials creds cred authorization cookie cookies jwt bearer signature sig otp totp csrf xsrf csrftoken sessid phpsessid
		jsessionid sid mnemonic dsn hmac psk pat passkey pw xoxp`)
	strongJoined = []string{
		"password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "sessionid", "sharedaccess",
		"accountkey", "authtoken", "accesstoken", "refreshtoken", "idtoken", "sessiontoken", "authkey", "masterkey", "signingkey",
		"encryptionkey", "codeverifier", "connectionstring", "sessionkey", "sharedkey", "licensekey", "servicekey", "storagekey",
		"sshkey", "deploykey", "functionkey", "hostkey", "subscriptionkey", "appkey", "adminkey", "webhookkey", "clientkey",
		"consumerkey", "projectkey", "userpass", "dbpass", "basicauth", "userpwd", "keypass", "storepass", "recoverykey", "seedphrase",
		"recoverycode", "devicecode", "securitycode", "verificationcode", "authcode", "authorizationcode", "pincode",
	}
	weakWords = set(`pass key keys auth session code state nonce pin challenge sas ticket hash digest salt seed assertion grant verifier
		login id value user username account phrase cert certificate license sv se sr hdr header s k t p u`)
	// harmlessEnds end names of values about a secret that are not one.
	harmlessEnds = set(`expires expired expiry ttl type length len count limit size policy min max bytes usage used budget endpoint
		required name names index status version window rate per timeout age error errors env var variable field header supported methods`)
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// weigh judges a name such as DB_PASSWORD, x-api-key, clientSecret.
func weigh(name string) weight {
	words := wordsOf(name)
	if len(words) == 0 {
		return harmless
	}
	joined := strings.Join(words, "")
	w := harmless
	for _, word := range words {
		switch {
		case strongWords[word]:
			w = strong
		case weakWords[word]:
			w = max(w, weak)
		}
	}
	for _, j := range strongJoined {
		if strings.Contains(joined, j) {
			w = strong
			break
		}
	}
	if w == strong && len(words) > 1 && harmlessEnds[words[len(words)-1]] {
		w = weak
	}
	if w == harmless && (strings.HasSuffix(joined, "pass") || strings.HasSuffix(joined, "token") || strings.HasSuffix(joined, "key")) {
		w = weak
	}
	if w == weak && words[len(words)-1] == "pass" && len(words) > 1 {
		w = strong
	}
	return w
}

// wordsOf cuts a name into its words, in small letters.
func wordsOf(name string) []string {
	var words []string
	start := 0
	end := func(i int) {
		if i > start {
			words = append(words, strings.ToLower(name[start:i]))
		}
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == '.' || c == ' ' || c >= '0' && c <= '9' || c == '$':
			end(i)
			start = i + 1
		case isUpper(c) && i > start && (!isUpper(name[i-1]) || i+1 < len(name) && isLower(name[i+1])):
			end(i)
			start = i
		}
	}
	end(len(name))
	return words
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

// named finds names and what joins them to a value. Groups: flag dashes, name, closing, joint.
var named = regexp.MustCompile(`(^|[^A-Za-z0-9_.$-])(--?)?([A-Za-z_$][A-Za-z0-9_.$-]*(?: (?:[Kk]ey|KEY|[Ii]d|ID|[Tt]oken|[Ss]ecret|[Ss]tring|[Cc]ode|[Vv]erifier|[Pp]hrase|[Aa]ccess [Kk]ey|[Ii]dentifier))?)` +
	`(\\*["'` + "`" + `]?\]?)` +
	`(\s*(?:=>|:=|->|==|[:=])\s*|(?:\s|\\n)*,?(?:\s|\\n)*\\*["']?(?:value|Value|VALUE|content)\\*["']?\s*[:=]\s*|>|\s*,\s*|(?: (?:is|was|of|provided|given|used|received|value|header|supplied|string|set to|with value|with|for|not valid|invalid|found)){1,2}:? ?|:? )`)

// namedValues takes the values that a name announces: name=value, name: value, "name":"value", ("name", "value"), --name value,
// <name>value</name>, name="…" value="…", name 'value'.
func namedValues(s string) string {
	var b strings.Builder
	last, from := 0, 0
	for from < len(s) {
		loc := named.FindStringSubmatchIndex(s[from:])
		if loc == nil {
			break
		}
		for i := range loc {
			if loc[i] >= 0 {
				loc[i] += from
			}
		}
		next := loc[7] // go on after the name: a joint may be the beginning of the next one
		n := name{
			text: s[loc[6]:loc[7]], flag: loc[4] >= 0, closing: s[loc[8]:loc[9]], joint: s[loc[10]:loc[11]],
			before: s[max(0, loc[6]-16):loc[6]],
		}
		if w := weigh(n.text); w != harmless || n.isEnv() {
			if start, end := n.value(w, s, loc[11]); end > start {
				b.WriteString(s[last:start])
				b.WriteString(secretMark)
				last, next = end, end
			}
		}
		from = next
	}
	if last == 0 {
		return s
	}
	b.WriteString(s[last:])
	return b.String()
}

type name struct {
	text, closing, joint, before string
	flag                         bool
}

// isEnv tells whether the name looks like a variable of the environment that is set.
func (n *name) isEnv() bool {
	return len(n.text) >= 3 && n.joint == "=" && strings.ToUpper(n.text) == n.text && strings.ContainsAny(n.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// value gives the part of s, from at on, that is the secret value of the name; nothing if there is none.
func (n *name) value(w weight, s string, at int) (start, end int) {
	joint := strings.TrimSpace(n.joint)
	assigned := strings.ContainsAny(joint, ":=>")
	quoted := strings.ContainsAny(n.closing, `"'`+"`")
	start = at
	for start < len(s) && (s[start] == '\\' || s[start] == '[' && !isMark(s[start:]) || s[start] == '(') && start-at < 3 {
		start++
	}
	if isMark(s[start:]) || start == len(s) {
		return 0, 0
	}
	if q := s[start]; q == '"' || q == '\'' || q == '`' {
		if joint == "," && !quoted {
			return 0, 0
		}
		start++
		end = closing(s, start, q)
		return start, n.judgeQuoted(w, s, start, end, assigned || joint == "," || n.flag)
	}
	if joint == "," {
		return 0, 0
	}
	end = start
	for end < len(s) && !strings.ContainsRune(" \t\r\n\"'`", rune(s[end])) {
		if s[end] == '\\' && end+1 < len(s) && strings.IndexByte(`nrt"'`, s[end+1]) >= 0 {
			break
		}
		if n.joint == ">" && s[end] == '<' {
			break
		}
		end++
	}
	if n.text == "passphrase" || n.text == "mnemonic" {
		for end < len(s) && strings.IndexByte("\r\n\"';,", s[end]) < 0 {
			end++
		}
	}
	run := strings.TrimRight(s[start:end], `,;:.!?)]}>`)
	return start, start + len(n.judgeBare(w, run, assigned))
}

// closing finds the quote that ends a value, or the end of the line.
func closing(s string, from int, q byte) int {
	for i := from; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] != q:
			i++
		case s[i] == q:
			for i > from && s[i-1] == '\\' {
				i--
			}
			return i
		case s[i] == '\n':
			return i
		}
	}
	return len(s)
}

func (n *name) judgeQuoted(w weight, s string, start, end int, assigned bool) int {
	text := s[start:end]
	switch {
	case len(text) < 3, commonValue(text), isMark(text), strings.Contains(strings.ToLower(n.before), "unexpected"):
		return 0
	case w == strong && (assigned || !strings.Contains(text, " ") && len(text) > 3):
		return end
	case !strings.Contains(text, " ") && len(text) >= 8 && secretive(text):
		return end
	}
	return 0
}

func (n *name) judgeBare(w weight, run string, assigned bool) string {
	if len(run) < 3 || commonValue(run) || isMark(run) || strings.HasPrefix(run, "<") || strings.HasPrefix(run, "${") {
		return ""
	}
	take := false
	switch {
	case smallNumber(run) && strings.HasSuffix(strings.ToLower(n.text), "tokens"): // how many
	case n.isEnv():
		take = w == strong || !smallNumber(run) && !strings.HasPrefix(run, "/")
	case w == strong && n.flag:
		take = !strings.HasPrefix(run, "-")
	case w == strong && assigned:
		take = !smallNumber(run) || strings.TrimSpace(n.joint) == "="
	case w == strong:
		take = secretive(run)
	case n.flag:
		take = secretive(run)
	default:
		take = len(run) >= 8 && secretive(run) && (assigned || randomLooking(run) || plainHex(run))
	}
	if !take {
		return ""
	}
	return run
}

func smallNumber(s string) bool {
	h := shapeOf(s)
	return h.digit == len(s) && len(s) <= 7
}

func plainHex(s string) bool {
	return len(s) >= 8 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

func isMark(s string) bool {
	for _, m := range []string{secretMark, urlMark, pathMark, addressMark, hostMark, mailMark, numberMark} {
		if strings.HasPrefix(s, m) {
			return true
		}
	}
	return false
}

// commonValue tells whether a word that stands where a secret would is an ordinary one: "token: expired".
func commonValue(s string) bool {
	s = strings.ToLower(strings.Trim(s, `"'.,:;!?()[]{}`))
	if strings.HasSuffix(s, "ing") && plainWord(s) && len(s) < 16 && !randomLooking(s) {
		return true
	}
	return ordinary[s]
}

var ordinary = set(`yes no true false null none nil undefined nan empty unset missing required optional invalid valid expired revoked
	unknown unsupported rejected denied refused failed failure error errors not is was are be been has have had must should can cannot
	could may might will would does did the a an of in on at to for from by with without and or but if when while because since as than
	that this these those it its provided given received found present absent available unavailable set used needed wrong incorrect bad
	malformed mismatch match does authentication authorization authorized unauthorized auth authenticated scheme schemes header headers
	request requests response string number integer object array boolean bool value values type types field fields parameter parameters
	key keys name names token tokens password secret credentials credential cookie cookies session sessions scope scopes audience issuer
	signature endpoint server client user users account verification validation exchange refresh access id bearer basic digest api
	production development staging test testing debug info warn warning trace local localhost default enabled disabled on off auto
	connected disconnected closed open opened ready pending active inactive running stopped started exited initialized idle
	eof timeout end start begin next previous first last new old same different other another no-store public private utf-8 utf8 json
	xml html text plain application/json text/event-stream stdio http https sse operator identifier keyword punctuation reference
	enoent econnrefused econnreset etimedout enotfound eacces eperm epipe eaddrinuse err_module_not_found module_not_found
	exceeded limit count usage total input output prompt completion manager store storage cache provider service handler callback
	generation rotation expiry expiration length size format too short long changed updated created deleted reset sent verify check
	please use see again try retry contact verifier failed: *** **** ***** ****** ******* ******** redacted [redacted] hidden xxx xxxx`)
