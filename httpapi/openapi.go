package httpapi

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
)

// The document's paths, methods and operations come from the tables that serve them, so neither can
// have what the other hasn't; summaries and forms come from descriptions.

//go:embed openapi.json
var openapiBase []byte // all but the paths, and the schemas that are Go types

// A surface is routes that have a host in common.
type surface struct {
	routes     []route
	prefix     string   // of their paths
	servers    []object // nil: the document's
	security   []object // any of them
	parameters []string // of each operation
	bodies     string   // media type of requests
	refusals   object   // responses by status
	envelope   bool
}

func surfaces() [3]surface {
	server := func(what, host, example string) []object {
		return []object{{"url": "https://{" + host + "}", "description": what,
			"variables": object{host: object{"default": example}}}}
	}
	operators := slices.Concat(operatorRoutes(false), adminRoutes())
	return [...]surface{
		applicationPlane: {
			routes: applicationRoutes(), prefix: "/", security: []object{{"application": []string{}}},
			parameters: []string{"api-version", "consistency", "x-ms-client-request-id"},
			bodies:     "application/json",
			refusals: object{"401": ref("responses", "Unauthorized"),
				"default": ref("responses", "Error")},
		},
		loginPlane: {
			routes: tokenRoutes(), prefix: "/",
			servers:  server("login host", "login", "login.example.org:8200"),
			bodies:   "application/x-www-form-urlencoded",
			refusals: object{"default": ref("responses", "OAuthError")},
		},
		operatorPlane: {
			routes: operators, prefix: "/v1/", servers: server("operator plane", "node", "localhost:8200"),
			security:   []object{{"operator": []string{}}, {"operatorBearer": []string{}}},
			parameters: []string{"X-Vault-Index"},
			bodies:     "application/json", refusals: object{"default": ref("responses", "Errors")},
			envelope: true,
		},
	}
}

// OpenAPI describes both planes as an OpenAPI 3.1 document in JSON. version is the program's.
func OpenAPI(version string) ([]byte, error) {
	var d document
	if err := json.Unmarshal(openapiBase, &d); err != nil {
		return nil, err
	}
	d.Info["version"] = version
	for _, s := range surfaces() {
		for i := range s.routes {
			d.add(&s, &s.routes[i])
		}
	}
	return json.Marshal(d)
}

// add describes one route: an optional segment makes two paths of it.
func (d *document) add(s *surface, r *route) {
	before, optional, has := strings.Cut(s.prefix+r.shape, "/[")
	if has {
		name, after, _ := strings.Cut(optional, "]")
		d.addPath(s, r, before+after)
		before += "/{" + name + "}" + after
	}
	d.addPath(s, r, before)
}

func (d *document) addPath(s *surface, r *route, path string) {
	if d.Paths[path] == nil {
		d.Paths[path] = s.pathItem(path)
	}
	for _, method := range r.methods {
		if method != "LIST" { // OpenAPI has no place for it; GET is the same
			d.Paths[path][strings.ToLower(method)] = d.operation(s, r, method, path)
		}
	}
}

// pathItem is what the operations of a path have in common.
func (s *surface) pathItem(path string) object {
	item := object{}
	if s.servers != nil {
		item["servers"] = s.servers
	}
	parameters := []object{}
	for piece := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(piece, "{"); ok {
			parameters = append(parameters, ref("parameters", strings.TrimSuffix(name, "}")))
		}
	}
	if len(parameters) > 0 {
		item["parameters"] = parameters
	}
	return item
}

func (d *document) operation(s *surface, r *route, method, path string) object {
	about := descriptions[describes(r)]
	tag, _, _ := strings.Cut(r.operation, "/")
	security := s.security
	if r.open {
		security = []object{}
	}
	op := object{
		"operationId": operationID(method, path), "summary": about.summary, "tags": []string{tag},
		"x-keyquorum-operation": r.operation, "security": security,
		"responses": d.responses(s, about.gives),
	}
	parameters := []object{}
	for _, names := range [][]string{s.parameters, about.query} {
		for _, name := range names {
			parameters = append(parameters, ref("parameters", name))
		}
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if r.body > 0 {
		op["requestBody"] = d.requestBody(s, r, about.takes)
	}
	return op
}

func (d *document) requestBody(s *surface, r *route, f form) object {
	if f.media != "" {
		return object{
			"required":              true,
			"content":               object{f.media: object{"schema": object{"type": "string"}}},
			"x-keyquorum-max-bytes": r.body,
		}
	}
	d.Components.Schemas.add(f, false)
	return object{
		"required":              d.Components.Schemas[f.name]["required"] != nil,
		"content":               object{s.bodies: object{"schema": schemaRef(f.name)}},
		"x-keyquorum-max-bytes": r.body,
	}
}

// describes is a route's key among the descriptions.
func describes(r *route) string { return r.methods[0] + " " + r.shape }

// operationID: "GET /keys/{name}/{version}" is get_keys_name_version.
func operationID(method, path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("/{}.-", r) })
	return strings.ToLower(method) + "_" + strings.Join(words, "_")
}

func (d *document) responses(s *surface, f form) object {
	out := object{}
	for status, response := range s.refusals {
		out[status] = response
	}
	if f.name == "" {
		out["204"] = object{"description": "Done."}
		return out
	}
	if f.media != "" {
		out["200"] = object{"description": "The answer.",
			"content": object{f.media: object{"schema": object{"type": "string"}}}}
		return out
	}
	d.Components.Schemas.add(f, true)
	schema := schemaRef(f.name)
	if s.envelope {
		schema = d.Components.Schemas.enveloped(f)
	}
	out["200"] = jsonResponse(schema)
	if f.whatever {
		out["default"] = jsonResponse(object{"anyOf": []object{schema, schemaRef("Errors")}})
	}
	return out
}

func jsonResponse(schema object) object {
	return object{"description": "The answer.",
		"content": object{"application/json": object{"schema": schema}}}
}

// document is as much of OpenAPI 3.1 as is filled in.
type document struct {
	OpenAPI    string            `json:"openapi"`
	Info       object            `json:"info"`
	Servers    []object          `json:"servers"`
	Tags       []object          `json:"tags"`
	Paths      map[string]object `json:"paths"`
	Components struct {
		SecuritySchemes object  `json:"securitySchemes"`
		Parameters      object  `json:"parameters"`
		Headers         object  `json:"headers"`
		Responses       object  `json:"responses"`
		Schemas         schemas `json:"schemas"`
	} `json:"components"`
}
