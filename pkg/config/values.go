package config

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind is the form of an option's value.
type Kind uint8

// The kinds, with what pflag prints as the type.
const (
	KindText Kind = iota
	KindBool
	KindNumber
	KindDuration
	KindSize
	KindChoice
	KindList
)

// String returns the word for help texts and tables.
func (k Kind) String() string {
	return [...]string{"text", "bool", "number", "duration", "size", "choice", "list"}[k]
}

// setter parses a value and stores it. Its error says what is allowed and never repeats the value.
type setter func(o *Options, value string) error

// anyText takes every text, for options that are accepted and have no effect.
func anyText(*Options, string) error { return nil }

// setText stores a text as it is.
func setText(field func(*Options) *string) setter {
	return func(o *Options, value string) error {
		*field(o) = value
		return nil
	}
}

// setKey stores a secret. Whether it is a key is checked by whoever uses it; an error here would repeat it.
func setKey(o *Options, value string) error {
	o.Key = Secret(value)
	return nil
}

// setMatching stores a text that matches a pattern.
func setMatching(field func(*Options) *string, pattern *regexp.Regexp, allowed string) setter {
	return func(o *Options, value string) error {
		if !pattern.MatchString(value) {
			return fmt.Errorf("must be %s", allowed)
		}
		*field(o) = value
		return nil
	}
}

// setBool stores true or false. A nil field only checks.
func setBool(field func(*Options) *bool) setter {
	return func(o *Options, value string) error {
		b, ok := parseBool(value)
		if !ok {
			return fmt.Errorf("must be true or false")
		}
		if field != nil {
			*field(o) = b
		}
		return nil
	}
}

// setNumber stores a whole number from low to high. A nil field only checks.
func setNumber(field func(*Options) *int, low, high int) setter {
	return func(o *Options, value string) error {
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < low || n > high {
			return fmt.Errorf("must be a whole number from %d to %d", low, high)
		}
		if field != nil {
			*field(o) = n
		}
		return nil
	}
}

// setDuration stores a time with a unit, from low to high.
func setDuration(field func(*Options) *time.Duration, low, high time.Duration) setter {
	return func(o *Options, value string) error {
		d, err := time.ParseDuration(strings.TrimSpace(value))
		if err != nil || d < low || d > high {
			return fmt.Errorf("must be a time with a unit from %s to %s, such as 500ms, 20s or 5m", showDuration(low), showDuration(high))
		}
		*field(o) = d
		return nil
	}
}

// showDuration writes 30m instead of 30m0s.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// setSize stores a number of bytes, also written as 64KiB or 4MiB.
func setSize(field func(*Options) *int64, low, high int64) setter {
	return func(o *Options, value string) error {
		n, ok := parseSize(value)
		if !ok || n < low || n > high {
			return fmt.Errorf("must be a size from %s to %s", showSize(low), showSize(high))
		}
		*field(o) = n
		return nil
	}
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}

func parseSize(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	unit := int64(1)
	for _, u := range sizeUnits {
		if number, ok := cutSuffixFold(s, u.name); ok {
			s, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

func cutSuffixFold(s, suffix string) (string, bool) {
	if i := len(s) - len(suffix); i >= 0 && strings.EqualFold(s[i:], suffix) {
		return s[:i], true
	}
	return s, false
}

func showSize(n int64) string {
	for _, u := range sizeUnits[:3] {
		if n >= u.bytes && n%u.bytes == 0 {
			return itoa(int(n/u.bytes)) + u.name
		}
	}
	return itoa(int(n)) + "B"
}

// setChoice stores one of a few words; case does not matter. A nil field only checks.
func setChoice(field func(*Options) *string, choices ...string) setter {
	return func(o *Options, value string) error {
		for _, c := range choices {
			if strings.EqualFold(c, strings.TrimSpace(value)) {
				if field != nil {
					*field(o) = c
				}
				return nil
			}
		}
		return fmt.Errorf("must be %s", oneOf(choices))
	}
}

// setList stores the parts of a comma-separated list.
func setList(field func(*Options) *[]string) setter {
	return func(o *Options, value string) error {
		*field(o) = splitList(value)
		return nil
	}
}

func splitList(value string) []string {
	var out []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// setTransport stores how clients reach the gateway; sse is another word for http, which serves both.
func setTransport(o *Options, value string) error {
	var word string
	if err := setChoice(func(*Options) *string { return &word }, "stdio", "http", "sse")(o, value); err != nil {
		return err
	}
	if o.Transport = TransportHTTP; word == "stdio" {
		o.Transport = TransportStdio
	}
	return nil
}

func setExternalURL(o *Options, value string) error {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("must be an http:// or https:// URL with a host and without user, query and fragment")
	}
	o.ExternalURL = value
	return nil
}

// trustWords are the networks that Express, and so 1MCP, has names for.
var trustWords = map[string][]string{
	"true":        {"0.0.0.0/0", "::/0"},
	"false":       {},
	"loopback":    {"127.0.0.0/8", "::1/128"},
	"linklocal":   {"169.254.0.0/16", "fe80::/10"},
	"uniquelocal": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"},
}

func setTrustProxy(o *Options, value string) error {
	if o.TrustAuto = strings.EqualFold(value, auto); o.TrustAuto {
		o.TrustProxy = nil
		return nil
	}
	var out []netip.Prefix
	for _, part := range splitList(value) {
		if networks, ok := trustWords[strings.ToLower(part)]; ok {
			for _, n := range networks {
				out = append(out, netip.MustParsePrefix(n))
			}
			continue
		}
		if addr, err := netip.ParseAddr(part); err == nil && addr.Zone() == "" {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return fmt.Errorf("must be auto, true, false, loopback, linklocal, uniquelocal, an IP address or a network such as 10.0.0.0/8, or a comma-separated list of these")
		}
		out = append(out, prefix.Masked())
	}
	o.TrustProxy = out
	return nil
}

// auto leaves a choice to the gateway.
const auto = "auto"

// undecided is DrainDelay until everything else is known; see resolver.decide.
const undecided = -1

func setDrainDelay(o *Options, value string) error {
	if strings.EqualFold(value, auto) {
		o.DrainDelay = undecided
		return nil
	}
	return setDuration(func(o *Options) *time.Duration { return &o.DrainDelay }, 0, time.Hour)(o, value)
}

var ratePattern = regexp.MustCompile(`^([1-9][0-9]{0,8})-([SMHDsmhd])$`)

// setRate stores a rate in the notation of ulule/limiter.
func setRate(o *Options, value string) error {
	if strings.EqualFold(value, "off") {
		o.MCPRateLimit = ""
		return nil
	}
	if !ratePattern.MatchString(value) {
		return fmt.Errorf("must be off, or a number and S, M, H or D such as 2000-S (requests per second, minute, hour or day)")
	}
	o.MCPRateLimit = strings.ToUpper(value)
	return nil
}

func setHost(o *Options, value string) error {
	value = strings.TrimSpace(value)
	if _, err := netip.ParseAddr(strings.Trim(value, "[]")); err != nil && !hostPattern.MatchString(value) {
		return fmt.Errorf("must be an IP address or a host name, without scheme and port")
	}
	o.Host = value
	return nil
}

var (
	hostPattern      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	separatorPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)
)

func itoa(n int) string { return strconv.Itoa(n) }
