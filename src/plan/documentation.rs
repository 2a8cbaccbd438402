//! What an API and its routes tell about themselves, for people and for what a portal will show. Nothing that serves a request
//! reads it.

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documentation {
    /// By [`ApiId`](crate::base::ids::ApiId).
    pub apis: Vec<Told>,
    /// By [`RouteId`](crate::base::ids::RouteId).
    pub routes: Vec<Told>,
    /// Models, those of one API before those of all.
    pub models: Vec<Model>,
}

/// What a model tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Whose it is; any API's if it is nobody's.
    pub api: Option<Box<str>>,
    /// Its name.
    pub name: Box<str>,
    /// What it is for.
    pub description: Option<Box<str>>,
    /// The type of content that it describes, where it says so.
    pub content_type: Option<Box<str>>,
    /// Its JSON Schema as written.
    pub schema: Box<str>,
}

/// What one API or route tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What tools call it.
    pub operation_id: Option<Box<str>>,
    /// A title or a line.
    pub summary: Option<Box<str>>,
    /// More than a line; may be Markdown.
    pub description: Option<Box<str>>,
    /// What it belongs to.
    pub tags: Vec<Box<str>>,
    /// Everything else (responses, examples, documentation parts), as JSON.
    pub more: Option<Box<str>>,
}
