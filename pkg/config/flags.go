package config

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Flags collects what the command line says about the options of [Registry].
type Flags struct {
	options []Option
	// set holds the text of each flag that was given, by name; a repeated flag counts with its last value.
	set map[string]string
}

// NewFlags returns an empty collection; [Flags.Bind] connects it to a command.
func NewFlags() *Flags { return &Flags{options: Registry(), set: map[string]string{}} }

// Bind registers every option with fs: --name, its short form, and for booleans also a hidden --no-name. Options that
// have no effect are accepted but hidden from help. Binding one Flags to several sets (one per command) is fine.
func (f *Flags) Bind(fs *pflag.FlagSet) {
	for i := range f.options {
		o := &f.options[i]
		flag := fs.VarPF(&flagValue{flags: f, option: o}, o.Name, o.Short, o.Help)
		flag.DefValue = o.Default
		flag.Hidden = o.NoEffect != "" || o.Refused != "" || o.AliasOf != ""
		if o.Kind == KindBool {
			flag.NoOptDefVal = "true"
			negated := fs.VarPF(&flagValue{flags: f, option: o, negated: true}, "no-"+o.Name, "", "the opposite of --"+o.Name)
			negated.NoOptDefVal, negated.Hidden = "true", true
		}
	}
}

// flagValue is the pflag.Value of one option.
type flagValue struct {
	flags   *Flags
	option  *Option
	negated bool
}

func (v *flagValue) String() string {
	if v.option == nil { // pflag asks a zero value for its default
		return ""
	}
	return v.flags.set[v.option.Name]
}

func (v *flagValue) Type() string { return v.option.Kind.String() }

// Set checks a value at once, so that pflag names the flag in its error.
func (v *flagValue) Set(text string) error {
	if err := v.option.set(&Options{}, text); err != nil {
		return err
	}
	if v.negated {
		if on, _ := parseBool(text); on {
			text = "false"
		} else {
			text = "true"
		}
	}
	v.flags.set[v.option.Name] = text
	return nil
}

// Resolve puts all layers together: flag, then ONE_MCP_* variable, then config.toml, then default. A variable that is
// set to nothing counts as not set. The options are usable only when the report has no errors; a broken config.toml is
// an error of the report, too.
func (f *Flags) Resolve(env Env) (Options, Report) {
	r := &resolver{flags: f, env: env, origins: map[string]string{}}
	for _, o := range f.options {
		if o.Default != "" {
			if err := o.set(&r.out, o.Default); err != nil {
				panic("config: the default of --" + o.Name + " " + err.Error()) // a test sets every default
			}
		}
	}
	r.place()
	r.readTOML()
	for _, o := range f.options {
		if o.AliasOf == "" && o.Name != "config" && o.Name != "config-dir" { // place has resolved these two
			r.resolve(o)
		}
	}
	r.unknownVariables()
	r.state()
	r.decide()
	r.report = append(r.report, r.out.validate(r.origin)...)
	return r.out, r.report
}

// resolver is the state of one Resolve.
type resolver struct {
	flags  *Flags
	env    Env
	toml   map[string]string
	out    Options
	report Report
	// origins says where each option was set: "--port", "ONE_MCP_PORT", "config.toml: port".
	origins map[string]string
}

func (r *resolver) fail(path, message, cure string) {
	r.report = append(r.report, Problem{Path: path, Message: message, Cure: cure})
}

func (r *resolver) warn(path, message, cure string) {
	r.report = append(r.report, Problem{Path: path, Message: message, Cure: cure, Severity: Warning})
}

func (r *resolver) origin(name string) string {
	if o, ok := r.origins[name]; ok {
		return o
	}
	return "--" + name
}

// drainDelay is what a balancer needs to notice that a gateway is not ready: two probes of HAProxy's default interval.
const drainDelay = 5 * time.Second

// decide fills in what depends on other options.
func (r *resolver) decide() {
	if r.out.DrainDelay == undecided {
		r.out.DrainDelay = 0
		if !r.out.Loopback() {
			r.out.DrainDelay = drainDelay
		}
	}
}

// resolve takes an option from its highest layer.
func (r *resolver) resolve(o Option) {
	value, origin, by, ok := r.find(o)
	if !ok {
		return
	}
	r.origins[o.Name] = origin
	if err := o.set(&r.out, value); err != nil {
		message := "is " + quote(value)
		if strings.Contains(value, "@") { // user:password@ in a URL
			message = "is not valid"
		}
		r.fail(origin, message, err.Error())
		return
	}
	on := true
	if o.Kind == KindBool {
		on, _ = parseBool(value)
	}
	switch {
	case o.Refused != "" && on:
		r.fail(origin, "is not available", o.Refused)
	case by.Deprecated != "":
		r.warn(origin, "is deprecated", by.Deprecated)
	}
	if o.NoEffect != "" && (on || o.Default != "false") { // switching off what does not exist needs no word
		r.warn(origin, "has no effect: "+o.NoEffect, "")
	}
	if o.Name == "trust-proxy" && strings.EqualFold(value, "true") {
		r.warn(origin, "trusts X-Forwarded-* headers of everybody, so clients can claim any address", "name the networks of your proxies")
	}
}

// find returns the text of an option and of its aliases, from the highest layer that has it. by is the option that the
// text was given by, which is an alias or o itself.
func (r *resolver) find(o Option) (value, origin string, by Option, ok bool) {
	names := []Option{o}
	for _, alias := range r.flags.options {
		if alias.AliasOf == o.Name {
			names = append(names, alias)
		}
	}
	for _, by := range names {
		if value, ok := r.flags.set[by.Name]; ok {
			return value, "--" + by.Name, by, true
		}
	}
	for _, by := range names {
		if value, ok := r.env.lookup(by.Env()); ok && value != "" {
			return value, by.Env(), by, true
		}
	}
	if value, ok := r.legacyLogLevel(o); ok {
		return value, "LOG_LEVEL", Option{Deprecated: "use ONE_MCP_LOG_LEVEL"}, true
	}
	for _, key := range o.TOML {
		if value, ok := r.toml[key]; ok {
			return value, tomlName + ": " + key, o, true
		}
	}
	return "", "", o, false
}

// legacyLogLevel is 1MCP's LOG_LEVEL. Other programs have a variable of this name too, so a value that means nothing
// here is left alone.
func (r *resolver) legacyLogLevel(o Option) (string, bool) {
	if o.Name != "log-level" {
		return "", false
	}
	value, ok := r.env.lookup("LOG_LEVEL")
	return value, ok && o.set(&Options{}, value) == nil
}

// foreignVariables are the ONE_MCP_* variables of 1MCP that are not options; they have no effect here.
var foreignVariables = []string{"ONE_MCP_ADMIN_", "ONE_MCP_REGISTRY_", "ONE_MCP_CONTEXT"}

// unknownVariables warns of ONE_MCP_* variables that no option reads.
func (r *resolver) unknownVariables() {
	if r.env.Names == nil {
		return
	}
	var known []string
	for _, o := range r.flags.options {
		known = append(known, o.Env())
	}
	for _, name := range slices.Sorted(slices.Values(r.env.Names())) {
		switch {
		case !strings.HasPrefix(name, ownVariables) || slices.Contains(known, name):
		case slices.ContainsFunc(foreignVariables, func(p string) bool { return strings.HasPrefix(name, p) }):
			r.warn(name, "has no effect: "+notYet, "")
		default:
			r.warn(name, "is not a known variable and has no effect", didYouMean(name, known))
		}
	}
}
