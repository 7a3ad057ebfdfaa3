// Package objects has the commands on secrets and keys. Each is a verb: a row of a table that says
// what it is called, which flags it has and what it does. It uses Microsoft's own SDK, as the
// application that the environment or a login names. What both kinds of object can do is one row
// for both. It leaves every decision to the vault.
package objects
