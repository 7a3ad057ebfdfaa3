package access

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func roleID(t interface{ Fatalf(string, ...any) }, name string) string {
	role, ok := FindRole(BuiltIn, name)
	if !ok {
		t.Fatalf("there is no role %s", name)
	}
	return role.ID
}

// allowedByHand looks at each assignment, and walks down from its principal by all ways that are
// short enough.
func allowedByHand(m Model, principal string, a Action, o Object) bool {
	groups := map[string][]string{}
	for _, g := range m.Groups {
		groups[g.ID] = g.Members
	}
	var reaches func(id string, left int) bool
	reaches = func(id string, left int) bool {
		return id == principal || left > 0 && slices.ContainsFunc(groups[id], func(member string) bool {
			return reaches(member, left-1)
		})
	}
	return slices.ContainsFunc(m.Assignments, func(as Assignment) bool {
		role, ok := FindRole(append(m.Roles, BuiltIn...), as.Role)
		s := as.Scope
		within := s.Vault == "" || s.Vault == o.Vault && (s.Name == "" || s.Kind == o.Kind &&
			s.Name == o.Name)
		return ok && role.Actions().Has(a) && within && as.Condition.Holds(a, o) &&
			(as.Ends.IsZero() || as.Ends.After(now)) && reaches(as.Principal, MaxNesting)
	})
}

func drawModel(t *rapid.T) (m Model, ids []string) {
	for i := range 12 {
		ids = append(ids, fmt.Sprintf("id%02d", i))
	}
	pick := rapid.SampledFrom(ids)
	for _, id := range ids[:9] { // groups: also in themselves, and in each other
		m.Groups = append(m.Groups, Group{ID: id, Members: rapid.SliceOfN(pick, 0, 2).Draw(t, "members")})
	}
	m.Roles = []Role{{ID: "own", Name: "Own", Allows: []string{"*/sign/action", "*/read"}}}
	app, err := ParseCondition(guarded)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "assignments") {
		as := Assignment{ID: fmt.Sprint(i), Principal: pick.Draw(t, "principal")}
		as.Role = rapid.SampledFrom([]string{"own", "gone", roleID(t, "Key Vault Secrets User"),
			roleID(t, "Key Vault Crypto User")}).Draw(t, "role")
		as.Scope = rapid.SampledFrom([]Scope{{}, {Vault: "v"}, {Vault: "w"}, {"v", "keys", "a"},
			{"v", "secrets", "a"}}).Draw(t, "scope")
		as.Condition = rapid.SampledFrom([]*Condition{nil, app}).Draw(t, "condition")
		as.Ends = rapid.SampledFrom([]time.Time{{}, now, now.Add(1)}).Draw(t, "ends")
		m.Assignments = append(m.Assignments, as)
	}
	return m, ids
}

var (
	someActions = []Action{KeysSign, KeysGet, KeysList, SecretsGet, SecretsList, SecretsSet}
	someObjects = []Object{
		{"v", "vee", "keys", "a"}, {"v", "vee", "secrets", "a"}, {"v", "vee", "secrets", "app-1"},
		{"v", "vee", "secrets", ""}, {"w", "double", "keys", "a"}, {"x", "ex", "keys", "b"},
	}
)

// What is compiled decides as the model says, names a rule that it has from it, and tells the same
// when it is asked why.
func TestRightsAreTheModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, ids := drawModel(t)
		r := Compile(m)
		principal := rapid.SampledFrom(append(ids, "stranger")).Draw(t, "who")
		o := rapid.SampledFrom(someObjects).Draw(t, "object")
		for _, a := range someActions {
			rule := r.Decide(principal, a, o, now)
			if want := allowedByHand(m, principal, a, o); (rule != nil) != want {
				t.Fatalf("%s may do %s to %+v: %v, want %v", principal, a, o, rule, want)
			}
			if r.Allowed(principal, o, now).Has(a) != (rule != nil) {
				t.Fatalf("what %s may do to %+v differs in %s", principal, o, a)
			}
			if rule != nil {
				checkPath(t, m, r, principal, rule)
			}
			e := r.Explain(principal, a, o, now)
			allowing := slices.ContainsFunc(e.Rules, func(j Judged) bool { return j.Why == "" })
			if e.Rule != rule || allowing != (rule != nil) {
				t.Fatalf("%s is told of %s to %+v: %+v", principal, a, o, e)
			}
		}
	})
}

// checkPath follows the groups by which a rule reaches a principal.
func checkPath(t *rapid.T, m Model, r *Rights, principal string, rule *Rule) {
	groups, ok := r.Path(principal, rule)
	if !ok || len(groups) > MaxNesting {
		t.Fatalf("rule %s reaches %s by %v", rule.ID, principal, groups)
	}
	member := principal
	for _, id := range groups {
		i := slices.IndexFunc(m.Groups, func(g Group) bool { return g.ID == id })
		if i < 0 || !slices.Contains(m.Groups[i].Members, member) {
			t.Fatalf("%s is no member of %s, in %v", member, id, groups)
		}
		member = id
	}
	if member != rule.Principal {
		t.Fatalf("%v does not end with %s", groups, rule.Principal)
	}
}

// Every assignment that reaches a principal is told of, with what speaks against it.
func TestExplanations(t *testing.T) {
	never, err := ParseCondition("@Resource[Microsoft.KeyVault/vaults:name] StringEquals 'other'")
	if err != nil {
		t.Fatal(err)
	}
	user := roleID(t, "Key Vault Secrets User")
	r := Compile(Model{
		Groups: []Group{{ID: "team", Members: []string{"ann"}}, {ID: "all", Members: []string{"team"}}},
		Assignments: []Assignment{
			{ID: "1", Role: user, Principal: "ann", Scope: Scope{"v", "secrets", "a"}, Condition: never},
			{ID: "2", Role: user, Principal: "team", Scope: Scope{Vault: "v"}, Ends: now},
			{ID: "3", Role: user, Principal: "all"},
			{ID: "4", Role: roleID(t, "Key Vault Crypto User"), Principal: "ann"},
			{ID: "5", Role: user, Principal: "ann", Scope: Scope{Vault: "w"}},
			{ID: "6", Role: "gone", Principal: "ann"},
			{ID: "7", Role: user, Principal: "bob"},
		},
	})
	e := r.Explain("ann", SecretsGet, Object{"v", "vee", "secrets", "a"}, now)
	var told []string
	for _, j := range e.Rules {
		told = append(told, fmt.Sprintf("%s %v: %s", j.ID, j.Groups, j.Why))
	}
	want := []string{
		"1 []: its condition is not fulfilled",
		"2 [team]: it has ended",
		"3 [team all]: ",
		"4 []: its role does not have the action",
		"6 []: its role is no more",
		"5 []: it counts elsewhere",
	}
	if e.Rule == nil || e.Rule.ID != "3" || !slices.Equal(told, want) {
		t.Errorf("rule %v of %q", e.Rule, told)
	}
	if e := r.Explain("eve", SecretsGet, Object{}, now); e.Rule != nil || e.Rules != nil {
		t.Errorf("a stranger is told %+v", e)
	}
}

// manyRights are 1,000 assignments to 100 groups, 25 chains of four, with a person in all of them.
func manyRights(tb testing.TB) Model {
	var m Model
	for i := range 100 {
		id := fmt.Sprintf("g%02d", i)
		members := []string{"ann"}
		if i%4 > 0 {
			members = []string{fmt.Sprintf("g%02d", i-1)}
		}
		m.Groups = append(m.Groups, Group{ID: id, Members: members})
		for k := range 10 {
			m.Assignments = append(m.Assignments, Assignment{
				ID: fmt.Sprint(id, "/", k), Role: roleID(tb, "Key Vault Secrets User"), Principal: id,
				Scope: Scope{Vault: fmt.Sprintf("v%d", k), Kind: "secrets", Name: fmt.Sprintf("s%d", i)},
			})
		}
	}
	return m
}

func TestDecisionsAllocateNothing(t *testing.T) {
	r := Compile(manyRights(t))
	o := Object{"v7", "vee", "secrets", "s99"}
	if r.Decide("ann", SecretsGet, o, now) == nil || r.Decide("ann", SecretsSet, o, now) != nil {
		t.Fatal("the rights are not what they should be")
	}
	if n := testing.AllocsPerRun(100, func() { r.Decide("ann", SecretsGet, o, now) }); n > 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	r := Compile(manyRights(b))
	for name, o := range map[string]Object{
		"yes": {"v7", "vee", "secrets", "s99"}, "no": {"v7", "vee", "secrets", "s100"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Decide("ann", SecretsGet, o, now)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	m := manyRights(b)
	for b.Loop() {
		Compile(m)
	}
}
