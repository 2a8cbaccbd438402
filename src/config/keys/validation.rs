//! The tables of request validation.

use super::{Default, Key, Kind, Table, key, word};

/// The keys of `request_validator`, of a route or of an API.
pub static REQUEST_VALIDATOR: Table = Table {
    path: "api.<name>.route[].request_validator",
    doc: "What of a request is checked; what does not pass is answered 400.",
    keys: &[
        key("body", Kind::Bool, Default::Bool(false), "Bodies are as the model of their media type says."),
        key(
            "parameters",
            Kind::Bool,
            Default::Bool(false),
            "Required parameters are there and not blank, and all are as their schemas say.",
        ),
        key(
            "unknown_media",
            Kind::Choice(&[word("pass"), word("refuse")]),
            Default::Text("pass"),
            "What happens to bodies of a media type that no model is for; refuse answers 415.",
        ),
    ],
};

/// The keys of `api.<name>.route[].parameters[]`.
pub static PARAMETER: Table = Table {
    path: "api.<name>.route[].parameters[]",
    doc: "A parameter, as OpenAPI describes it.",
    keys: &[
        key(
            "in",
            Kind::Choice(&[word("path"), word("query"), word("header"), word("cookie")]),
            Default::Required,
            "Where it stands.",
        ),
        key("name", Kind::Text("a name"), Default::Required, "Its name; letter case does not count in headers."),
        key("required", Kind::Bool, Default::Bool(false), "Whether it must be there and not blank."),
        key(
            "schema",
            Kind::Schema,
            Default::Nothing,
            "What it may be; text is read as the types that the schema names.",
        ),
        key(
            "style",
            Kind::Choice(&[
                word("simple"),
                word("label"),
                word("matrix"),
                word("form"),
                word("spaceDelimited"),
                word("pipeDelimited"),
                word("deepObject"),
            ]),
            Default::Words("form in queries and cookies, else simple"),
            "How lists and objects are written.",
        ),
        key(
            "explode",
            Kind::Bool,
            Default::Words("true for form, else false"),
            "Whether each element or member has a name of its own.",
        ),
        key(
            "allow_empty",
            Kind::Bool,
            Default::Bool(false),
            "Whether an empty value is fine whatever the schema says.",
        ),
        key(
            "content",
            Kind::Media,
            Default::Nothing,
            "Instead of `schema`: its text is JSON, `{ \"application/json\" = \"MODEL\" }`.",
        ),
    ],
};

/// The keys of `model.<name>`.
pub static MODEL: Table = Table {
    path: "model.<name>",
    doc: "A JSON Schema that bodies of every API can be checked against.",
    keys: &MODEL_KEYS,
};

/// The keys of `api.<api>.model.<name>`.
pub static API_MODEL: Table = Table {
    path: "api.<api>.model.<name>",
    doc: "A JSON Schema that bodies of this API can be checked against.",
    keys: &MODEL_KEYS,
};

static MODEL_KEYS: [Key; 7] = [
    key(
        "schema",
        Kind::Schema,
        Default::Nothing,
        "The schema; `$ref` finds other models as `#/model/NAME`, `#/components/schemas/NAME` and in Amazon's notation.",
    ),
    key("schema_file", Kind::File, Default::Nothing, "A file with the schema, JSON."),
    key(
        "schema_dialect",
        Kind::Choice(&[word("draft4"), word("2020-12")]),
        Default::Text("draft4"),
        "The JSON Schema it is written in, unless its own `$schema` says so.",
    ),
    key(
        "formats",
        Kind::Choice(&[word("assert"), word("annotate")]),
        Default::Text("assert"),
        "Whether `format` is checked, or a remark only.",
    ),
    key(
        "uri",
        Kind::Text("a URI"),
        Default::Nothing,
        "What `$ref` in other schemas calls it, as if its `$id` said so; nothing is fetched.",
    ),
    key(
        "content_type",
        Kind::Text("a media type"),
        Default::Nothing,
        "The media type it describes; for documentation.",
    ),
    key("description", Kind::Text("any text"), Default::Nothing, "What it is; for documentation."),
];
