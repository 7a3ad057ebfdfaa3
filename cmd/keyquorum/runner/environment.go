package runner

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
)

// An assignment is one --env or --env-file, in the order in which they stand.
type assignment struct {
	text string
	file bool
}

// assigned is a flag that appends to the assignments.
type assigned struct {
	to   *[]assignment
	file bool
}

func (a *assigned) String() string { return "" }

func (a *assigned) Type() string {
	if a.file {
		return "FILE"
	}
	return "NAME=REF"
}

func (a *assigned) Set(text string) error {
	*a.to = append(*a.to, assignment{text, a.file})
	return nil
}

// A variable is one of the environment that the command gets.
type variable struct {
	name      string
	value     string               // where it is no reference
	reference *reference.Reference // nil: value is what it holds
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// maxEnvFile bounds a file of variables in bytes.
const maxEnvFile = 1 << 20

// gather reads all variables; of the same name the later one stays.
func gather(environment []string, assignments []assignment) ([]variable, error) {
	var all []variable
	for _, text := range environment {
		name, value, _ := strings.Cut(text, "=")
		v := variable{name: name, value: value}
		if reference.Is(value) {
			if err := v.refer(value); err != nil {
				return nil, fmt.Errorf("%s in the environment: %w", name, err)
			}
		}
		all = append(all, v)
	}
	for _, a := range assignments {
		more, err := a.variables()
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return latest(all), nil
}

// errNoReference shows nothing of a text: it may be a secret that stands in the wrong place.
var errNoReference = errors.New("what begins with akv:// is a reference to a secret: " +
	"akv://vault/name or akv://vault/name/version")

func (v *variable) refer(text string) error {
	r, err := reference.Parse(reference.Secrets, text)
	if err != nil {
		return errNoReference
	}
	v.reference = &r
	return nil
}

// latest keeps the last of each name.
func latest(all []variable) (kept []variable) {
	last := map[string]int{}
	for i, v := range all {
		last[v.name] = i
	}
	for i, v := range all {
		if last[v.name] == i {
			kept = append(kept, v)
		}
	}
	return kept
}

func (a assignment) variables() ([]variable, error) {
	if a.file {
		text, err := console.ReadInput(nil, a.text, maxEnvFile)
		if err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
		all, err := readVariables(text)
		if err != nil {
			return nil, fmt.Errorf("--env-file %s, %w", a.text, err)
		}
		return all, nil
	}
	name, text, ok := strings.Cut(a.text, "=")
	if !ok || !variableName.MatchString(name) {
		return nil, fmt.Errorf("--env: it is NAME=REF, as in DB_PASSWORD=akv://demo/db-password")
	}
	v := variable{name: name}
	if err := v.refer(text); err != nil {
		return nil, fmt.Errorf(
			"--env %s: what follows is no reference to a secret: it is akv://vault/name[/version], "+
				"the id of a secret, or its name",
			name,
		)
	}
	return []variable{v}, nil
}

// readVariables reads lines NAME=value. Its errors name lines, and show nothing of them.
func readVariables(text []byte) (all []variable, err error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxEnvFile+1)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		if !ok || !variableName.MatchString(name) {
			return nil, fmt.Errorf("line %d: it is NAME=value", number)
		}
		v := variable{name: name}
		if v.value, err = unquoted(strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if err := v.referIfMeant(); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		all = append(all, v)
	}
	return all, lines.Err()
}

// referIfMeant takes a value for a reference where it is one in full; akv:// always means one.
func (v *variable) referIfMeant() error {
	if reference.Is(v.value) {
		return v.refer(v.value)
	}
	if r, err := reference.Parse(reference.Secrets, v.value); err == nil &&
		strings.HasPrefix(v.value, "https://") {
		v.reference = &r
	}
	return nil
}

// unquoted is a value without quotes around it: single ones keep all within, in double ones \n, \t,
// \" and \\ are what they are elsewhere. Without quotes " #" begins a comment.
func unquoted(value string) (string, error) {
	if value == "" || value[0] != '\'' && value[0] != '"' {
		plain, _, _ := strings.Cut(value, " #")
		return strings.TrimSpace(plain), nil
	}
	quote := value[0]
	end := closing(value, quote)
	if rest := strings.TrimSpace(value[min(end+1, len(value)):]); end == len(value) ||
		rest != "" && rest[0] != '#' {
		return "", fmt.Errorf("a value that begins with %c ends with it", quote)
	}
	inner := value[1:end]
	if quote == '\'' {
		return inner, nil
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\"`, `"`, `\$`, `$`).
			Replace(inner),
		nil
}

// closing is where the quote that begins a value ends; its length where it does not.
func closing(value string, quote byte) int {
	for i := 1; i < len(value); i++ {
		switch {
		case value[i] == '\\' && quote == '"':
			i++
		case value[i] == quote:
			return i
		}
	}
	return len(value)
}
