package vault

// RestorableDirs are the directories of what applications and administrators see: what a restore
// puts back. What keeps the cluster itself is not: operators' tokens, which may have been revoked
// since, and the keys that sign access tokens stay those of now.
var RestorableDirs = []string{appDir, appNameDir, "vault/", vaultNameDir}
