package httpapi

import (
	"slices"

	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

func secretRoutes() []route {
	return []route{
		{methods: appGet, shape: "secrets/{name}/versions", operation: "secrets/versions",
			serve: serve(listSecretVersions, writeSecretVersions)},
		{methods: appGet, shape: "secrets/{name}/[version]", operation: "secrets/get",
			serve: serve(getSecret, writeSecretValue)},
		{methods: appGet, shape: "secrets", operation: "secrets/list",
			serve: serve(listSecrets, writeSecretPage)},
		{methods: appPut, shape: "secrets/{name}", operation: "secrets/set", body: maxBody,
			serve: serve(setSecret, writeSecretValue)},
		{methods: appPatch, shape: "secrets/{name}/[version]", operation: "secrets/update", body: maxBody,
			serve: serve(updateSecret, writeSecret)},
		{methods: appRemove, shape: "secrets/{name}", operation: "secrets/delete",
			serve: serve(deleteSecret, writeSecret)},
		{methods: appPost, shape: "secrets/{name}/backup", operation: "secrets/backup",
			within: transferTime, serve: serve(backupSecret, writeValue)},
		{methods: appPost, shape: "secrets/restore", operation: "secrets/restore", body: restoreBody,
			within: transferTime, serve: serve(restoreSecret, writeSecret)},
		{methods: appGet, shape: "deletedsecrets", operation: "secrets/listdeleted",
			serve: serve(listDeletedSecrets, writeSecretPage)},
		{methods: appGet, shape: "deletedsecrets/{name}", operation: "secrets/getdeleted",
			serve: serve(getDeletedSecret, writeSecret)},
		{methods: appPost, shape: "deletedsecrets/{name}/recover", operation: "secrets/recover",
			serve: serve(recoverSecret, writeSecret)},
		{methods: appRemove, shape: "deletedsecrets/{name}", operation: "secrets/purge",
			serve: serve(purgeSecret, noContent)},
	}
}

// secretRequest is the body of set and update. The value lies in the request's own buffer, which is
// cleared after it.
type secretRequest struct {
	value []byte // nil: not supplied
	vault.Change
}

func (q *secretRequest) Member(name, value []byte) (err error) {
	switch string(name) {
	case "value":
		q.value, err = wire.TextBytes("value", value)
	case "contentType":
		err = optionalText("contentType", value, &q.ContentType)
	default:
		err = changeMember(&q.Change, name, value)
	}
	return err
}

// changeMember decodes what secrets and keys have in common.
func changeMember(ch *vault.Change, name, value []byte) error {
	switch string(name) {
	case "tags":
		return textMap("tags", value, &ch.Tags)
	case "attributes":
		if !wire.IsNull(value) && value[0] != '{' {
			return wire.InvalidProperty("attributes")
		}
		return wire.EachKnown(value, func(name, value []byte) error {
			switch string(name) {
			case "enabled":
				return boolValue("attributes.enabled", value, &ch.Enabled)
			case "nbf":
				return intValue("attributes.nbf", value, &ch.NotBefore)
			case "exp":
				return intValue("attributes.exp", value, &ch.Expires)
			case "exportable":
				return boolValue("attributes.exportable", value, &ch.Exportable)
			}
			return wire.ErrUnknownMember
		})
	}
	return wire.ErrUnknownMember
}

func setSecret(c *appCall, q *secretRequest) (vault.Secret, error) {
	return c.vaults.SetSecret(c.ctx, c.caller, c.params[0], q.value, q.Change)
}

// getSecret has the value opened in the buffer of the request's body, which has none.
func getSecret(c *appCall, _ *none) (vault.Secret, error) {
	if c.body == nil {
		c.body = wire.TakeBuffer()
	}
	return c.vaults.GetSecret(c.ctx, c.caller, c.params[0], c.params[1], *c.body)
}

func updateSecret(c *appCall, q *secretRequest) (vault.Secret, error) {
	return c.vaults.UpdateSecret(c.ctx, c.caller, c.params[0], c.params[1], q.Change)
}

func deleteSecret(c *appCall, _ *none) (vault.Secret, error) {
	return c.vaults.DeleteSecret(c.ctx, c.caller, c.params[0])
}

func getDeletedSecret(c *appCall, _ *none) (vault.Secret, error) {
	return c.vaults.GetDeletedSecret(c.ctx, c.caller, c.params[0])
}

func recoverSecret(c *appCall, _ *none) (vault.Secret, error) {
	return c.vaults.RecoverSecret(c.ctx, c.caller, c.params[0])
}

func purgeSecret(c *appCall, _ *none) (none, error) {
	return none{}, c.vaults.PurgeSecret(c.ctx, c.caller, c.params[0])
}

func listSecrets(c *appCall, _ *none) (vault.Page[vault.Secret], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Secret]{}, err
	}
	return c.vaults.ListSecrets(c.ctx, c.caller, p)
}

func listSecretVersions(c *appCall, _ *none) (vault.Page[vault.Secret], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Secret]{}, err
	}
	return c.vaults.ListSecretVersions(c.ctx, c.caller, c.params[0], p)
}

func listDeletedSecrets(c *appCall, _ *none) (vault.Page[vault.Secret], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Secret]{}, err
	}
	return c.vaults.ListDeletedSecrets(c.ctx, c.caller, p)
}

// writeSecretValue answers with the value, which is cleared when it has been copied.
func writeSecretValue(c *appCall, s *vault.Secret) error {
	// Room for all of it now: a buffer that grows leaves the value behind where it was.
	dst := slices.Grow(*c.out, 6*len(s.Value)+4<<10)
	*c.out = dst
	dst = append(dst, `{"value":`...)
	dst = wire.AppendString(dst, s.Value)
	*c.out = append(c.appendSecret(append(dst, ','), s, s.Version), '}')
	s.Value.Zero()
	return nil
}

func writeSecret(c *appCall, s *vault.Secret) error {
	*c.out = append(c.appendSecret(append(*c.out, '{'), s, s.Version), '}')
	return nil
}

func writeSecretPage(c *appCall, p *vault.Page[vault.Secret]) error {
	return writePage(c, p, func(dst []byte, s *vault.Secret) []byte {
		return append(c.appendSecret(append(dst, '{'), s, ""), '}')
	})
}

func writeSecretVersions(c *appCall, p *vault.Page[vault.Secret]) error {
	return writePage(c, p, func(dst []byte, s *vault.Secret) []byte {
		return append(c.appendSecret(append(dst, '{'), s, s.Version), '}')
	})
}

// appendSecret appends the members that every shape of a secret has. version "" leaves it out of
// the id.
func (c *appCall) appendSecret(dst []byte, s *vault.Secret, version string) []byte {
	dst = append(dst, `"id":`...)
	dst = appendID(dst, c.place.authority, "secrets", s.Name, version)
	if s.ContentType != "" {
		dst = wire.AppendString(append(dst, `,"contentType":`...), s.ContentType)
	}
	dst = appendAttributes(dst, &s.Attributes, "")
	dst = appendTags(dst, s.Tags)
	return appendDeletion(dst, s.Deletion, c.place.authority, "secrets", s.Name)
}
