package mover

// What to do about what is not moved. Each stands once below a plan, whatever number of rows it is
// about.
const (
	adviceNames = "Names that don't fit: move a part of the tree with --path, whose names are " +
		"shorter, or a secret of each path with --json; or rename at the source."
	adviceTags = "Too many or too long tags: --no-tags moves without the source's."

	adviceTaken = "Names that are taken: move into another vault, or let --add-to-taken add " +
		"versions, which programs then get in place of the one that is there."
	adviceDeleted = "Names of what is deleted here: recover or purge it first (keyquorum secret " +
		"recover, purge), or move into another vault."
	adviceDiffers = "What differs was changed after it was moved, here or there. It is left as it is."

	adviceCertificates = "What belongs to a certificate: take the certificate from there with its " +
		"key, and bring the key with keyquorum key import NAME --file KEY.pem. There are no " +
		"certificates here."
	adviceDisabled = "What is disabled can't be read: enable it at the source, move, and disable " +
		"it again."
	adviceKeys = "Keys that don't come out: bring the file that such a key was imported from " +
		"(keyquorum key import NAME --file KEY.pem), or make a new one of the same kind with " +
		"--new-keys. Verify old signatures with the old public half, and let the old vault decrypt " +
		"what you then encrypt anew."

	adviceFields = "Paths with more than 100 fields: --json makes one secret of each path."
	adviceValues = "Values that don't fit: a secret holds text of 25,600 bytes. Keep what is longer " +
		"in a file, encrypted with a key of the vault; store bytes with keyquorum secret set " +
		"--encoding=base64."
	adviceGone = "What is deleted at the source: bao kv undelete brings it back, where it was not " +
		"destroyed."
	adviceDenied = "What the token may not read: a policy at the source has to grant read and list."

	adviceExportable = "Keys that are not exportable: bao write transit/keys/NAME/config " +
		"exportable=true makes one so, for ever. Else make a new key here, let the old one decrypt " +
		"what you then encrypt anew, and verify old signatures with its public half."
	adviceTypes = "Keys of types that no vault of Azure's API has: make a new one of another type " +
		"here."
)
