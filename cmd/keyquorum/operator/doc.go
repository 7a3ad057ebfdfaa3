// Package operator has the commands of operators: vaults, applications and grants, init and unseal,
// members, keys of the cluster, and the status. Each is a call of the operator plane's HTTP API.
// The commands dev, plan and prove use its client too. It decides nothing.
package operator
