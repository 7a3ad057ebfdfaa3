// Package operator is what operators do by command: vaults, applications and grants, the ceremony
// of shares, members, keys of the cluster, and the status, each a call of the operator plane's HTTP
// API. Its client is other commands' too: of dev, plan and prove. It decides nothing.
package operator
