package redact

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
)

// gen draws secrets and lines around them. Nothing that it makes is stored: a repository with it would be refused by
// scanners, and a fixed corpus teaches rules by heart.
type gen struct{ *rand.Rand }

const (
	lowers   = "abcdefghijklmnopqrstuvwxyz"
	uppers   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits   = "0123456789"
	alnum    = lowers + uppers + digits
	hexes    = "0123456789abcdef"
	urlsafe  = alnum + "-_"
	passSet  = alnum + "!#$%^*+=~?._-"
	passMore = alnum + "@:/!#$%^&*+=~?."
)

func (g gen) from(set string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = set[g.IntN(len(set))]
	}
	return string(b)
}

func (g gen) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g gen) pass() string {
	return g.from(lowers+uppers, 1) + g.from(passSet, 6+g.IntN(10)) + g.from(digits, 1)
}

// phrase is a password that people make: a word and some digits.
func (g gen) phrase() string {
	return g.pick("hunter", "Summer", "dragon", "monkey", "Welcome", "qwerty", "trustno") + g.from(digits, 1+g.IntN(4)) + g.pick("", "!", "#")
}

func (g gen) ip() string {
	return fmt.Sprintf("%d.%d.%d.%d", 1+g.IntN(223), g.IntN(256), g.IntN(256), 1+g.IntN(254))
}

func (g gen) hostname() string {
	return g.pick("db", "redis", "kafka", "vault", "api", "auth", "pg") + "-" + g.pick("prod", "stage", "primary", "eu", "internal") + "-" + g.from(digits, 2)
}

func (g gen) fqdn() string {
	return g.hostname() + "." + g.from(lowers, 6) + "." + g.pick("internal", "corp", "local", "com", "net", "io", "example.org", "svc.cluster.local")
}

func (g gen) user() string {
	return g.pick("alice", "bob", "carol", "j.doe", "svc-deploy") + g.from(digits, 2)
}

func (g gen) uuid() string {
	return g.from(hexes, 8) + "-" + g.from(hexes, 4) + "-4" + g.from(hexes, 3) + "-a" + g.from(hexes, 3) + "-" + g.from(hexes, 12)
}

func (g gen) unixPath() string {
	return g.pick("/home/"+g.user(), "/etc/"+g.from(lowers, 7), "/var/lib/"+g.from(lowers, 8), "/opt/"+g.from(lowers, 6), "/Users/"+g.user(), "/srv/"+g.from(lowers, 8)) +
		"/" + g.from(lowers, 6) + "/" + g.from(lowers, 8) + g.pick(".json", ".pem", ".key", ".py", "", ".sock")
}

func (g gen) windowsPath() string {
	return g.pick(`C:\Users\`, `D:\Program Files\`, `c:\ProgramData\`) + g.user() + `\` + g.from(lowers, 7) + `\` + g.from(lowers, 8) + g.pick(".json", ".exe", ".config", "")
}

func (g gen) jwt() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(`{"sub":"`+g.from(digits, 10)+`","name":"`+g.user()+`"}`) + "." + g.from(urlsafe, 43)
}

func (g gen) pem(kind string) string {
	var b strings.Builder
	b.WriteString("-----BEGIN " + kind + "-----\n")
	for range 4 {
		b.WriteString(g.from(alnum+"+/", 64) + "\n")
	}
	b.WriteString(g.from(alnum+"+/", 30) + "==\n-----END " + kind + "-----")
	return b.String()
}

// token makes a token with a maker's prefix.
func (g gen) token() string {
	return g.pick(
		"sk-"+g.from(alnum, 48), "sk-proj-"+g.from(urlsafe, 60), "sk-ant-api03-"+g.from(urlsafe, 80), "sk_live_"+g.from(alnum, 24), "rk_test_"+g.from(alnum, 24),
		"ghp_"+g.from(alnum, 36), "gho_"+g.from(alnum, 36), "github_pat_"+g.from(alnum, 22)+"_"+g.from(alnum, 59), "glpat-"+g.from(urlsafe, 20),
		"xoxb-"+g.from(digits, 12)+"-"+g.from(digits, 12)+"-"+g.from(alnum, 24), "xapp-1-"+g.from(uppers, 10)+"-"+g.from(digits, 12)+"-"+g.from(hexes, 32),
		"AKIA"+g.from(uppers+"234567", 16), "ASIA"+g.from(uppers+"234567", 16), "AIza"+g.from(urlsafe, 35), "ya29."+g.from(urlsafe, 60), "GOCSPX-"+g.from(urlsafe, 28),
		"SG."+g.from(urlsafe, 22)+"."+g.from(urlsafe, 43), "npm_"+g.from(alnum, 36), "pypi-"+g.from(urlsafe, 80), "hf_"+g.from(alnum, 34), "dop_v1_"+g.from(hexes, 64),
		"shpat_"+g.from(hexes, 32), "key-"+g.from(hexes, 32), "AC"+g.from(hexes, 32), "tk-"+g.uuid(), "code-"+g.uuid(), "sess-"+g.uuid(), "rt-"+g.uuid(),
		"stream-"+g.uuid(), "hvs."+g.from(urlsafe, 24), "AGE-SECRET-KEY-1"+g.from(uppers+digits, 58), g.from(digits, 9)+":"+g.from(urlsafe, 35),
		"dapi"+g.from(hexes, 32), "lin_api_"+g.from(alnum, 40), "xai-"+g.from(alnum, 60), "gsk_"+g.from(alnum, 52), "whsec_"+g.from(alnum, 32),
		g.from(alnum, 3)+"8Q~"+g.from(alnum+"_.~-", 34), g.jwt(), g.from(hexes, 40), g.from(alnum+"+/", 43)+"=",
	)
}

// leak is a line and the secrets in it.
type leak struct {
	kind, line string
	secrets    []string
}

// leaks makes one line of every kind.
func (g gen) leaks() []leak {
	var all []leak
	add := func(kind, line string, secrets ...string) { all = append(all, leak{kind, line, secrets}) }
	g.urls(add)
	g.headers(add)
	g.tokens(add)
	g.named(add)
	g.wrapped(add)
	g.paths(add)
	g.machines(add)
	g.people(add)
	return all
}

type adder func(kind, line string, secrets ...string)

func (g gen) urls(add adder) {
	p, u, h := g.pass(), g.user(), g.fqdn()
	wild := g.from(alnum, 3) + g.from(passMore, 9) + g.from(alnum, 2)
	add("URL userinfo", fmt.Sprintf("Get \"https://%s:%s@%s/v1\": EOF", u, p, h), p, h)
	add("URL password with @ : /", fmt.Sprintf("fatal: unable to access 'https://%s:%s@%s/x.git/': timeout", u, wild, h), wild, h)
	add("URL password encoded", fmt.Sprintf("dial amqp://%s:%s@%s:5672/ failed", u, url.QueryEscape(wild), h), url.QueryEscape(wild), h)
	t := g.token()
	add("URL with token only", fmt.Sprintf("clone https://%s@%s/a.git failed", t, h), t)
	add("URL query", fmt.Sprintf("POST https://%s/cb?code=%s&state=%s: 400", h, t, p), t, p)
	add("URL fragment", fmt.Sprintf("redirect to https://%s/#access_token=%s&x=1", h, t), t)
	path := g.from(alnum, 24)
	add("URL path token", fmt.Sprintf("webhook https://hooks.slack.com/services/T%s/B%s/%s failed", g.from(uppers+digits, 8), g.from(uppers+digits, 8), path), path)
	for _, scheme := range []string{"postgres", "postgresql", "mysql", "mongodb+srv", "redis", "rediss", "amqps", "mssql", "jdbc:postgresql", "ws", "ftp", "ldap", "smtp"} {
		add("DSN "+scheme, fmt.Sprintf("connect %s://%s:%s@%s:5432/app?sslmode=disable: connection reset", scheme, u, p, h), p, h)
	}
	add("DSN kv", fmt.Sprintf("failed to connect to `host=%s user=%s password=%s database=app`: dial error", h, u, p), h, p)
	add("DSN Go mysql", fmt.Sprintf("Error 1045: %s:%s@tcp(%s:3306)/app?parseTime=true", u, p, h), p, h)
	add("DSN ADO", fmt.Sprintf("Server=tcp:%s,1433;Database=app;User Id=sa;Password=%s;Encrypt=true", h, p), p)
	add("DSN Azure", fmt.Sprintf("DefaultEndpointsProtocol=https;AccountName=app;AccountKey=%s;EndpointSuffix=core.windows.net", g.from(alnum+"+/", 86)+"=="))
	key := g.from(alnum+"+/", 86) + "=="
	add("Azure account key", "AccountKey="+key+";EndpointSuffix=core.windows.net rejected", key)
	sig := url.QueryEscape(g.from(alnum+"+/", 43) + "=")
	add("SAS", fmt.Sprintf("403 for https://x.blob.core.windows.net/c/f?sv=2022-11-02&sr=b&sig=%s&se=2025-01-01", sig), sig)
	add("SAS bare", fmt.Sprintf("SharedAccessSignature sr=hub&sig=%s&se=1700000000&skn=root", sig), sig)
	add("scp form", fmt.Sprintf("git@%s:team/%s.git: Permission denied (publickey)", h, g.from(lowers, 9)), h)
	add("user:pass@host bare", fmt.Sprintf("proxy %s:%s@%s:3128 refused", u, p, h), p, h)
	add("JSON escaped URL", fmt.Sprintf(`{"error":"fetch https:\/\/%s:%s@%s\/x failed"}`, u, p, h), p, h)
	add("jdbc oracle", fmt.Sprintf("jdbc:oracle:thin:%s/%s@//%s:1521/orcl", u, p, h), p, h)
}

func (g gen) headers(add adder) {
	t, p := g.token(), g.pass()
	add("Authorization bearer", "request headers: Authorization: Bearer "+t, t)
	add("authorization JSON", fmt.Sprintf(`{"headers":{"authorization":"Bearer %s","accept":"*/*"}}`, t), t)
	add("authorization JS", fmt.Sprintf("headers: { Authorization: 'Bearer %s', Accept: '*/*' }", t), t)
	add("authorization Python", fmt.Sprintf("headers={'Authorization': 'Bearer %s', 'User-Agent': 'x'}", t), t)
	add("authorization tuple", fmt.Sprintf("[('Authorization', 'Bearer %s'), ('Accept', '*/*')]", t), t)
	add("authorization Go", fmt.Sprintf("map[Accept:[*/*] Authorization:[Bearer %s]]", t), t)
	basic := base64.StdEncoding.EncodeToString([]byte(g.user() + ":" + p))
	add("Basic", "sent Authorization: Basic "+basic, basic)
	add("basic alone", "proxy said: Basic "+basic+" is not valid", basic)
	add("Bearer alone", "invalid token: Bearer "+g.phrase()+"x was refused")
	short := g.from(alnum, 12)
	add("Bearer short", "401: Bearer "+short, short)
	add("Token scheme", "Authorization: Token "+t, t)
	add("ApiKey scheme", "Authorization: ApiKey "+short, short)
	resp := g.from(hexes, 32)
	add("Digest", fmt.Sprintf(`Authorization: Digest username="%s", realm="x", nonce="%s", response="%s"`, g.user(), g.from(hexes, 16), resp), resp)
	add("AWS4", fmt.Sprintf("Authorization: AWS4-HMAC-SHA256 Credential=AKIA%s/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=%s", g.from(uppers, 16), resp+resp), resp)
	add("AWS4 alone", fmt.Sprintf("SignatureDoesNotMatch AWS4-HMAC-SHA256 Credential=AKIA%s/20250101/us-east-1/s3/aws4_request, Signature=%s", g.from(uppers, 16), resp+resp), resp)
	add("Cookie", fmt.Sprintf("Cookie: sid=%s; theme=dark", short), short)
	add("Set-Cookie", fmt.Sprintf("Set-Cookie: connect.sid=s%%3A%s.%s; Path=/; HttpOnly", short, g.from(alnum, 20)), short)
	add("X-Api-Key", "X-Api-Key: "+short, short)
	add("x-auth-token JSON", fmt.Sprintf(`{"x-auth-token":"%s"}`, short), short)
	add("HTTP dump", fmt.Sprintf("GET /v1 HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: */*\r\n\r\n", g.fqdn(), short), short)
	add("HTTP dump escaped", fmt.Sprintf(`"GET /v1 HTTP/1.1\r\nAuthorization: Bearer %s\r\nAccept: */*\r\n"`, short), short)
	add("curl -H", fmt.Sprintf("curl -H 'PRIVATE-TOKEN: %s' failed", short), short)
	add("curl -u", fmt.Sprintf("curl -u %s:%s returned 22", g.user(), p), p)
	id := g.uuid()
	add("session header", "Mcp-Session-Id: "+id+" not found", id)
}

func (g gen) tokens(add adder) {
	for range 20 {
		t := g.token()
		add("token in a sentence", "Incorrect API key provided: "+t+". You can find it in the dashboard.", t)
		add("token without context", "unexpected response for "+t, t)
		add("token in quotes", fmt.Sprintf("KeyError: '%s'", t), t)
		add("token in parentheses", "lookup failed (id "+t+")", t)
	}
	for _, kind := range []string{"RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE"} {
		p := g.pem(kind)
		body := strings.Split(p, "\n")
		add("PEM", "could not parse key: "+p, body[1], body[5])
		add("PEM escaped", `{"private_key":"`+strings.ReplaceAll(p, "\n", `\n`)+`"}`, body[1], body[5])
		add("PEM cut", "could not parse key: "+p[:200], body[1])
		add("PEM tail", body[3]+"\n"+body[4]+"\n"+body[5]+"\n"+body[6]+" is not a key", body[4], strings.TrimRight(body[5], "="))
	}
	ssh := "AAAAB3NzaC1yc2EAAAADAQABAAAB" + g.from(alnum+"+/", 200)
	add("SSH public key", "ssh-rsa "+ssh+" "+g.user()+"@host rejected", ssh)
}

func (g gen) named(add adder) {
	for _, name := range []string{"password", "Password", "DB_PASSWORD", "api_key", "apiKey", "API_KEY", "client_secret", "clientSecret",
		"access_token", "refreshToken", "secret", "SECRET_KEY", "aws_secret_access_key", "private_key", "x-api-key", "passwd", "pwd", "auth_token", "authToken",
		"connection_string", "session_id", "GITHUB_TOKEN", "code_verifier", "dbPassword"} {
		for _, form := range []string{
			"%s=%s", "%s: %s", `{"%s":"%s","x":1}`, `{"%s": "%s"}`, "{'%s': '%s'}", `\"%s\":\"%s\"`, "--%s %s", "--%s=%s", "<%s>%s</x>",
			`%s="%s"`, "{User:admin %s:%s Port:1}", "export %s='%s'", "%s => %s", `name="%s" value="%s"`, `{"name":"%s","value":"%s"}`, "%s = %s",
			`- name: %s\n  value: %s`, "- name: %s\n  value: %s",
		} {
			s := g.pick(g.pass(), g.phrase(), g.from(alnum, 20), g.from(lowers, 11), g.from(digits, 8))
			line := fmt.Sprintf(form, name, s)
			if form == "<%s>%s</x>" {
				line = fmt.Sprintf("<%s>%s</%s>", name, s, name)
			}
			add("named "+form, "config error near "+line, s)
		}
		s := g.pass()
		add("named, URL-encoded", "bad body "+url.QueryEscape(name+"="+s+"&x=1"), url.QueryEscape(s))
	}
	p := g.pass()
	add("env dump", "env: PATH=/usr/bin HOME=/root STRIPE="+p+" NODE_ENV=production", p)
	add("mysql -p", "mysql -uroot -p"+p+" failed", p)
	add("invalid password in quotes", fmt.Sprintf("invalid password '%s' for user", p), p)
	add("passphrase", "passphrase: correct horse battery staple", "correct horse battery staple")
	code := g.from(alnum, 30)
	add("OAuth code", "exchange failed: code="+code+" redirect_uri=x", code)
	add("OAuth state", "state mismatch: state="+code, code)
	add("pgpass", fmt.Sprintf("password authentication failed for user with password %s", p+"9a"), p)
}

func (g gen) wrapped(add adder) {
	t := g.from(alnum, 32)
	add("ANSI around", "\x1b[31mtoken=\x1b[1m"+t+"\x1b[0m", t)
	add("ANSI inside", "key sk-"+t[:9]+"\x1b[33m"+t[9:], t)
	add("zero width inside", "password="+t[:9]+"\u200b"+t[9:], t)
	b := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"password":%q}`, g.pass()))
	add("base64 of JSON", "payload "+b+" is not valid", b)
	s := base64.StdEncoding.EncodeToString([]byte(g.user() + ":" + g.phrase()))
	add("base64 of a pair", "got "+s, s)
	h := hex.EncodeToString([]byte(g.pass() + g.pass()))
	add("hex", "buffer "+h, h)
	octets := fmt.Sprintf("% x", g.pass()+"12345")
	add("hex octets", "bytes "+octets, octets)
	w := g.from(alnum, 16)
	add("JSON in URL encoding", "q="+url.QueryEscape(fmt.Sprintf(`{"token":"%s"}`, w)), w)
	long := strings.Repeat("context of the failure ", 40)
	add("after much text", long+"password="+t, t)
	add("at the edge", strings.Repeat("word ", MaxText/5-4)+"password="+t, t)
	add("at the edge of 100", strings.Repeat("x", 90)+" password="+t, t)
}

func (g gen) paths(add adder) {
	for range 6 {
		u, w := g.unixPath(), g.windowsPath()
		add("Unix path", "open "+u+": no such file or directory", u)
		add("Unix path in quotes", fmt.Sprintf("ENOENT: no such file or directory, open '%s'", u), u)
		add("Python trace", fmt.Sprintf(`File "%s", line 12, in main`, u), u)
		add("Node trace", fmt.Sprintf("    at Object.<anonymous> (%s:12:34)", u), u)
		add("Go trace", fmt.Sprintf("main.main()\n\t%s:12 +0x1d", u), u)
		add("file URL", "Cannot find module 'file://"+u+"'", u)
		add("path glued", "config="+u+" is not readable", u)
		add("flag path", "cc -I"+u+" failed", u)
		add("list of paths", "PATH="+u+":/usr/bin", u)
		add("Windows path", "Cannot open "+w+" for reading", w)
		add("Windows path in quotes", fmt.Sprintf(`Error: ENOENT: "%s"`, w), w)
		add("Windows path escaped", fmt.Sprintf(`{"path":"%s"}`, strings.ReplaceAll(w, `\`, `\\`)), w, strings.ReplaceAll(w, `\`, `\\`))
		add("Windows path slashes", "at "+strings.ReplaceAll(w, `\`, "/")+":1:2", strings.ReplaceAll(w, `\`, "/"))
		d := g.from(lowers, 9)
		add("home", "cannot read ~/."+d+"/credentials", d)
		add("HOME", "cannot read $HOME/"+d+"/x", d)
		add("UNC", `net use \\`+g.hostname()+`\share\`+d+` failed`, d)
		add("mac path with spaces", "open /Users/"+g.user()+"/Library/Application Support/"+d+"/config.json: denied", d)
		add("encoded path", "GET %2Fhome%2F"+d+"%2Fx failed", d)
	}
}

func (g gen) machines(add adder) {
	for range 4 {
		ip, h, f := g.ip(), g.hostname(), g.fqdn()
		add("IPv4", "connect ECONNREFUSED "+ip+":5432", ip)
		add("IPv4 end", "no route to "+ip, ip)
		add("IPv4 CIDR", "not in "+ip+"/24.", ip)
		add("IPv4 dashes", "node ip-"+strings.ReplaceAll(ip, ".", "-")+" is down", strings.ReplaceAll(ip, ".", "-"))
		add("EC2 name", "ip-"+strings.ReplaceAll(ip, ".", "-")+".ec2.internal unreachable", strings.ReplaceAll(ip, ".", "-"))
		six := fmt.Sprintf("2001:db8:%s:%s::%s", g.from("123456789abcdef", 4), g.from("123456789abcdef", 4), g.from("123456789abcdef", 4))
		full := fmt.Sprintf("fd00:%s:%s:%s:%s:%s:%s:%s", g.from(hexes, 4), g.from(hexes, 4), g.from(hexes, 4), g.from(hexes, 4), g.from(hexes, 4), g.from(hexes, 4), g.from(hexes, 4))
		add("IPv6", "dial tcp ["+six+"]:443: i/o timeout", six)
		add("IPv6 bare", "no route to host "+six, six)
		add("IPv6 full", "peer "+full+" reset", full)
		add("IPv6 upper", "peer "+strings.ToUpper(full)+", reset", strings.ToUpper(full))
		add("IPv6 zoned", "bind fe80::"+g.from("123456789abcdef", 4)+":"+full[5:9]+"%eth0: fail", full[5:9]+"%eth0")
		add("IPv6 mapped", "from ::ffff:"+ip+" denied", ip)
		mac := fmt.Sprintf("02:%s:%s:%s:%s:%s", g.from(hexes, 2), g.from(hexes, 2), g.from(hexes, 2), g.from(hexes, 2), g.from(hexes, 2))
		add("MAC", "arp "+mac+" incomplete", mac)
		add("MAC dashes", "arp "+strings.ReplaceAll(mac, ":", "-"), strings.ReplaceAll(mac, ":", "-"))
		add("lookup", "dial tcp: lookup "+h+" on "+ip+":53: no such host", h, ip)
		add("ENOTFOUND", "getaddrinfo ENOTFOUND "+f, f)
		add("EAI_AGAIN", "getaddrinfo EAI_AGAIN "+h, h)
		add("FQDN", "certificate is valid for "+f+", not for this", f)
		add("FQDN in quotes", fmt.Sprintf("Hostname/IP does not match: Host: '%s'. is not in the list", f), f)
		add("host port", "connect to "+h+":6379 failed", h)
		add("bare host", "could not translate host name \""+h+"\" to address", h)
		add("Python pool", fmt.Sprintf("HTTPSConnectionPool(host='%s', port=443): Max retries exceeded", f), f)
		word := g.from(lowers, 9)
		add("ENOTFOUND word", "getaddrinfo ENOTFOUND "+word, word)
		add("curl", "curl: (6) Could not resolve host: "+word, word)
		add("Java", "java.net.UnknownHostException: "+word, word)
		add("ssh", "ssh: connect to host "+h+" port 22: Connection refused", h)
	}
}

func (g gen) people(add adder) {
	m := g.user() + "@" + g.from(lowers, 8) + ".com"
	add("mail", "user "+m+" is not allowed", m)
	add("mail encoded", "login="+url.QueryEscape(m), g.from(lowers, 0)+url.QueryEscape(m))
	phone := "+49 " + g.from("123456789", 3) + " " + g.from(digits, 7)
	add("phone", "sms to "+phone+" failed", phone)
	us := g.from("23456789", 3) + "-" + g.from(digits, 3) + "-" + g.from(digits, 4)
	add("phone US", "call "+us, us)
	c := g.card()
	add("card", "charge of "+c+" declined", c)
	spaced := c[:4] + " " + c[4:8] + " " + c[8:12] + " " + c[12:]
	add("card spaced", "charge of "+spaced+" declined", spaced)
	iban := "DE" + g.from(digits, 20)
	add("IBAN", "transfer to "+iban, iban)
}

func (g gen) card() string {
	n := "4" + g.from(digits, 14)
	sum := 0
	for i := range n {
		d := int(n[len(n)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return n + string(rune('0'+(10-sum%10)%10))
}
