// Package session says who calls, and how: the credential of an application, from Azure's
// environment variables or from `keyquorum login`, and clients of Microsoft's own SDK for the
// vaults, which go to the next node when one can't be reached. There is no other way in: every
// program with an Azure SDK can do what the commands on objects do.
package session
