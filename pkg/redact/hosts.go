package redact

import (
	"slices"
	"strings"
)

const tlds = `com|net|org|io|dev|app|cloud|internal|local|lan|corp|intranet|private|svc|cluster|ai|co|uk|de|fr|eu|us|biz|gov|edu|mil|int|me|tech|site|online|xyz|ru|cn|jp|br|in|nl|ch|at|se|no|it|es|pl|be|ca|au|example|test|invalid|localdomain|localhost|home|arpa|onion|tv|cc|gg|to|so|run|host|zone|systems|network|solutions|software|company|inc|ltd|global|world|digital|services|info|name|pro|kr|hk|sg|tw|za|nz|ie|dk|fi|cz|gr|pt|ro|hu|ua|il|tr|mx|ar|cl|sh|is|li|lu|sk|si|hr|bg|ee|lv|lt|consul|mesh|ts`

// hosts are names of machines, and numbers of people.
var hosts = []rule{
	// After a word that announces one.
	{re: re(`(?i)\b((?:lookup|ENOTFOUND|EAI_AGAIN|getaddrinfo(?: for)?|resolve(?: host)?|hostname|host(?: name)?|connect(?:ing|ion)? to(?: server| host| the server)?(?: at| on)?|ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ECONNRESET|UnknownHostException|dial tcp|NXDOMAIN|translate host name|nodename|data source|server at|reach|ssh|telnet|ping|peer|upstream host|on node|node|address of|addr|server)(?::? (?:ENOTFOUND|EAI_AGAIN|lookup))?(?:\\*["']?\s*[:=]\s*\\*["']?|\s+\\*["']?))([A-Za-z0-9_][A-Za-z0-9_.-]*[A-Za-z0-9])`), fn: announcedHost},
	// By its domain.
	{need: []string{"."}, re: re(`(?i)(^|[^a-z0-9_./@\\-])((?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)*\.(?:` + tlds + `))\b\.?(?:[^a-z0-9_(.-]|$|-[^a-z0-9])`), fn: domain},
	// By a port.
	{need: []string{":"}, re: re(`(^|[^A-Za-z0-9_.:/\\@-])([A-Za-z][A-Za-z0-9]*(?:[-_.][A-Za-z0-9]+)*):(\d{2,5})(?:[^\d:.\w]|[:.]?\s|[:.]?$)`), fn: portHost},
	// By the habits of those who name machines: db-prod-01, web03.eu-west-1.
	{need: []string{"-"}, re: re(`(?i)\b(?:[a-z0-9]+-)*(?:prod|prd|stage|staging|stg|uat|qa|dev|int|preprod|dr|primary|replica|master|slave|standby|bastion|internal|node|worker|db|redis|kafka|pg|postgres|mysql|mongo|vault|consul|etcd|proxy|lb|gw|host|srv|vm|k8s)(?:-[a-z0-9]+)*-?\d{1,4}\b(?:\.[a-z0-9-]+)*`), fn: habitualHost},
	// People: cards, accounts, phones.
	{re: re(`\b\d(?:[ -]?\d){12,18}\b`), fn: card},
	{re: re(`\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b`), repl: numberMark},
	{re: re(`(^|[^\w.+-])(\+\d{1,3}[ .-]?(?:\(\d{1,4}\)|\d{1,4})(?:[ .-]?\d{2,5}){1,4}|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}[-. ]\d{3}[-. ]\d{4}|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}|\d{3}-\d{2}-\d{4})\b`), repl: "${1}" + numberMark},
	{re: re(`\b\d{14,}\b`), repl: numberMark},
}

var notHosts = set(`localhost lookup i o connect read write eai_again enotfound econnrefused server servers client host hosts hostname the a an and or but is was in on at for of to from with error failed
	failure refused timeout timed out not found name names address port tcp tcp4 tcp6 udp unix http https sse stdio mcp upstream failure
	after before during while because this that it its down up unknown unavailable unreachable unexpected invalid closed lost reset ok
	be been has have had must should can cannot could will does did are were if when where which who how why no any all some none
	internal external remote local default version process exited crashed returned responded sent started stopped running starting
	stopping ready connected disconnected js module modules package npm npx node python ruby bundle database db redis session stream
	endpoint socket websocket proxy gateway backend tool tools resource resources prompt prompts protocol capabilities response request
	initialize initialized info side rejected denied deny dns sse-server authorization auth oauth via over using by as than so then
	reason message messages event events name: url uri path config configuration key certificate transport limit failed: end
	file files registry directory disk memory promise value type pool service services peer peers its their your our my retry retries`)

func announcedHost(s string, loc []int) (string, bool) {
	lead, host := s[loc[2]:loc[3]], s[loc[4]:loc[5]]
	word := strings.ToLower(lead)
	lower := strings.ToLower(host)
	after := byte(' ')
	if loc[1] < len(s) {
		after = s[loc[1]]
	}
	looked := strings.Contains(word, "lookup") && (after == ':' || strings.HasPrefix(s[loc[1]:], " on ")) // as Go's resolver says it
	assigned := strings.HasPrefix(word, "host") && strings.ContainsAny(lead, ":=")
	if looked || assigned && versionLike(host) && !isNumber(host) {
		return lead + hostMark, true
	}
	if notHosts[lower] || ordinary[lower] || versionLike(host) || codeFile.MatchString(lower) || after == '(' || after == '/' || strings.HasPrefix(s[loc[1]:], "]") {
		return "", false
	}
	if assigned || containsAny(word, resolverWords) {
		return lead + hostMark, true
	}
	h := shapeOf(host)
	switch {
	case h.digit > 0 && (h.symbol > 0 || after == ':'), strings.Count(host, "-") > 0 && after == ':':
		return lead + hostMark, true
	case strings.Contains(word, "host"), hasAnyPrefix(word, connectWords):
		return lead + hostMark, h.digit > 0 || h.symbol > 0 || after == ':' || strings.ContainsAny(lead, `"'=`)
	}
	return "", false
}

// resolverWords announce a host for certain, connectWords if it looks like one.
var (
	resolverWords = []string{"lookup", "enotfound", "eai_again", "getaddrinfo", "resolve", "unknownhost", "nxdomain", "translate", "dial tcp", "econn", "etimedout", "ehost"}
	connectWords  = []string{"connect", "ssh", "data source", "ping", "telnet"}
)

func containsAny(s string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

func hasAnyPrefix(s string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(s, w) })
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789.") == "" }

var codeFile = re(`\.(?:js|ts|mjs|cjs|jsx|tsx|py|go|rs|rb|java|json|ya?ml|toml|html?|css|md|txt|sh|log|lock|so|exe|dll|c|h|cpp|php|cs)$`)

func domain(s string, loc []int) (string, bool) {
	m, lead, host := s[loc[0]:loc[1]], s[loc[2]:loc[3]], s[loc[4]:loc[5]]
	lower := strings.ToLower(host)
	first, last, _ := strings.Cut(lower, ".")
	switch {
	case lower == "asp.net", lower == "java.io", lower == "socket.io", lower == "modelcontextprotocol.io", strings.HasPrefix(lower, "system.net"):
		return "", false
	case host != lower && !isLower(host[0]) && strings.Count(lower, ".") == 1 && host != strings.ToUpper(host):
		return "", false // the end of one sentence and the beginning of the next
	case doubtful[last] && (ordinary[first] || programWords[first]):
		return "", false
	}
	return lead + hostMark + m[len(lead)+len(host):], true
}

// doubtful are domains that are names of members in programs, too; programWords are what such members belong to.
var (
	doubtful     = set(`info name test run to in is at it no so me host private internal local int es ts pro home net io zone network services host.name co dev app`)
	programWords = set(`this self logger log console os path process server client params request response req res ctx err error config tool
		tools result message msg options opts args data item items value obj object props window document math json http https net io fs
		util node event events session transport module import java sys std async user schema it test describe vi jest go rust`)
)

func portHost(s string, loc []int) (string, bool) {
	m, lead, host := s[loc[0]:loc[1]], s[loc[2]:loc[3]], s[loc[4]:loc[5]]
	lower := strings.ToLower(host)
	h := shapeOf(host)
	if notHosts[lower] || ordinary[lower] || codeFile.MatchString(lower) || h.digit == 0 && h.symbol == 0 || host == strings.ToUpper(host) ||
		strings.HasSuffix(lower, "port") || strings.HasSuffix(lower, "code") || strings.HasSuffix(lower, "line") || versionLike(host) && h.symbol == 0 && h.digit < 2 && len(s[loc[6]:loc[7]]) < 4 {
		return "", false
	}
	return lead + hostMark + m[len(lead)+len(host):], true
}

func habitualHost(s string, loc []int) (string, bool) {
	m := s[loc[0]:loc[1]]
	if !strings.Contains(m, "-") || codeFile.MatchString(strings.ToLower(m)) || loc[0] > 0 && (s[loc[0]-1] == '/' || s[loc[0]-1] == '@' || s[loc[0]-1] == '-') {
		return "", false
	}
	return hostMark, true
}

// card takes numbers of payment cards (Luhn), spaced or not, and leaves times in milliseconds alone.
func card(s string, loc []int) (string, bool) {
	sum, n := 0, 0
	for i := loc[1] - 1; i >= loc[0]; i-- {
		c := s[i]
		if c < '0' || c > '9' {
			continue
		}
		d := int(c - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return numberMark, sum%10 == 0 && s[loc[0]] >= '2'
}
