package azure

import (
	"slices"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

func secretRoutes() []exchange.Route {
	return []exchange.Route{
		{Methods: get, Shape: "secrets/{name}/versions", Operation: "secrets/versions",
			Serve: exchange.Serve(listSecretVersions, writeSecretVersions)},
		{Methods: get, Shape: "secrets/{name}/[version]", Operation: "secrets/get",
			Serve: exchange.Serve(getSecret, writeSecretValue)},
		{Methods: get, Shape: "secrets", Operation: "secrets/list",
			Serve: exchange.Serve(listSecrets, writeSecretPage)},
		{Methods: put, Shape: "secrets/{name}", Operation: "secrets/set", Body: exchange.MaxBody,
			Serve: exchange.Serve(setSecret, writeSecretValue)},
		{Methods: patch, Shape: "secrets/{name}/[version]", Operation: "secrets/update",
			Body:  exchange.MaxBody,
			Serve: exchange.Serve(updateSecret, writeSecret)},
		{Methods: remove, Shape: "secrets/{name}", Operation: "secrets/delete",
			Serve: exchange.Serve(deleteSecret, writeSecret)},
		{Methods: post, Shape: "secrets/{name}/backup", Operation: "secrets/backup",
			Within: exchange.TransferTime, Serve: exchange.Serve(backupSecret, writeValue)},
		{Methods: post, Shape: "secrets/restore", Operation: "secrets/restore",
			Body:   exchange.RestoreBody,
			Within: exchange.TransferTime, Serve: exchange.Serve(restoreSecret, writeSecret)},
		{Methods: get, Shape: "deletedsecrets", Operation: "secrets/listdeleted",
			Serve: exchange.Serve(listDeletedSecrets, writeSecretPage)},
		{Methods: get, Shape: "deletedsecrets/{name}", Operation: "secrets/getdeleted",
			Serve: exchange.Serve(getDeletedSecret, writeSecret)},
		{Methods: post, Shape: "deletedsecrets/{name}/recover", Operation: "secrets/recover",
			Serve: exchange.Serve(recoverSecret, writeSecret)},
		{Methods: remove, Shape: "deletedsecrets/{name}", Operation: "secrets/purge",
			Serve: exchange.Serve(purgeSecret, exchange.NoContent)},
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

func setSecret(c *call, q *secretRequest) (vault.Secret, error) {
	return c.Vaults.SetSecret(c.Ctx, c.caller, c.Params[0], q.value, q.Change)
}

// getSecret has the value opened in the buffer of the request's body, which has none.
func getSecret(c *call, _ *exchange.None) (vault.Secret, error) {
	if c.Body == nil {
		c.Body = wire.TakeBuffer()
	}
	return c.Vaults.GetSecret(c.Ctx, c.caller, c.Params[0], c.Params[1], *c.Body)
}

func updateSecret(c *call, q *secretRequest) (vault.Secret, error) {
	return c.Vaults.UpdateSecret(c.Ctx, c.caller, c.Params[0], c.Params[1], q.Change)
}

func deleteSecret(c *call, _ *exchange.None) (vault.Secret, error) {
	return c.Vaults.DeleteSecret(c.Ctx, c.caller, c.Params[0])
}

func getDeletedSecret(c *call, _ *exchange.None) (vault.Secret, error) {
	return c.Vaults.GetDeletedSecret(c.Ctx, c.caller, c.Params[0])
}

func recoverSecret(c *call, _ *exchange.None) (vault.Secret, error) {
	return c.Vaults.RecoverSecret(c.Ctx, c.caller, c.Params[0])
}

func purgeSecret(c *call, _ *exchange.None) (exchange.None, error) {
	return exchange.None{}, c.Vaults.PurgeSecret(c.Ctx, c.caller, c.Params[0])
}

func listSecrets(c *call, _ *exchange.None) (vault.Page[vault.Secret], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Secret]{}, err
	}
	return c.Vaults.ListSecrets(c.Ctx, c.caller, p)
}

func listSecretVersions(c *call, _ *exchange.None) (vault.Page[vault.Secret], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Secret]{}, err
	}
	return c.Vaults.ListSecretVersions(c.Ctx, c.caller, c.Params[0], p)
}

func listDeletedSecrets(c *call, _ *exchange.None) (vault.Page[vault.Secret], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Secret]{}, err
	}
	return c.Vaults.ListDeletedSecrets(c.Ctx, c.caller, p)
}

// writeSecretValue answers with the value, which is cleared when it has been copied.
func writeSecretValue(c *call, s *vault.Secret) error {
	// Room for all of it now: a buffer that grows leaves the value behind where it was.
	dst := slices.Grow(*c.Out, 6*len(s.Value)+4<<10)
	*c.Out = dst
	dst = append(dst, `{"value":`...)
	dst = wire.AppendString(dst, s.Value)
	*c.Out = append(c.appendSecret(append(dst, ','), s, s.Version), '}')
	s.Value.Zero()
	return nil
}

func writeSecret(c *call, s *vault.Secret) error {
	*c.Out = append(c.appendSecret(append(*c.Out, '{'), s, s.Version), '}')
	return nil
}

func writeSecretPage(c *call, p *vault.Page[vault.Secret]) error {
	return writePage(c, p, func(dst []byte, s *vault.Secret) []byte {
		return append(c.appendSecret(append(dst, '{'), s, ""), '}')
	})
}

func writeSecretVersions(c *call, p *vault.Page[vault.Secret]) error {
	return writePage(c, p, func(dst []byte, s *vault.Secret) []byte {
		return append(c.appendSecret(append(dst, '{'), s, s.Version), '}')
	})
}

// appendSecret appends the members that every shape of a secret has. version "" leaves it out of
// the id.
func (c *call) appendSecret(dst []byte, s *vault.Secret, version string) []byte {
	dst = append(dst, `"id":`...)
	dst = appendID(dst, c.place.Authority, "secrets", s.Name, version)
	if s.ContentType != "" {
		dst = wire.AppendString(append(dst, `,"contentType":`...), s.ContentType)
	}
	dst = appendAttributes(dst, &s.Attributes, "")
	dst = appendTags(dst, s.Tags)
	return appendDeletion(dst, s.Deletion, c.place.Authority, "secrets", s.Name)
}
