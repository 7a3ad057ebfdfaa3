package access

import (
	"slices"
	"strings"
	"time"
)

// An Object is what somebody wants to do something to, by its names as they are kept: in lower case.
type Object struct {
	Vault     string // id of the vault: a name may be another vault's later
	VaultName string
	Kind      string // "keys" or "secrets"
	Name      string // "" for all of a kind, which one lists
}

// A Scope is where an assignment counts: everywhere, in a vault, or at one of its objects.
type Scope struct {
	Vault      string // its id; "" everywhere
	Kind, Name string // "" at the whole vault
}

// An Assignment gives a role to a principal, which may be a group.
type Assignment struct {
	ID, Role  string // ids
	Principal string // object id
	Scope     Scope
	Condition *Condition // nil without one
	Ends      time.Time  // zero: never
}

// A Group has members, which may be groups.
type Group struct {
	ID      string // object id
	Members []string
}

// MaxNesting is how many groups may stand between a principal and the one that a role is assigned
// to, with that one. What is nested deeper has no right by it.
const MaxNesting = 8

// A Model is all that rights come from. Groups that are disabled, and what is no more, are not in it.
type Model struct {
	Roles       []Role // beside those that are built in
	Groups      []Group
	Assignments []Assignment
}

// Rights are what a model comes to. They never change, and many may ask at once.
type Rights struct {
	classes  map[string]*class   // by principal, of those that have an assignment or are in a group
	memberOf map[string][]string // the groups that a principal is a member of itself, by its id
}

// A class is what principals may do that are in the same groups. One that has assignments of its own
// has a class of its own.
type class struct {
	everywhere []*Rule
	vaults     map[string][]*Rule
	objects    map[Scope][]*Rule
}

// A Rule is an assignment, as it decides.
type Rule struct {
	Assignment
	RoleName string
	Allows   Set
}

// Compile makes rights of a model. An assignment of a role that there is not allows nothing.
func Compile(m Model) *Rights {
	r := &Rights{classes: map[string]*class{}, memberOf: map[string][]string{}}
	for _, g := range m.Groups {
		for _, member := range g.Members {
			r.memberOf[member] = append(r.memberOf[member], g.ID)
		}
	}
	rules := rulesOf(m)
	like := map[string]*class{}
	for _, principal := range r.principals(rules) {
		var grantees []string // in one order for all who have the same
		for _, id := range r.groupsOf(principal) {
			if len(rules[id]) > 0 {
				grantees = append(grantees, id)
			}
		}
		slices.Sort(grantees)
		if len(rules[principal]) > 0 {
			grantees = append(grantees, principal)
		}
		key := strings.Join(grantees, " ")
		if like[key] == nil {
			like[key] = newClass(rules, grantees)
		}
		r.classes[principal] = like[key]
	}
	return r
}

// rulesOf are the rules of a model by whom they name, each with what its role allows.
func rulesOf(m Model) map[string][]*Rule {
	roles := make(map[string]Role, len(BuiltIn)+len(m.Roles))
	for _, role := range slices.Concat(m.Roles, BuiltIn) { // nobody takes the id of a built-in one
		roles[role.ID] = role
	}
	allowed := make(map[string]Set, len(roles))
	for id, role := range roles {
		allowed[id] = role.Actions()
	}
	rules := map[string][]*Rule{}
	for _, a := range m.Assignments {
		rule := &Rule{Assignment: a, RoleName: roles[a.Role].Name, Allows: allowed[a.Role]}
		rules[a.Principal] = append(rules[a.Principal], rule)
	}
	return rules
}

// principals are all that a rule names or that are in a group.
func (r *Rights) principals(rules map[string][]*Rule) []string {
	ids := make([]string, 0, len(rules)+len(r.memberOf))
	for id := range rules {
		ids = append(ids, id)
	}
	for id := range r.memberOf {
		if len(rules[id]) == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// groupsOf are the groups that a principal is in, nearest first. Groups that contain each other end
// the walk, as MaxNesting does.
func (r *Rights) groupsOf(principal string) (groups []string) {
	seen := map[string]bool{principal: true}
	for level, depth := []string{principal}, 0; len(level) > 0 && depth < MaxNesting; depth++ {
		var above []string
		for _, id := range level {
			for _, g := range r.memberOf[id] {
				if !seen[g] {
					seen[g] = true
					above = append(above, g)
				}
			}
		}
		groups, level = append(groups, above...), above
	}
	return groups
}

func newClass(rules map[string][]*Rule, grantees []string) *class {
	c := &class{vaults: map[string][]*Rule{}, objects: map[Scope][]*Rule{}}
	for _, id := range grantees {
		for _, rule := range rules[id] {
			switch s := rule.Scope; {
			case s.Vault == "":
				c.everywhere = append(c.everywhere, rule)
			case s.Name == "":
				c.vaults[s.Vault] = append(c.vaults[s.Vault], rule)
			default:
				c.objects[s] = append(c.objects[s], rule)
			}
		}
	}
	return c
}

// Decide returns a rule that allows a principal an action on an object at a time; nil where none
// does.
func (r *Rights) Decide(principal string, a Action, o Object, now time.Time) *Rule {
	c := r.classes[principal]
	if c == nil {
		return nil
	}
	for _, rules := range c.about(o) {
		for _, rule := range rules {
			if rule.allows(a, o, now) {
				return rule
			}
		}
	}
	return nil
}

// Allowed are all actions that a principal may do to an object at a time.
func (r *Rights) Allowed(principal string, o Object, now time.Time) (s Set) {
	c := r.classes[principal]
	if c == nil {
		return 0
	}
	for _, rules := range c.about(o) {
		for _, rule := range rules {
			for a := range (rule.Allows &^ s).All() {
				if rule.allows(a, o, now) {
					s |= 1 << a
				}
			}
		}
	}
	return s
}

// about are the rules that count at an object, the narrowest scope first.
func (c *class) about(o Object) [3][]*Rule {
	about := [3][]*Rule{1: c.vaults[o.Vault], 2: c.everywhere}
	if o.Name != "" {
		about[0] = c.objects[Scope{o.Vault, o.Kind, o.Name}]
	}
	return about
}

// allows says so of an object within the rule's scope.
func (r *Rule) allows(a Action, o Object, now time.Time) bool {
	return r.Allows.Has(a) && !r.ended(now) && r.Condition.Holds(a, o)
}

func (r *Rule) ended(now time.Time) bool { return !r.Ends.IsZero() && !now.Before(r.Ends) }

// Path are the groups by which a rule reaches a principal: each is a member of the next, and the
// last is the one that the rule names. It is empty where the rule names the principal; ok is false
// where the rule does not reach it.
func (r *Rights) Path(principal string, rule *Rule) (groups []string, ok bool) {
	if rule.Principal == principal {
		return nil, true
	}
	below := map[string]string{} // by group, the member that it was reached from
	for level, depth := []string{principal}, 0; len(level) > 0 && depth < MaxNesting; depth++ {
		var above []string
		for _, id := range level {
			for _, g := range r.memberOf[id] {
				if _, seen := below[g]; seen || g == principal {
					continue
				}
				below[g] = id
				above = append(above, g)
			}
		}
		level = above
	}
	for id := rule.Principal; id != principal; id = below[id] {
		if _, reached := below[id]; !reached {
			return nil, false
		}
		groups = append(groups, id)
	}
	slices.Reverse(groups)
	return groups, true
}

// An Explanation says which rules were looked at, and what came of each.
type Explanation struct {
	Rule  *Rule // the one that decides; nil: it is not allowed
	Rules []Judged
}

// A Judged is a rule that reaches the principal, with what speaks against it.
type Judged struct {
	*Rule
	Groups []string // by which it reaches the principal
	Why    string   // "" where it allows
}

// Explain tells how Decide comes to its answer. Rules of the narrowest scope come first.
func (r *Rights) Explain(principal string, a Action, o Object, now time.Time) (e Explanation) {
	e.Rule = r.Decide(principal, a, o, now)
	c := r.classes[principal]
	if c == nil {
		return e
	}
	for _, rule := range c.all(o) {
		groups, _ := r.Path(principal, rule)
		e.Rules = append(e.Rules, Judged{Rule: rule, Groups: groups, Why: rule.against(a, o, now)})
	}
	return e
}

// all are the rules of a class: first those that count at the object, then the others by their ids.
func (c *class) all(o Object) []*Rule {
	about := c.about(o)
	rules := slices.Concat(about[:]...)
	here := len(rules)
	for _, others := range c.vaults {
		rules = append(rules, others...)
	}
	for _, others := range c.objects {
		rules = append(rules, others...)
	}
	rest := slices.DeleteFunc(rules[here:], func(rule *Rule) bool {
		return slices.Contains(rules[:here], rule)
	})
	slices.SortFunc(rest, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	return rules[:here+len(rest)]
}

// against is why a rule does not allow something, "" where it does.
func (r *Rule) against(a Action, o Object, now time.Time) string {
	switch {
	case !r.Scope.has(o):
		return "it counts elsewhere"
	case r.RoleName == "":
		return "its role is no more"
	case !r.Allows.Has(a):
		return "its role does not have the action"
	case r.ended(now):
		return "it has ended"
	case !r.Condition.Holds(a, o):
		return "its condition is not fulfilled"
	}
	return ""
}

// has says whether a scope contains an object.
func (s Scope) has(o Object) bool {
	return s.Vault == "" || s.Vault == o.Vault &&
		(s.Name == "" || s.Kind == o.Kind && s.Name == o.Name)
}
