package identity

// DecodeNodeKeys reads what NodeKeys.Encode wrote.
var DecodeNodeKeys = decodeNodeKeys
