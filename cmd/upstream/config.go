package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"upstream"
)

const (
	variablePrefix = "UPSTREAM_"
	fileSuffix     = "_FILE"
)

// variableName is the variable of an option: UPSTREAM_, the prefix of its command
// where that has one, and its name.
func variableName(flag *kong.Flag) string {
	return variablePrefix + flag.Tag.EnvPrefix + upper(flag.Name)
}

func upper(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// locustName is the variable by which users of Locust know an option of the load
// tester, "" for none.
func locustName(flag *kong.Flag) string {
	if name := flag.Tag.Get("locust"); name != "" {
		return "LOCUST_" + name
	}
	return ""
}

// secret reports whether an option is a secret or, with secret:"url", a URL that
// may hold a password: it may stand in a file, and is never printed whole.
func secret(flag *kong.Flag) bool { return flag.Tag.Has("secret") }

// variables resolves options from the environment given to run, so that tests
// need not change that of the process.
func variables(vars []string) kong.Resolver {
	values := map[string]string{}
	for _, v := range vars {
		if name, value, ok := strings.Cut(v, "="); ok && (strings.HasPrefix(name, variablePrefix) || strings.HasPrefix(name, "LOCUST_")) {
			values[name] = value
		}
	}
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		name := variableName(flag)
		value, given := values[name]
		if path, ok := values[name+fileSuffix]; ok && secret(flag) {
			if given {
				return nil, fmt.Errorf("%s and %s are both set; unset one", name, name+fileSuffix)
			}
			return fromFile(name+fileSuffix, path)
		}
		if !given {
			value, given = values[locustName(flag)]
		}
		if !given {
			return nil, nil
		}
		return value, nil
	})
}

// fromFile reads the value of an option from the file that a variable names. The
// end of its line, which most editors write, is no part of it.
func fromFile(variable, path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: can't read %s: %w", variable, path, errors.Unwrap(err))
	}
	value := strings.TrimRight(string(b), "\r\n")
	if value == "" {
		return "", fmt.Errorf("%s: %s is empty", variable, path)
	}
	return value, nil
}

// unknownVariable refuses UPSTREAM_ variables that set nothing: a misspelt one
// would otherwise be ignored. Those of the tests are left alone.
func unknownVariable(model *kong.Application, vars []string) error {
	known := map[string]bool{}
	_ = kong.Visit(model, func(n kong.Visitable, next kong.Next) error {
		if f, ok := n.(*kong.Flag); ok {
			known[variableName(f)] = true
			if secret(f) {
				known[variableName(f)+fileSuffix] = true
			}
		}
		return next(nil)
	})
	for _, v := range vars {
		name, _, _ := strings.Cut(v, "=")
		test := name == "UPSTREAM_VECTORS" || strings.HasPrefix(name, "UPSTREAM_TEST_")
		if strings.HasPrefix(name, variablePrefix) && !known[name] && !test {
			return upstream.Errorf(upstream.Invalid, "%s sets no option of upstream; correct its name or unset it", name)
		}
	}
	return nil
}

// printConfig prints the options of a command as they stand, from the command line,
// the variables and the defaults together: a line NAME=value for each, secrets
// masked.
func printConfig(w io.Writer, command *kong.Context) {
	for _, flag := range command.Flags() {
		if flag.Name == "help" || flag.Name == "print-config" {
			continue
		}
		value := configText(flag.Target)
		switch {
		case flag.Tag.Get("secret") == "url":
			value = maskedURL(value)
		case secret(flag) && value != "":
			value = mask
		}
		fmt.Fprintf(w, "%s=%s\n", variableName(flag), value)
	}
}

// configText writes a value as a variable would give it, in one line.
func configText(v reflect.Value) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	text := fmt.Sprint(v.Interface())
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = configText(v.Index(i))
		}
		text = strings.Join(parts, ",")
	}
	if strings.ContainsAny(text, "\r\n") {
		return fmt.Sprintf("%q", text)
	}
	return text
}

// mask stands for a secret, as in url.URL.Redacted.
const mask = "xxxxx"

// maskedURL hides the passwords of a URL, and all of what is none.
func maskedURL(value string) string {
	u, err := url.Parse(value)
	if value == "" {
		return ""
	}
	if err != nil || u.Scheme == "" {
		return mask
	}
	if query := u.Query(); len(query) > 0 {
		for name := range query {
			if strings.Contains(strings.ToLower(name), "password") {
				query.Set(name, mask)
			}
		}
		u.RawQuery = query.Encode()
	}
	return u.Redacted()
}
