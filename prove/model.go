package prove

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
)

// A model is one object on a cluster of one node that answers one request after the other. It is
// the specification: what it answers is right.
type model interface {
	// initial is the state before any request.
	initial() any
	// answer says what is answered, and the state after that. It changes no state that it was given.
	// What is answered with another word than done has changed nothing.
	answer(state any, q request) (reply, any)
	// same says whether two states are one, and hash is then the same too.
	same(a, b any) bool
	hash(state any) uint64
}

// seed is of the hashes of states. They are compared within one process only.
var seed = maphash.MakeSeed()

// A request is what a client asks of an object.
type request struct {
	verb    verb
	id      int32      // no other request has it; what is written is known by it
	version int32      // the id of the write that made the version asked for; 0: the latest
	on      bool       // with update and enable
	rights  rights     // what grant grants, or what use needs
	secret  uint8      // which client secret of an application is revoked, or used
	signed  *signature // to be verified
}

// A verb is a kind of request.
type verb uint8

const (
	set           verb = iota + 1 // a new version of a secret, or of a key
	get                           // a version
	list                          // all versions
	update                        // a version's attributes
	remove                        // the object, so that it can be recovered
	getDeleted                    // the object that was removed
	listed                        // it in the list of the vault
	listedDeleted                 // it in the list of what was removed
	undelete                      // make it live again
	purge                         // remove it for ever
	sign                          // with a version of a key
	verify                        // a signature of a version of a key

	create // an application, if the name is free
	find   // an application
	drop   // an application

	grant   // replace what an application may do
	granted // read it
	enable  // switch an application on or off
	enabled // read it
	revoke  // remove a client secret of the application
	signIn  // be the application, and ask for a token
	use     // be the application, and do what needs a right

	saved    // a snapshot of the cluster, which has the object as it is (restore.go)
	restored // the cluster goes back to one
)

var verbs = [...]struct {
	name   string
	writes bool
}{
	set: {"set", true}, get: {"get", false}, list: {"versions", false}, update: {"update", true},
	remove:     {"delete", true},
	getDeleted: {"get deleted", false}, listed: {"look in list", false},
	listedDeleted: {"look in deleted list", false},
	undelete:      {"recover", true}, purge: {"purge", true}, sign: {"sign", false},
	verify: {"verify", false},
	create: {"create", true}, find: {"find", false}, drop: {"delete", true},
	grant: {"grant", true}, granted: {"read grant", false}, enable: {"enable", true},
	enabled: {"read enabled", false},
	revoke:  {"revoke", true}, signIn: {"sign in", false}, use: {"use", false},
	saved: {"snapshot", true}, restored: {"restore", true},
}

// A reply is what an answer says, as far as the models know of it.
type reply struct {
	word    word
	version int32 // the id of the write that made what was answered
	mark    int32 // the id of the last update of it; 0: none
	on      bool
	rights  rights
	list    string     // of versions (see versions.list)
	signed  *signature // with sign, until Check has looked at it
	note    string     // with strange: why
}

// shows says whether a reply tells of a write.
func (p reply) shows(id int32) bool {
	if p.version == id || p.mark == id {
		return true
	}
	for number := range strings.FieldsFuncSeq(p.list,
		func(c rune) bool { return c < '0' || c > '9' }) {
		if number == strconv.Itoa(int(id)) {
			return true
		}
	}
	return false
}

// A word is the kind of a reply.
type word uint8

const (
	done     word = iota + 1
	missing       // 404
	taken         // 409: the name is in use, or deleted and not to be used
	disabled      // 403: the version is
	denied        // 403: the application may not
	barred        // 401: the application is disabled, or the client secret gone
	strange       // what no model ever answers
)

var words = [...]string{done: "done", missing: "404 not found", taken: "409 taken",
	disabled: "403 disabled", denied: "403 forbidden",
	barred: "401 application disabled or secret gone", strange: "strange"}

// somebody stands in a reply for a write that cannot be told by what was answered: a version that
// no other answer has shown.
const somebody = -1

// String is the request as a table of operations shows it.
func (q request) String() string {
	name := verbs[q.verb].name
	switch q.verb {
	case set, create:
		return fmt.Sprintf("%s %d", name, q.id)
	case get, sign, verify:
		return fmt.Sprintf("%s %s", name, ordinal(q.version))
	case update:
		return fmt.Sprintf("%s %s: mark %d, %s", name, ordinal(q.version), q.id, onOff(q.on))
	case enable:
		return fmt.Sprintf("%s: %s", name, onOff(q.on))
	case grant:
		return fmt.Sprintf("%s %s", name, q.rights)
	case use:
		return fmt.Sprintf("%s %s with secret %d", name, q.rights, q.secret)
	case revoke, signIn:
		return fmt.Sprintf("%s secret %d", name, q.secret)
	default:
		return name
	}
}

// text is the reply as a table of operations shows it.
func (p reply) text(q request) string {
	switch {
	case p.word == strange:
		return p.note
	case p.word == missing && (q.verb == listed || q.verb == listedDeleted):
		return "not listed"
	case p.word != done:
		return words[p.word]
	case q.verb == list:
		return "[" + p.list + "]"
	case q.verb == granted || q.verb == grant:
		return p.rights.String()
	case q.verb == enabled || q.verb == enable:
		return onOff(p.on)
	case p.version == 0:
		return words[done]
	case p.mark != 0:
		return fmt.Sprintf("%d, mark %d, %s", p.version, p.mark, onOff(p.on))
	default:
		return ordinal(p.version)
	}
}

func ordinal(version int32) string {
	switch version {
	case 0:
		return "latest"
	case somebody:
		return "a version that nobody is known to have made"
	default:
		return fmt.Sprint(version)
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
