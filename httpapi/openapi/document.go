// Package openapi describes routes as an OpenAPI document. Paths, methods and operations come from
// the tables that serve them, so neither can have what the other hasn't.
package openapi

import (
	_ "embed"
	"encoding/json"
	"strings"

	"keyquorum/httpapi/exchange"
)

// The document's paths, methods and operations come from the tables that serve them, so neither can
// have what the other hasn't; summaries and forms come from descriptions.

//go:embed openapi.json
var openapiBase []byte // all but the paths, and the schemas that are Go types

// A Surface is routes that have a host in common.
type Surface struct {
	Routes       []exchange.Route
	Descriptions map[string]Description // by a route's first method and its shape
	Prefix       string                 // of their paths
	Host         Host                   // the zero value: each server of the document
	Security     []string               // names of schemes, any of which will do
	Parameters   []string               // of each operation
	Bodies       string                 // media type of requests
	Refusals     map[string]string      // names of responses, by status
	Envelope     bool                   // around answers, as the operator plane has it
}

// Host is a host that is a surface's own.
type Host struct {
	What     string // it is
	Variable string // of its URL
	Example  string
}

// A Description is what a route's table does not say of it: for the OpenAPI document, and for
// nothing else.
type Description struct {
	Summary string
	Takes   Form     // of the request's body
	Gives   Form     // of the answer; empty: 204, without a body
	Query   []string // its parameters beside those of the plane, by their names in openapi.json
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

// Document describes surfaces as an OpenAPI 3.1 document in JSON. version is the program's.
func Document(version string, surfaces ...Surface) ([]byte, error) {
	var d document
	if err := json.Unmarshal(openapiBase, &d); err != nil {
		return nil, err
	}
	d.Info["version"] = version
	for _, s := range surfaces {
		for i := range s.Routes {
			d.add(&s, &s.Routes[i])
		}
	}
	return json.Marshal(d)
}

// add describes one route: an optional segment makes two paths of it.
func (d *document) add(s *Surface, r *exchange.Route) {
	before, optional, has := strings.Cut(s.Prefix+r.Shape, "/[")
	if has {
		name, after, _ := strings.Cut(optional, "]")
		d.addPath(s, r, before+after)
		before += "/{" + name + "}" + after
	}
	d.addPath(s, r, before)
}

func (d *document) addPath(s *Surface, r *exchange.Route, path string) {
	if d.Paths[path] == nil {
		d.Paths[path] = s.pathItem(path)
	}
	for _, method := range r.Methods {
		if method != "LIST" { // OpenAPI has no place for it; GET is the same
			d.Paths[path][strings.ToLower(method)] = d.operation(s, r, method, path)
		}
	}
}

// pathItem is what the operations of a path have in common.
func (s *Surface) pathItem(path string) object {
	item := object{}
	if s.Host.Variable != "" {
		item["servers"] = []object{{
			"url": "https://{" + s.Host.Variable + "}", "description": s.Host.What,
			"variables": object{s.Host.Variable: object{"default": s.Host.Example}},
		}}
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

func (d *document) operation(s *Surface, r *exchange.Route, method, path string) object {
	about := s.Descriptions[describes(r)]
	tag, _, _ := strings.Cut(r.Operation, "/")
	security := []object{}
	if !r.Open {
		for _, scheme := range s.Security {
			security = append(security, object{scheme: []string{}})
		}
	}
	op := object{
		"operationId": operationID(method, path), "summary": about.Summary, "tags": []string{tag},
		"x-keyquorum-operation": r.Operation, "security": security,
		"responses": d.responses(s, about.Gives),
	}
	parameters := []object{}
	for _, names := range [][]string{s.Parameters, about.Query} {
		for _, name := range names {
			parameters = append(parameters, ref("parameters", name))
		}
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if r.Body > 0 {
		op["requestBody"] = d.requestBody(s, r, about.Takes)
	}
	return op
}

func (d *document) requestBody(s *Surface, r *exchange.Route, f Form) object {
	if f.media != "" {
		return object{
			"required":              true,
			"content":               object{f.media: object{"schema": object{"type": "string"}}},
			"x-keyquorum-max-bytes": r.Body,
		}
	}
	d.Components.Schemas.add(f, false)
	return object{
		"required":              d.Components.Schemas[f.Name]["required"] != nil,
		"content":               object{s.Bodies: object{"schema": schemaRef(f.Name)}},
		"x-keyquorum-max-bytes": r.Body,
	}
}

// describes is a route's key among the descriptions.
func describes(r *exchange.Route) string { return r.Methods[0] + " " + r.Shape }

// operationID: "GET /keys/{name}/{version}" is get_keys_name_version.
func operationID(method, path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("/{}.-", r) })
	return strings.ToLower(method) + "_" + strings.Join(words, "_")
}

func (d *document) responses(s *Surface, f Form) object {
	out := object{}
	for status, response := range s.Refusals {
		out[status] = ref("responses", response)
	}
	if f.Name == "" {
		out["204"] = object{"description": "Done."}
		return out
	}
	if f.media != "" {
		out["200"] = object{"description": "The answer.",
			"content": object{f.media: object{"schema": object{"type": "string"}}}}
		return out
	}
	d.Components.Schemas.add(f, true)
	schema := schemaRef(f.Name)
	if s.Envelope {
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
