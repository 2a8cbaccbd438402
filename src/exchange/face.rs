//! What an API with a face says with every answer: what the request is called, and who may read the answer.

use super::{Core, Opened, Request, cors};
use crate::{
    base::ids::RequestId,
    observe::text,
    plan::{ApiKind, Face},
};

/// Appends the field lines that every answer of the API has.
pub fn tail(core: &Core, opened: &Opened, face: &Face, request: &Request<'_>, out: &mut Vec<u8>) {
    if face.request_ids {
        named(face.kind, opened.request_id(core), out);
    }
    if let Some(cors) = &face.cors {
        cors::tell(cors, request, out);
    }
}

/// What the request is called (reference, section 8.2).
fn named(kind: ApiKind, id: RequestId, out: &mut Vec<u8>) {
    if kind == ApiKind::Http {
        out.extend_from_slice(b"apigw-requestid: ");
        out.extend_from_slice(&id.short());
    } else {
        out.extend_from_slice(b"x-amzn-RequestId: ");
        text::uuid(out, id.0);
    }
    if kind == ApiKind::Rest {
        out.extend_from_slice(b"\r\nx-amz-apigw-id: ");
        out.extend_from_slice(&id.short());
    }
    out.extend_from_slice(b"\r\n");
}
