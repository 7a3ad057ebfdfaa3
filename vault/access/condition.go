package access

import (
	"errors"
	"fmt"
	"strings"
)

// A Condition narrows an assignment, in version 2.0 of Azure's language ("Actions and attributes for
// Azure Key Vault ABAC conditions"). It reads the name of the vault and, for actions on secrets, that
// of the secret; the latter as @Request where the secret may not be there yet (set, restore), and as
// @Resource elsewhere. A comparison that reads a name which the request does not have is false, also
// one by StringNot...; so listing, which names no secret, needs an ActionMatches of its own.
//
// Names of secrets are one in any case, so they are compared as they are kept: in lower case. A
// literal with capitals would fit nothing, or everything where it says "not", and is refused.
type Condition struct {
	text string
	root node
}

// String is the condition as it was written.
func (c *Condition) String() string { return c.text }

// Holds says whether it is fulfilled for an action on an object. nil always is.
func (c *Condition) Holds(a Action, o Object) bool { return c == nil || c.root.holds(a, o) }

// Bounds of a condition.
const (
	maxCondition = 8 << 10 // bytes, as Azure's
	maxDepth     = 32
)

type node interface {
	holds(a Action, o Object) bool
}

type (
	not  struct{ node }
	all  []node
	some []node
	// isAction is ActionMatches.
	isAction Set
	// comparison is of an attribute with a literal.
	comparison struct {
		attribute attribute
		operator  operator
		negated   bool
		literal   string
	}
)

func (n not) holds(a Action, o Object) bool      { return !n.node.holds(a, o) }
func (n isAction) holds(a Action, _ Object) bool { return Set(n).Has(a) }

func (n all) holds(a Action, o Object) bool {
	for _, part := range n {
		if !part.holds(a, o) {
			return false
		}
	}
	return true
}

func (n some) holds(a Action, o Object) bool {
	for _, part := range n {
		if part.holds(a, o) {
			return true
		}
	}
	return false
}

func (n comparison) holds(a Action, o Object) bool {
	value := n.attribute.of(a, o)
	return value != "" && n.operator.fits(value, n.literal) != n.negated
}

// An attribute is what a comparison reads.
type attribute uint8

const (
	vaultName     attribute = iota // @Resource[Microsoft.KeyVault/vaults:name]
	resourceName                   // @Resource[Microsoft.KeyVault/vaults/secrets:name]
	requestedName                  // @Request[Microsoft.KeyVault/vaults/secrets:name]
)

var attributes = map[string]attribute{
	"@resource[microsoft.keyvault/vaults:name]":         vaultName,
	"@resource[microsoft.keyvault/vaults/secrets:name]": resourceName,
	"@request[microsoft.keyvault/vaults/secrets:name]":  requestedName,
}

// of is "" where the request has no such name.
func (t attribute) of(a Action, o Object) string {
	switch {
	case t == vaultName:
		return o.VaultName
	case a.Collection() != "secrets", a.namesNew() != (t == requestedName):
		return ""
	}
	return o.Name
}

// An operator compares two texts.
type operator uint8

const (
	equals operator = iota
	startsWith
	endsWith
	contains
	fitsPattern
)

var operators = map[string]operator{
	"equals": equals, "startswith": startsWith, "endswith": endsWith, "contains": contains,
	"like": fitsPattern,
}

func (op operator) fits(value, literal string) bool {
	switch op {
	case startsWith:
		return strings.HasPrefix(value, literal)
	case endsWith:
		return strings.HasSuffix(value, literal)
	case contains:
		return strings.Contains(value, literal)
	case fitsPattern:
		return like(literal, value, '*', '?')
	}
	return value == literal
}

// ParseCondition reads a condition. "" is none, and gives nil.
func ParseCondition(text string) (*Condition, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > maxCondition {
		return nil, fmt.Errorf("a condition has at most %d bytes, and this one has %d", maxCondition,
			len(text))
	}
	p := parser{rest: text}
	root, err := p.alternatives(0)
	if err == nil && p.next() != "" {
		err = errors.New("there is more where it should end: join parts by AND or OR")
	}
	if err != nil {
		return nil, fmt.Errorf("the condition can't be read at byte %d: %w", len(text)-len(p.rest), err)
	}
	return &Condition{text, root}, nil
}

// A parser reads from the beginning of rest.
type parser struct{ rest string }

// next is what is not read yet, without the space before it.
func (p *parser) next() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest
}

// take reads a symbol or a word, in any case, if it is next.
func (p *parser) take(symbol string) bool {
	if rest := p.next(); len(rest) < len(symbol) || !strings.EqualFold(rest[:len(symbol)], symbol) {
		return false
	}
	p.rest = p.rest[len(symbol):]
	return true
}

func (p *parser) alternatives(depth int) (node, error) {
	return p.joined(depth, "OR", "||", (*parser).conjunction, func(n []node) node { return some(n) })
}

func (p *parser) conjunction(depth int) (node, error) {
	return p.joined(depth, "AND", "&&", (*parser).term, func(n []node) node { return all(n) })
}

// joined reads parts between the same word or symbol.
func (p *parser) joined(depth int, word, symbol string, part func(*parser, int) (node, error),
	join func([]node) node) (node, error) {
	var parts []node
	for {
		n, err := part(p, depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
		if !p.take(word) && !p.take(symbol) {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return join(parts), nil
}

func (p *parser) term(depth int) (node, error) {
	switch {
	case depth >= maxDepth:
		return nil, fmt.Errorf("it nests deeper than %d", maxDepth)
	case p.take("!"), p.take("NOT"):
		n, err := p.term(depth + 1)
		return not{n}, err
	case p.take("("):
		n, err := p.alternatives(depth + 1)
		if err == nil && !p.take(")") {
			err = errors.New("a parenthesis is not closed")
		}
		return n, err
	case p.take("ActionMatches"):
		return p.action()
	case strings.HasPrefix(p.next(), "@"):
		return p.comparison()
	}
	return nil, errors.New("expected is !, (, ActionMatches{'...'}, @Resource[...] or @Request[...]")
}

func (p *parser) action() (node, error) {
	if !p.take("{") {
		return nil, errors.New("ActionMatches is followed by {'...'}")
	}
	pattern, err := p.literal()
	if err != nil {
		return nil, err
	}
	if !p.take("}") {
		return nil, errors.New("a brace is not closed")
	}
	s := matching(pattern)
	if s == 0 {
		return nil, fmt.Errorf("there is no action %q", pattern)
	}
	return isAction(s), nil
}

func (p *parser) comparison() (node, error) {
	end := strings.IndexByte(p.rest, ']')
	if end < 0 {
		return nil, errors.New("a bracket is not closed")
	}
	read, ok := attributes[strings.ToLower(p.rest[:end+1])]
	if !ok {
		return nil, fmt.Errorf("there is no attribute %s; there are @Resource[Microsoft.KeyVault/"+
			"vaults:name], and @Resource and @Request of [Microsoft.KeyVault/vaults/secrets:name]",
			p.rest[:end+1])
	}
	p.rest = p.rest[end+1:]
	c := comparison{attribute: read}
	if !p.take("String") {
		return nil, errors.New("a comparison of texts is expected, such as StringStartsWith")
	}
	c.negated = p.take("Not")
	word, _, _ := strings.Cut(p.rest, "'")
	word = strings.TrimSpace(word)
	if c.operator, ok = operators[strings.ToLower(word)]; !ok {
		return nil, fmt.Errorf("there is no comparison by %q; there are StringEquals, StringStartsWith, "+
			"StringEndsWith, StringContains and StringLike, and their negations, such as StringNotLike",
			word)
	}
	p.take(word)
	var err error
	c.literal, err = p.literal()
	if err == nil && c.literal != strings.ToLower(c.literal) {
		err = fmt.Errorf("names are compared in lower case: write %q", strings.ToLower(c.literal))
	}
	return c, err
}

// literal reads a text between single quotes.
func (p *parser) literal() (string, error) {
	if !p.take("'") {
		return "", errors.New("a text in single quotes is expected")
	}
	text, rest, ok := strings.Cut(p.rest, "'")
	if !ok {
		return "", errors.New("a quote is not closed")
	}
	p.rest = rest
	return text, nil
}
